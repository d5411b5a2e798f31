import { once } from 'node:events';
import { duplexPair, type Duplex } from 'node:stream';
import { Rooms } from '../../lib/rooms/rooms';
import type { SocketSettings } from '../../lib/socket/settings';
import { Socket, startSocket } from '../../lib/socket/socket';

/** A frame as a server sends it. */
export interface ServerFrame {
  readonly first: number;
  readonly payload: Buffer;
}

/** One open socket with real rooms, the bare peer, and what was told of them. */
export interface Wire {
  readonly socket: Socket;
  /** The peer's end of the connection. */
  readonly peer: Duplex;
  readonly reported: unknown[];
  readonly released: Socket[];
  readonly rooms: Rooms;
  /** Sends bytes as the peer. */
  send(...chunks: readonly Buffer[]): void;
  /** The next frame from the socket. */
  frame(): Promise<ServerFrame>;
  /** The next frame, which must be a close frame with this code. */
  expectClose(code: number): Promise<string>;
}

export interface WireOptions extends Partial<SocketSettings> {
  readonly open?: (socket: Socket) => unknown;
  readonly head?: Buffer;
  readonly transport?: readonly [ours: Duplex, theirs: Duplex];
}

/** Settings with the defaults of the attach options. */
export function settingsWith(overrides: Partial<SocketSettings> = {}): SocketSettings {
  const codec = overrides.codec ?? { decode: undefined, encode: undefined };
  return {
    maxPayload: 1_048_576,
    maxFragments: 65_536,
    highWaterMark: 65_536,
    maxBackpressure: 1_048_576,
    onBackpressure: 'close',
    closeTimeout: 10_000,
    pingInterval: 25_000,
    pingTimeout: 20_000,
    idleTimeout: Infinity,
    messageRate: undefined,
    hooks: {},
    codec,
    rooms: new Rooms({ maxRooms: 128, maxRoomNameLength: 255 }, codec),
    report: () => undefined,
    release: () => undefined,
    ...overrides,
  };
}

const wires: Wire[] = [];

afterEach(() => {
  for (const { socket, peer } of wires.splice(0)) {
    peer.destroy();
    socket.terminate();
  }
});

/** Opens a socket on one end of a pair in memory; the test is the peer on the other. */
export function openWire(options: WireOptions = {}): Wire {
  const { open, head = Buffer.alloc(0), transport, ...overrides } = options;
  const [ours, theirs] = transport ?? duplexPair();
  const reported: unknown[] = [];
  const released: Socket[] = [];
  const rooms = new Rooms(
    { maxRooms: 128, maxRoomNameLength: 255 },
    overrides.codec ?? { decode: undefined, encode: undefined },
  );
  const settings = settingsWith({
    rooms,
    report: (error) => reported.push(error),
    release: (socket) => {
      rooms.release(socket);
      released.push(socket);
    },
    ...overrides,
  });
  const reader = new FrameReader(theirs);
  const identity = { params: {}, context: undefined, protocol: '', url: '/' };
  const socket = new Socket(ours, settings, identity);
  const wire: Wire = {
    socket,
    peer: theirs,
    reported,
    released,
    rooms,
    send: (...chunks) => theirs.write(Buffer.concat(chunks)),
    frame: () => reader.next(),
    async expectClose(code) {
      const { first, payload } = await reader.next();
      expect([first, payload.length >= 2 ? payload.readUInt16BE() : undefined]).toEqual([
        0x88,
        code,
      ]);
      return payload.subarray(2).toString();
    },
  };
  wires.push(wire);
  startSocket(socket, () => open?.(socket), head);
  return wire;
}

/** Lets everything run that is ready to run, some turns of the event loop long. */
export async function turns(count = 6): Promise<void> {
  for (let at = 0; at < count; at++) await new Promise((resolve) => setImmediate(resolve));
}

/** Waits for the 'close' of a socket. */
export async function closed(socket: Socket): Promise<[code: number, reason: string]> {
  return (await once(socket, 'close')) as [number, string];
}

/** Takes unmasked frames apart, written from RFC 6455 §5.2. */
class FrameReader {
  #bytes = Buffer.alloc(0);
  #waiting: ((frame: ServerFrame) => void)[] = [];
  readonly #frames: ServerFrame[] = [];

  constructor(stream: Duplex) {
    stream.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      while (this.#take());
    });
    stream.on('error', () => undefined);
  }

  next(): Promise<ServerFrame> {
    const frame = this.#frames.shift();
    if (frame !== undefined) return Promise.resolve(frame);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #take(): boolean {
    const bytes = this.#bytes;
    if (bytes.length < 2) return false;
    const short = bytes[1]!;
    const start = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (bytes.length < start) return false;
    const length =
      start === 2 ? short : start === 4 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
    if (bytes.length < start + length) return false;
    this.#bytes = bytes.subarray(start + length);
    const frame = { first: bytes[0]!, payload: bytes.subarray(start, start + length) };
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#frames.push(frame);
    else waiting(frame);
    return true;
  }
}
