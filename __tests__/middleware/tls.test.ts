import express, { type Express } from 'express';
import session from 'express-session';
import helmet from 'helmet';
import morgan from 'morgan';
import { once } from 'node:events';
import { createServer, get } from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket, type ClientOptions } from 'ws';
import { attachWebSocket } from '../../lib/express/attach';
import type { AttachOptions, Middleware } from '../../lib/express/options';
import { reject } from '../../lib/express/rejection';
import { route, type RouteOptions } from '../../lib/express/route';
import { after, eventually, listen } from '../express/harness';
import { TLS } from '../express/tls';

/*
 * Over TLS a write is over only later, when it was encrypted and sent: whoever waits for the end of
 * the response waits longer.
 */

interface Secure {
  readonly app: Express;
  readonly url: string;
}

async function startSecure(
  use: Middleware,
  auth: RouteOptions['auth'] = () => ({}),
  options: AttachOptions = {},
): Promise<Secure> {
  const app = express();
  const server = createServer(TLS, app);
  const sockets = attachWebSocket(
    app,
    server,
    [route('/ws', { use, auth }, { message: (socket, data) => void socket.send(data) })],
    options,
  );
  await listen(server);
  after(() => sockets.close({ timeout: 1000 }));
  return { app, url: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** The answer to a handshake, 101 or not, and the body of a refusal. */
async function knock(
  { url }: Secure,
  options: ClientOptions = {},
): Promise<{ client: WebSocket; response: IncomingMessage; body: string }> {
  const client = new WebSocket(`wss://${url}/ws`, { rejectUnauthorized: false, ...options });
  after(() => client.terminate());
  client.on('error', () => undefined);
  const response = await new Promise<IncomingMessage>((resolve) => {
    let answer: IncomingMessage;
    client.on('upgrade', (upgraded) => (answer = upgraded)).on('open', () => resolve(answer));
    client.on('unexpected-response', (_request, refused) => resolve(refused));
  });
  let body = '';
  if (response.statusCode !== 101) for await (const chunk of response) body += String(chunk);
  return { client, response, body };
}

describe('over TLS', () => {
  it('a secure session cookie is set on the 101, and known to the next handshake', async () => {
    const use = session({
      secret: 'a secret',
      resave: false,
      saveUninitialized: false,
      cookie: { secure: true },
    });
    const seen: unknown[] = [];
    const running = await startSecure(use, (req) => {
      const own = req.session as unknown as { seat?: number };
      seen.push(own.seat, req.secure, req.protocol);
      own.seat = 7;
      return {};
    });
    const { response } = await knock(running);
    const [cookie = ''] = response.headers['set-cookie'] ?? [];
    expect(cookie).toMatch(/^connect\.sid=[^;]+; Path=\/; HttpOnly; Secure$/);
    await knock(running, { headers: { Cookie: cookie.split(';', 1)[0] ?? '' } });
    expect(seen).toEqual([undefined, true, 'https', 7, true, 'https']);
  });

  it('the fields of helmet are on the 101 and on a refusal, which is whole', async () => {
    const long = 'no, '.repeat(50_000);
    const running = await startSecure(helmet(), (req) =>
      req.get('authorization') === undefined ? reject(401, long) : {},
    );
    const refused = await knock(running);
    expect([refused.response.statusCode, refused.body === long]).toEqual([401, true]);
    const { response } = await knock(running, { headers: { Authorization: 'x' } });
    for (const { headers } of [refused.response, response]) {
      expect(headers['strict-transport-security']).toBe('max-age=31536000; includeSubDomains');
    }
  });

  it('morgan logs a 101 and a refusal once each, and pages beside them', async () => {
    const lines: string[] = [];
    const use = morgan(':url :status', { stream: { write: (line) => lines.push(line.trim()) } });
    const running = await startSecure(use, (req) => req.get('authorization') !== undefined && {});
    running.app.get('/page', use, (_req, res) => void res.end('a page'));
    const { client } = await knock(running, { headers: { Authorization: 'x' } });
    client.send('hello');
    expect(String((await once(client, 'message'))[0])).toBe('hello');
    await knock(running);
    const options = { rejectUnauthorized: false, agent: false };
    const [page] = (await once(get(`https://${running.url}/page`, options), 'response')) as [
      IncomingMessage,
    ];
    page.resume();
    await once(page, 'end');
    await eventually(() => lines.length >= 3);
    expect(lines).toEqual(['/ws 101', '/ws 403', '/page 200']);
  });
});
