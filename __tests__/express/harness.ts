import express, { type Express, type RequestHandler } from 'express';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket as NetSocket } from 'node:net';
import type { App } from '../../lib/express/app';
import { attachWebSocket } from '../../lib/express/attach';
import type { Attachment } from '../../lib/express/attachment';
import type { AttachOptions } from '../../lib/express/options';
import { route, type AnyRoute } from '../../lib/express/route';
import { hex } from '../support/bytes';

export { deferred as gate } from '../support/deferred';

/** The key of RFC 6455 §1.3, and what must come back for it. */
export const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
export const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

/** A masked close frame with 1000. */
export const CLOSE = hex('88 82 00000000 03e8');

/** A route that anybody may open. */
export const plain = route('/ws', () => undefined);

/** Middleware that leaves its name in `X-Mark`. */
export const mark =
  (name: string): RequestHandler =>
  (_req, res, next) => {
    res.append('X-Mark', name);
    next();
  };

type Cleanup = () => unknown;

const cleanups: Cleanup[] = [];

/** Has this done after the test, the last one first. */
export function after(cleanup: Cleanup): void {
  cleanups.push(cleanup);
}

afterEach(async () => {
  jest.restoreAllMocks();
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A server that listens, and what was attached to it. */
export interface Running {
  readonly app: Express;
  readonly server: Server;
  readonly sockets: Attachment;
  readonly port: number;
  /** `host:port`, as a browser puts it into `Host`. */
  readonly host: string;
}

export interface StartOptions extends AttachOptions {
  /** Prepares the app before it is attached. */
  readonly prepare?: (app: Express) => void;
  /** Instead of the Express app. */
  readonly handler?: App;
}

/** Starts a server on a free port; everything is closed after the test. */
export async function start(
  routes: readonly AnyRoute[],
  { prepare, handler, ...options }: StartOptions = {},
): Promise<Running> {
  const app = express();
  prepare?.(app);
  const server = createServer(handler === undefined ? app : (handler as never));
  const sockets = attachWebSocket(handler ?? app, server, routes, options);
  const port = await listen(server);
  after(() => sockets.close({ timeout: 1000 }));
  return { app, server, sockets, port, host: `127.0.0.1:${port}` };
}

/** Has a server listen until the test is over. */
export async function listen(server: Server): Promise<number> {
  const connections = new Set<NetSocket>();
  server.on('connection', (socket) => connections.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  after(async () => {
    const closed = once(server, 'close');
    server.close();
    // Those that were left to nobody are known to nobody else.
    for (const socket of connections) socket.destroy();
    await closed;
  });
  return (server.address() as AddressInfo).port;
}

/** A collected HTTP answer. */
export interface Answer {
  readonly status: number;
  readonly statusText: string;
  /** By lower-case name; what came more than once is in a list. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** A frame from the server; these are never masked. */
export interface Frame {
  readonly first: number;
  readonly payload: Buffer;
}

/** A client that is nothing but a TCP connection. */
export class Client {
  readonly socket: NetSocket;
  /** The server's FIN or reset has come. */
  readonly ended: Promise<void>;
  /** Why the connection broke, if it did. */
  error: NodeJS.ErrnoException | undefined = undefined;
  #received = Buffer.alloc(0);
  #hasEnded = false;
  #wake: () => void = () => undefined;

  constructor(port: number, options: { readonly allowHalfOpen?: boolean } = {}) {
    this.socket = connect({ port, host: '127.0.0.1', ...options });
    this.socket.on('data', (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    this.ended = new Promise((resolve) => {
      const end = (): void => {
        this.#hasEnded = true;
        this.#wake();
        resolve();
      };
      this.socket.on('end', end).on('close', end);
    });
    this.socket.on('error', (error) => {
      this.error = error;
    });
    after(() => this.socket.destroy());
  }

  /** Everything that came and was not taken yet. */
  get received(): Buffer {
    return this.#received;
  }

  write(bytes: string | Buffer): this {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
    return this;
  }

  /** Sends a FIN. */
  fin(): this {
    this.socket.end();
    return this;
  }

  /** Sends a reset. */
  reset(): this {
    this.socket.resetAndDestroy();
    return this;
  }

  /** The head of the next answer. */
  async head(): Promise<Answer> {
    const end = await this.#until(() => {
      const at = this.#received.indexOf('\r\n\r\n');
      return at < 0 ? undefined : at;
    });
    const answer = parseHead(this.take(end + 4).toString('latin1'));
    return answer;
  }

  /** The next answer with its body, by `Content-Length`, chunks or the end of the connection. */
  async answer(): Promise<Answer> {
    const head = await this.head();
    const length = head.headers['content-length'];
    if (head.headers['transfer-encoding'] === 'chunked') {
      const end = await this.#until(() => {
        const at = this.#received.indexOf('0\r\n\r\n');
        return at < 0 ? undefined : at + 5;
      });
      return { ...head, body: unchunk(this.take(end).toString('latin1')) };
    }
    if (length === undefined) {
      await this.ended;
      return { ...head, body: this.take(this.#received.length).toString() };
    }
    const size = Number(length);
    await this.#until(() => (this.#received.length >= size ? size : undefined));
    return { ...head, body: this.take(size).toString() };
  }

  /** An answer that is the last one: the connection ends behind it, and nothing else comes. */
  async lastAnswer(): Promise<Answer> {
    const answer = await this.answer();
    await this.ended;
    expect(this.#received.toString('latin1')).toBe('');
    return answer;
  }

  /** The next frame. */
  async frame(): Promise<Frame> {
    const size = await this.#until(() => {
      if (this.#received.length < 2) return undefined;
      const short = this.#received[1]!;
      if (short < 126) return this.#received.length >= 2 + short ? 2 + short : undefined;
      if (short !== 126 || this.#received.length < 4) return undefined;
      const long = 4 + this.#received.readUInt16BE(2);
      return this.#received.length >= long ? long : undefined;
    });
    const bytes = this.take(size);
    return { first: bytes[0]!, payload: bytes.subarray(bytes[1]! < 126 ? 2 : 4) };
  }

  /** The code of a close frame that comes next. */
  async closeCode(): Promise<number> {
    const { first, payload } = await this.frame();
    expect(first).toBe(0x88);
    return payload.readUInt16BE(0);
  }

  /** Takes what has come, without waiting. */
  take(size: number): Buffer {
    const taken = this.#received.subarray(0, size);
    this.#received = this.#received.subarray(size);
    return taken;
  }

  async #until(ready: () => number | undefined): Promise<number> {
    for (;;) {
      const result = ready();
      if (result !== undefined) return result;
      if (this.#hasEnded) {
        const rest = this.#received.toString('latin1').slice(0, 200);
        throw new Error(`the connection ended; received: ${JSON.stringify(rest)}`, {
          cause: this.error,
        });
      }
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

export interface Request {
  readonly path?: string;
  readonly method?: string;
  readonly version?: string;
  /** In place of the usual fields or besides them; `undefined` leaves one out. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** An opening handshake as text (RFC 6455 §1.3). */
export function handshake(request: Request = {}): string {
  const { path = '/ws', method = 'GET', version = '1.1', headers = {} } = request;
  const all: Record<string, string | readonly string[] | undefined> = {
    Host: 'localhost',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': KEY,
    ...headers,
  };
  const lines = Object.entries(all).flatMap(([name, value = []]) =>
    (typeof value === 'string' ? [value] : value).map((each) => `${name}: ${each}\r\n`),
  );
  return `${method} ${path} HTTP/${version}\r\n${lines.join('')}\r\n`;
}

/** Connects and sends an opening handshake. */
export function knock({ port }: { readonly port: number }, request: Request = {}): Client {
  return new Client(port).write(handshake(request));
}

/** Connects, sends an opening handshake and expects 101. */
export async function open(
  running: { readonly port: number },
  request: Request = {},
): Promise<Client & { readonly upgraded: Answer }> {
  const client = knock(running, request);
  const upgraded = await client.head();
  expect(upgraded.status).toBe(101);
  expect(upgraded.headers['sec-websocket-accept']).toBe(ACCEPT);
  return Object.assign(client, { upgraded });
}

/** Connects, sends an opening handshake and returns the last answer. */
export async function refused(
  running: { readonly port: number },
  request: Request = {},
): Promise<Answer> {
  return knock(running, request).lastAnswer();
}

/** What is thrown, to look at its class, code and message. */
export function thrownBy(call: () => unknown): Error & { code?: string } {
  try {
    call();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

/** Lines that go to stderr meanwhile; nothing is printed. */
export function catchStderr(): string[] {
  const lines: string[] = [];
  jest.spyOn(process.stderr, 'write').mockImplementation((text) => {
    lines.push(String(text));
    return true;
  });
  return lines;
}

/** Resolves when the condition holds; looks every few milliseconds, and gives up at last. */
export async function eventually(condition: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + 4000;
  while (!condition()) {
    if (performance.now() > giveUpAt) throw new Error(`never: ${String(condition)}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function parseHead(text: string): Answer {
  const [first = '', ...lines] = text.trimEnd().split('\r\n');
  const [, status, statusText = ''] = /^HTTP\/1\.1 (\d{3}) (.*)$/.exec(first) ?? [];
  const headers: Record<string, string | string[]> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const earlier = headers[name];
    headers[name] = earlier === undefined ? value : [earlier, value].flat();
  }
  return { status: Number(status), statusText, headers, body: '' };
}

function unchunk(text: string): string {
  let body = '';
  for (let at = 0; ;) {
    const line = text.indexOf('\r\n', at);
    const size = parseInt(text.slice(at, line), 16);
    if (size === 0) return body;
    body += text.slice(line + 2, line + 2 + size);
    at = line + 2 + size + 2;
  }
}
