import { Buffer } from 'node:buffer';
import type { Socket as NetSocket } from 'node:net';
import { route, type AttachOptions, type Route, type Socket } from '../../../lib';
import { handshake, Peer } from '../../scenarios/support/peer';
import { echo, serve, type Running } from '../../scenarios/support/server';

/** On a slow machine too, a test ends because of an answer, not of the time. */
const PATIENCE = process.env.TEST_FULL === '1' ? 900_000 : 120_000;

jest.setTimeout(PATIENCE);

/** A server under test, whose ends of its connections can be looked at. */
export interface Target extends Running {
  readonly path: string;
  /** The server's end of a client's connection, by the client's port. */
  readonly ends: ReadonlyMap<number, NetSocket>;
}

/** Serves routes; `path` is where a {@link Link} knocks. */
export async function target(
  routes: readonly Route[],
  path: string,
  options: AttachOptions = {},
): Promise<Target> {
  const running = await serve(routes, options);
  const ends = new Map<number, NetSocket>();
  running.server.on('connection', (socket: NetSocket) => ends.set(socket.remotePort!, socket));
  return { ...running, path, ends };
}

/** An echo, as the catalogue asks for, that takes messages of up to 64 MiB. */
export function echoTarget(options: AttachOptions = {}): Promise<Target> {
  const limits = { maxPayload: 2 ** 26, maxBackpressure: 2 ** 27 };
  return target([echo], '/echo', { ...limits, ...options });
}

/** What a route does with a socket that has opened. */
export type Open = (socket: Socket) => void | Promise<void>;

/** A server whose route does this with each of its sockets. */
export function targetOf(open: Open): Promise<Target> {
  return target([route('/r', (socket) => open(socket))], '/r');
}

/** Extra fields of a handshake. */
export type Fields = Readonly<Record<string, string | undefined>>;

/** A connection of bytes to a target, which knows when the server has read what it was sent. */
export class Link {
  readonly peer: Peer;
  /** The head of the 101, once there is one. */
  head = '';
  readonly #server: Target;
  #sent = 0;

  private constructor(server: Target, peer: Peer) {
    this.#server = server;
    this.peer = peer;
  }

  /** A connection without a handshake. */
  static async connect(server: Target): Promise<Link> {
    return new Link(server, await Peer.connect(server.port));
  }

  /** Opens a WebSocket; `glued` comes in the same write as the handshake. */
  static async open(server: Target, glued?: Buffer, fields: Fields = {}): Promise<Link> {
    const link = await Link.connect(server);
    const request = Buffer.from(handshake(server.path, fields));
    link.#write(glued === undefined ? request : Buffer.concat([request, glued]));
    link.head = await link.peer.readHead();
    expect(link.head).toMatch(/^HTTP\/1\.1 101 /);
    return link;
  }

  /** The server's end of the connection; `undefined` before it was accepted. */
  get end(): NetSocket | undefined {
    return this.#server.ends.get(this.peer.socket.localPort ?? 0);
  }

  /**
   * Sends bytes as a packet of its own: when this resolves the server has read them, or the
   * connection is over.
   */
  async send(bytes: Buffer): Promise<void> {
    if (!this.peer.socket.writable) return;
    this.#write(bytes);
    while (!this.#isRead()) await new Promise(setImmediate);
  }

  #write(bytes: Buffer): void {
    this.#sent += bytes.length;
    this.peer.write(bytes);
  }

  #isRead(): boolean {
    const { end } = this;
    if (!this.peer.socket.writable || end?.destroyed === true) return true;
    return end !== undefined && end.bytesRead >= this.#sent;
  }
}
