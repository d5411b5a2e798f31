import { once } from 'node:events';
import type { Server } from 'node:http';
import type { WebSocket as WsClient } from 'ws';
import { nextMessage } from '../scenarios/support/client';
import { handshake, Peer } from '../scenarios/support/peer';
import { afterTest, listen, until } from '../scenarios/support/server';

/** What every recipe builds. */
interface Built {
  readonly server: Server;
  readonly sockets: {
    readonly clients: { readonly size: number };
    close(options: { readonly timeout: number }): Promise<void>;
  };
}

/** A recipe that listens, on a free port. */
export interface Site {
  readonly port: number;
  readonly http: string;
  readonly ws: string;
  /** Everything that the process has said. */
  readonly heard: () => string;
  /** Resolves when this many sockets are open. */
  readonly hasOpen: (count: number) => Promise<void>;
}

export async function run({ server, sockets }: Built): Promise<Site> {
  const heard = listenToTheProcess();
  const port = await listen(server);
  afterTest(() => sockets.close({ timeout: 1000 }));
  return {
    port,
    http: `http://127.0.0.1:${port}`,
    ws: `ws://127.0.0.1:${port}/chat`,
    heard,
    hasOpen: (count) => until(() => sockets.clients.size === count),
  };
}

/** Output of any kind, collected instead of printed. */
function listenToTheProcess(): () => string {
  const said: string[] = [];
  const note = (...parts: unknown[]): boolean => {
    said.push(parts.map(String).join(' '));
    return true;
  };
  const spies = [
    jest.spyOn(process.stdout, 'write').mockImplementation(note),
    jest.spyOn(process.stderr, 'write').mockImplementation(note),
    ...(['log', 'info', 'warn', 'error'] as const).map((level) =>
      jest.spyOn(console, level).mockImplementation(note),
    ),
  ];
  afterTest(() => spies.forEach((spy) => spy.mockRestore()));
  return () => said.join('\n');
}

/** Says something, and hears what comes back. */
export async function ask(client: WsClient, text: string): Promise<string | Buffer> {
  const answer = nextMessage(client);
  client.send(text);
  return answer;
}

/** How a connection will end: called before it can. */
export async function ending(client: WsClient): Promise<string> {
  const [code, reason] = (await once(client, 'close')) as [number, Buffer];
  return `${code} ${reason.toString()}`;
}

/** Says something that must not be answered; how the connection ends. */
export async function sayInVain(client: WsClient, text: string): Promise<string> {
  const heard = jest.fn();
  client.on('message', heard);
  const ended = ending(client);
  client.send(text);
  const end = await ended;
  expect(heard).not.toHaveBeenCalled();
  return end;
}

/** All that a server answers to a handshake that it refuses. */
export async function refusal(
  { port }: Site,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ status: number; head: string; body: string }> {
  const peer = await Peer.connect(port);
  peer.write(handshake(path, headers));
  return peer.readAnswer();
}

/** Lets the wall clock stand still, to be set by hand; timers go on. */
export function wallClock(): { advance: (ms: number) => void } {
  let now = Date.now();
  const spy = jest.spyOn(Date, 'now').mockImplementation(() => now);
  afterTest(() => spy.mockRestore());
  return { advance: (ms) => void (now += ms) };
}

/** The headers of a key, or of a token. */
export function bearer(secret: string): { authorization: string } {
  return { authorization: `Bearer ${secret}` };
}

/** The `Cookie` that a browser would send after this answer. */
export function cookieOf(response: Response): string {
  return response.headers
    .getSetCookie()
    .map((each) => each.split(';', 1)[0])
    .join('; ');
}
