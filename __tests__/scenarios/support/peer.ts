import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterTest } from './server';

/** RFC 6455 §1.3: the key of the example, and what has to come back. */
export const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
export const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

/** A frame from the server. */
export interface ServerFrame {
  readonly first: number;
  readonly payload: Buffer;
}

/** The lines of an opening handshake; `undefined` leaves a header out. */
export function handshake(
  path: string,
  headers: Readonly<Record<string, string | undefined>> = {},
): string {
  const all: Record<string, string | undefined> = {
    Host: 'server.example.com',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': KEY,
    'Sec-WebSocket-Version': '13',
    ...headers,
  };
  const lines = Object.entries(all).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}`],
  );
  return `GET ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
}

/** A client of bytes: knows TCP, and where a frame ends, and nothing else. */
export class Peer {
  readonly socket: Socket;
  /** Resolves when the connection is gone, however it went. */
  readonly closed: Promise<void>;
  #received: Buffer = Buffer.alloc(0);
  #waiting: (() => void)[] = [];
  #isEnded = false;

  constructor(socket: Socket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    const end = (): void => {
      this.#isEnded = true;
      this.#wake();
    };
    socket.on('end', end).on('close', end);
    afterTest(() => socket.destroy());
  }

  static async connect(port: number): Promise<Peer> {
    const socket = connect(port, '127.0.0.1').setNoDelay(true);
    const peer = new Peer(socket);
    await once(socket, 'connect');
    return peer;
  }

  /** Connects and opens a WebSocket. */
  static async open(port: number, path: string, glued: Buffer = Buffer.alloc(0)): Promise<Peer> {
    const peer = await Peer.connect(port);
    peer.write(handshake(path), glued);
    const head = await peer.readHead();
    expect(head).toMatch(/^HTTP\/1\.1 101 /);
    return peer;
  }

  /** In one write, so in one packet where it fits. */
  write(...parts: readonly (string | Buffer)[]): void {
    this.socket.write(Buffer.concat(parts.map((part) => Buffer.from(part as string))));
  }

  /** The head of an HTTP answer, up to the empty line. */
  async readHead(): Promise<string> {
    const at = await this.#until(() => {
      const index = this.#received.indexOf('\r\n\r\n');
      return index < 0 ? undefined : index + 4;
    });
    return this.#take(at).toString('latin1');
  }

  /** The status of an HTTP answer, and its text. */
  async readAnswer(): Promise<{ status: number; head: string; body: string }> {
    const head = await this.readHead();
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    const body = await this.read(length);
    return { status: Number(head.split(' ')[1]), head, body: body.toString() };
  }

  async read(length: number): Promise<Buffer> {
    await this.#until(() => (this.#received.length >= length ? length : undefined));
    return this.#take(length);
  }

  async readFrame(): Promise<ServerFrame> {
    const [first, second] = (await this.read(2)) as unknown as [number, number];
    let length = second & 0x7f;
    // §5.1: a server does not mask.
    expect(second & 0x80).toBe(0);
    if (length === 126) length = (await this.read(2)).readUInt16BE();
    else if (length === 127) length = Number((await this.read(8)).readBigUInt64BE());
    return { first, payload: await this.read(length) };
  }

  /** The next frame is a close frame with this code. */
  async expectClose(code: number): Promise<string> {
    const { first, payload } = await this.readFrame();
    expect([first, payload.length >= 2 ? payload.readUInt16BE() : undefined]).toEqual([0x88, code]);
    return payload.subarray(2).toString();
  }

  /** Everything that still comes, until the server ends. */
  async readToEnd(): Promise<Buffer> {
    while (!this.#isEnded) await this.#more();
    return this.#take(this.#received.length);
  }

  /** A reset instead of a FIN. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  async #until(find: () => number | undefined): Promise<number> {
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      if (this.#isEnded) {
        throw new Error(
          `the server ended; left: ${this.#received.subarray(0, 200).toString('hex')}`,
        );
      }
      await this.#more();
    }
  }

  #more(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    for (const resume of this.#waiting.splice(0)) resume();
  }

  #take(length: number): Buffer {
    const taken = this.#received.subarray(0, length);
    this.#received = this.#received.subarray(length);
    return taken;
  }
}
