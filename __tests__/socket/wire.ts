import { Buffer } from 'node:buffer';
import { createServer, connect, type AddressInfo, type Socket as NetSocket } from 'node:net';
import { duplexPair, type Duplex } from 'node:stream';
import { setImmediate as immediate } from 'node:timers/promises';
import {
  negotiateDeflate,
  type DeflateOptions,
  type DeflateTerms,
} from '../../lib/protocol/deflate';
import { parseExtensions } from '../../lib/protocol/header';
import { Opcode } from '../../lib/protocol/opcode';
import { clock } from '../../lib/socket/clock';
import { Observer } from '../../lib/socket/observer';
import type { RoomDirectory } from '../../lib/socket/room-directory';
import type { SocketHooks, SocketSettings } from '../../lib/socket/settings';
import { SharedMessage } from '../../lib/socket/shared-message';
import { Socket, startSocket } from '../../lib/socket/socket';
import { clientFrame, hex } from '../support/bytes';
import { deferred as plainDeferred, type Deferred } from '../support/deferred';

export type { Deferred };

/*
 * One open socket on a pair of streams: the library at one end, bare bytes at the other. What the
 * server sends is parsed from RFC 6455 §5.2 here, apart from the library.
 */

/** A frame as the peer sees it. */
export interface Seen {
  readonly first: number;
  readonly payload: Buffer;
}

const TEXT = 0x81;
const BINARY = 0x82;
const CLOSE = 0x88;
const PING = 0x89;
const PONG = 0x8a;

/** Lets everything that waits for a turn of the event loop run; no clock is involved. */
export async function turns(count = 6): Promise<void> {
  for (let i = 0; i < count; i++) await immediate();
}

/** The time that goes on, also while {@link stopTime} has stopped that of the code under test. */
const realNow = performance.now.bind(performance);

/** Before jest gives the test up: a loop that went on after that would keep the process. */
const PATIENCE_MS = 4000;

/** Turns until something is so: other threads may have to do with it. */
export async function until(isSo: () => boolean, what = isSo.toString()): Promise<void> {
  for (const end = realNow() + PATIENCE_MS; realNow() < end;) {
    if (isSo()) return;
    await immediate();
  }
  throw new Error(`never came: ${what}`);
}

/** What user code waits for is over with the test, or closes would wait for it. */
const unsettled: (() => void)[] = [];

/** A promise and what settles it; settled at the latest when the test is over. */
export function deferred<T = void>(): Deferred<T> {
  const made = plainDeferred<T>();
  unsettled.push(() => made.resolve(undefined as T));
  return made;
}

/** The other end: reads at once, unless it is told not to. */
export class Peer {
  readonly frames: Seen[] = [];
  readonly stream: Duplex;
  /** The server has sent its FIN. */
  hasEnded = false;
  bytes = 0;
  #rest: Buffer = Buffer.alloc(0);

  constructor(stream: Duplex) {
    this.stream = stream;
    stream.on('data', (chunk: Buffer) => this.#take(chunk));
    stream.on('end', () => {
      this.hasEnded = true;
    });
    stream.on('error', () => {});
  }

  /** What came of one kind. */
  of(first: number): Seen[] {
    return this.frames.filter((frame) => frame.first === first);
  }

  get texts(): string[] {
    return this.of(TEXT).map(({ payload }) => payload.toString());
  }

  get pongs(): string[] {
    return this.of(PONG).map(({ payload }) => payload.toString());
  }

  /** Codes and reasons of the close frames that came; there should be one at most. */
  get closes(): string[] {
    return this.of(CLOSE).map(({ payload }) =>
      payload.length === 0
        ? 'none'
        : `${payload.readUInt16BE(0)} ${payload.subarray(2).toString()}`.trim(),
    );
  }

  write(...frames: readonly Buffer[]): void {
    this.stream.write(Buffer.concat(frames));
  }

  say(...texts: readonly string[]): void {
    this.write(...texts.map((payload) => clientFrame({ first: TEXT, payload })));
  }

  ping(payload = ''): void {
    this.write(clientFrame({ first: PING, payload }));
  }

  pong(payload = ''): void {
    this.write(clientFrame({ first: PONG, payload }));
  }

  close(code = 1000, reason = ''): void {
    this.write(closeFrame(code, reason));
  }

  /** Reads no further. */
  pause(): void {
    this.stream.pause();
  }

  resume(): void {
    this.stream.resume();
  }

  #take(chunk: Buffer): void {
    this.bytes += chunk.length;
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (let size = wholeFrame(this.#rest); size > 0; size = wholeFrame(this.#rest)) {
      const start = headerSize(this.#rest);
      const payload = Buffer.from(this.#rest.subarray(start, size));
      this.frames.push({ first: this.#rest[0]!, payload });
      this.#rest = this.#rest.subarray(size);
    }
  }
}

/** Of an unmasked frame, as a server has to send it (RFC 6455 §5.1). */
function headerSize(bytes: Buffer): number {
  const short = bytes[1]!;
  if ((short & 0x80) !== 0) throw new Error('a server must not mask');
  if (short < 126) return 2;
  return short === 126 ? 4 : 10;
}

/** The size of the frame at the front, 0 while it is not there whole. */
function wholeFrame(bytes: Buffer): number {
  if (bytes.length < 2) return 0;
  const start = headerSize(bytes);
  if (bytes.length < start) return 0;
  let length = bytes[1]!;
  if (start === 4) length = bytes.readUInt16BE(2);
  if (start === 10) length = Number(bytes.readBigUInt64BE(2));
  return bytes.length < start + length ? 0 : start + length;
}

export function closeFrame(code: number, reason = ''): Buffer {
  const payload = Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)]);
  return clientFrame({ first: CLOSE, payload });
}

export const frame = {
  text: (payload: string): Buffer => clientFrame({ first: TEXT, payload, key: '37fa213d' }),
  binary: (payload: Buffer): Buffer => clientFrame({ first: BINARY, payload, key: '37fa213d' }),
  ping: (payload = ''): Buffer => clientFrame({ first: PING, payload }),
  pong: (payload = ''): Buffer => clientFrame({ first: PONG, payload }),
  close: closeFrame,
  /** A reserved opcode: 1002. */
  bad: (): Buffer => hex('83 80 00000000'),
};

/** Compression as it is by default, but for the threshold, and with context. */
const COMPRESSION: DeflateOptions = {
  threshold: 0,
  level: -1,
  windowBits: 15,
  memLevel: 8,
  contextTakeover: true,
};

/** What {@link makeWire} needs of a client that offers compression. */
export function compressed(
  options: Partial<DeflateOptions> = {},
  offer = 'permessage-deflate; client_max_window_bits',
): {
  readonly settings: Pick<SocketSettings, 'perMessageDeflate'>;
  readonly deflate: DeflateTerms;
} {
  const perMessageDeflate = { ...COMPRESSION, ...options };
  const deflate = negotiateDeflate(parseExtensions(offer) ?? [], perMessageDeflate);
  if (deflate === undefined) throw new Error(`declined: ${offer}`);
  return { settings: { perMessageDeflate }, deflate };
}

/** A text to be sent to many. */
export function textForAll(payload: string): SharedMessage {
  return new SharedMessage({ opcode: Opcode.Text, payload });
}

/** Rooms that only note what they are asked; the floor above has the real ones. */
export class NotedRooms implements RoomDirectory {
  readonly calls: string[] = [];
  join(_socket: Socket, room: string): void {
    this.calls.push(`join ${room}`);
  }
  leave(_socket: Socket, room: string): void {
    this.calls.push(`leave ${room}`);
  }
  roomsOf(): ReadonlySet<string> {
    return new Set(['noted']);
  }
  to(room: string): ReturnType<RoomDirectory['to']> {
    const audience = {
      except: () => audience,
      send: (data: unknown) => this.calls.push(`to ${room}: ${String(data)}`),
    };
    return audience;
  }
}

export interface WireOptions {
  readonly settings?: Partial<SocketSettings>;
  readonly hooks?: SocketHooks;
  /** Called as the route's `open`. */
  readonly open?: (socket: Socket) => unknown;
  readonly head?: Buffer;
  /** What was agreed on about compression; nothing by default. */
  readonly deflate?: DeflateTerms | undefined;
  /** Both ends; by default a pair in memory. */
  readonly pair?: readonly [Duplex, Duplex];
  /** `false` leaves `startSocket` to the test. */
  readonly start?: boolean;
}

/** One socket, its peer, and what was heard of it. */
export interface Wire {
  readonly socket: Socket;
  readonly transport: Duplex;
  readonly peer: Peer;
  readonly settings: SocketSettings;
  /** What went to `report`. */
  readonly reports: unknown[];
  /** `code reason` of each close that was told, by hook or event. */
  readonly closes: string[];
  /** Sockets that were let go of, once each. */
  readonly released: Socket[];
}

/** The defaults of design §4. */
export function defaultSettings(): SocketSettings {
  return {
    maxPayload: 1024 * 1024,
    maxFragments: 65_536,
    highWaterMark: 64 * 1024,
    maxBackpressure: 1024 * 1024,
    onBackpressure: 'close',
    closeTimeout: 10_000,
    pingInterval: 25_000,
    pingTimeout: 20_000,
    idleTimeout: Infinity,
    messageRate: undefined,
    perMessageDeflate: undefined,
    hooks: {},
    codec: { decode: undefined, encode: undefined },
    rooms: new NotedRooms(),
    observer: new Observer('/'),
    report: () => {},
    release: () => {},
  };
}

const opened: Duplex[] = [];
const sockets: Socket[] = [];

export function makeWire(options: WireOptions = {}): Wire {
  const [transport, other] = options.pair ?? duplexPair();
  opened.push(transport, other);
  const reports: unknown[] = [];
  const closes: string[] = [];
  const released: Socket[] = [];
  const settings: SocketSettings = {
    ...defaultSettings(),
    hooks: options.hooks ?? {},
    report: (error) => reports.push(error),
    release: (gone) => released.push(gone),
    ...options.settings,
  };
  const socket = new Socket(transport, settings, {
    params: { room: 'blue' },
    context: { user: 7 },
    protocol: 'chat.v2',
    url: '/chat/blue?x=1',
    deflate: options.deflate,
  });
  socket.on('close', (code, reason) => closes.push(`${code} ${reason}`.trim()));
  sockets.push(socket);
  const peer = new Peer(other);
  if (options.start !== false) {
    startSocket(socket, () => options.open?.(socket), options.head ?? Buffer.alloc(0));
  }
  return { socket, transport, peer, settings, reports, closes, released };
}

/** Two ends of one TCP connection on the loopback; the first is the server's. */
export async function netPair(): Promise<[NetSocket, NetSocket]> {
  const server = createServer({ allowHalfOpen: true });
  const accepted = new Promise<NetSocket>((resolve) => server.once('connection', resolve));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const both: [NetSocket, NetSocket] = [await accepted, client];
  server.close();
  return both;
}

/** A pair whose writes wait as soon as the peer does not read. */
export const narrowPair = (): [Duplex, Duplex] => duplexPair({ highWaterMark: 64 });

/** The peer reads no further, with more on its way than a {@link narrowPair} takes. */
export async function stall({ peer, socket }: Wire): Promise<void> {
  peer.pause();
  socket.send('x'.repeat(500));
  socket.send('y'.repeat(500));
  await turns();
}

const REAL = ['setImmediate', 'nextTick', 'queueMicrotask'] as const;
let isTimeFake = false;

/** Time stands still, but for {@link pass}; turns of the event loop go on. */
export function stopTime(): void {
  jest.useFakeTimers({ doNotFake: [...REAL] });
  isTimeFake = true;
}

/** Lets time pass, in steps, so that what it causes can happen. */
export async function pass(ms: number): Promise<void> {
  await turns(2);
  for (let left = ms; left > 0; left -= 500) {
    jest.advanceTimersByTime(Math.min(500, left));
    await turns(2);
  }
}

/** Whatever ended a socket, its alarms must be taken back. */
afterEach(async () => {
  for (const stream of opened.splice(0)) stream.destroy();
  await turns(3);
  for (const socket of sockets.splice(0)) socket.resume();
  while (unsettled.length > 0) {
    for (const settle of unsettled.splice(0)) settle();
    await turns(1);
  }
  if (isTimeFake) {
    await pass(25_000);
    jest.useRealTimers();
    isTimeFake = false;
  }
  expect(clock.size).toBe(0);
});
