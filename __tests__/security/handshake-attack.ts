import type { Express } from 'express';
import { setImmediate as immediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import { route } from '../../lib/express/route';
import { hex } from '../support/bytes';
import { knock, open, type Request, type Running } from '../express/harness';

/** "Hello" of RFC 6455 §5.7, from a client. */
export const HELLO = hex('81 85 37fa213d 7f9f4d5158');

export const echo = route('/ws', {
  message(socket, data) {
    socket.send(data);
  },
});

/** An app that counts what gets to it. */
export function counting(): { seen: string[]; prepare: (app: Express) => void } {
  const seen: string[] = [];
  const prepare = (app: Express): void => {
    app.use((req, res) => {
      seen.push(`${req.method} ${req.url}`);
      res.status(404).send('the app');
    });
  };
  return { seen, prepare };
}

/** The next connection works. */
export async function expectAlive(running: { readonly port: number }): Promise<void> {
  const client = await open(running);
  client.write(HELLO);
  expect((await client.frame()).payload.toString()).toBe('Hello');
}

/** The status that one request gets, on a connection of its own. */
export async function statusOf(
  running: { readonly port: number },
  request: Request,
): Promise<number> {
  return (await knock(running, request).head()).status;
}

/** Resolves when the server holds no more connections than this; what lingers has a second at most. */
export async function connectionsFallTo(most: number, { server }: Running): Promise<void> {
  const count = promisify(server.getConnections.bind(server));
  while ((await count()) > most) await immediate();
}
