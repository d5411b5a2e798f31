import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Duplex, type DuplexOptions } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { route, type Route, type Socket } from '../../lib';
import { clientFrame } from '../support/bytes';
import { checkMessage, makeMessage, streamOf, type Mix } from './support/checked-data';
import { handshake } from './support/peer';
import { afterTest, deferred, serve, stopAll, type Running } from './support/server';

/*
 * All small frames of all sockets are encoded into one piece of memory. Here three kinds of readers
 * hang on one server, each with an echo of its own and the same fan-out; every message says whose
 * it is (support/checked-data.ts), so one byte that is not this socket's fails the test.
 */

const TOTAL = Number(process.env['ONE_WRITER_BYTES'] ?? 64 * 1024 * 1024);
const TIMEOUT = 20_000 + TOTAL / 2000;

afterEach(stopAll);

const WINDOW = 12;
const MAX_BEHIND = 500_000;

/**
 * How a reader reads: at once; a chunk a millisecond; or not at all, again and again, until the
 * kernel takes no more for it and the server has to keep what the writer gave.
 */
type Pace = 'fast' | 'slow' | 'pausing';
const PACES: readonly Pace[] = ['fast', 'slow', 'pausing', 'fast', 'slow', 'pausing'];

/** How often each pausing reader has to have stopped the server. */
const STALLS = 4;
const BYTES_BETWEEN = 200_000;

type Opener = (running: Running) => Duplex;

/** One reader: keeps some messages on their way, and checks all that comes. */
class Reader {
  readonly faults: string[] = [];
  bytes = 0;
  readonly #id: number;
  readonly #own: number;
  readonly #all: number;
  readonly #transport: Duplex;
  readonly #pace: Pace;
  readonly #world: World;
  #rest: Buffer = Buffer.alloc(0);
  stalls = 0;
  #unstalledAt = 0;
  #isOpen = false;
  #sent = 0;
  #echoed = 0;
  #fanned = -1;

  constructor(id: number, transport: Duplex, pace: Pace, world: World) {
    this.#id = id;
    this.#own = streamOf(world.mix, id);
    this.#all = streamOf(world.mix, 'all');
    this.#transport = transport;
    this.#pace = pace;
    this.#world = world;
    transport.on('error', (error) => this.faults.push(`transport: ${error.message}`));
    transport.on('data', (chunk: Buffer) => this.#onData(chunk));
    transport.write(handshake(`/r/${id}`));
    afterTest(() => transport.destroy());
  }

  /** Nobody is left out, and the pausing ones have stopped the server often enough. */
  get hasEnough(): boolean {
    return this.bytes > BYTES_BETWEEN && (this.#pace !== 'pausing' || this.stalls >= STALLS);
  }

  #onData(chunk: Buffer): void {
    this.#rest = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    if (!this.#isOpen) this.#open();
    while (this.#isOpen && this.#takeFrame());
    this.#keepPace();
    this.#world.onBytes();
  }

  #open(): void {
    const end = this.#rest.indexOf('\r\n\r\n');
    if (end < 0) return;
    this.#isOpen = true;
    this.#rest = this.#rest.subarray(end + 4);
    for (let i = 0; i < WINDOW; i++) this.#send();
  }

  #send(): void {
    const message = makeMessage(this.#own, this.#sent++);
    this.#transport.write(
      clientFrame({
        first: typeof message === 'string' ? 0x81 : 0x82,
        payload: message,
        key: randomBytes(4).toString('hex'),
      }),
    );
  }

  #takeFrame(): boolean {
    const rest = this.#rest;
    if (rest.length < 2) return false;
    const short = rest[1]!;
    const start = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (rest.length < start) return false;
    const length =
      start === 2 ? short : start === 4 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2));
    if (rest.length < start + length) return false;
    // Before the check: what it sends may be answered from inside of the write.
    this.#rest = rest.subarray(start + length);
    this.#check(rest[0]!, rest.subarray(start, start + length));
    return true;
  }

  #check(first: number, payload: Buffer): void {
    this.bytes += payload.length;
    const { stream, number, isIntact } = checkMessage(first === 0x81, payload);
    const isKnown = first === 0x81 || first === 0x82;
    if (!isKnown || !isIntact) this.#fault(`damaged: ${stream}/${number}, ${payload.length} bytes`);
    else if (stream === this.#all) this.#fan(number);
    else if (stream !== this.#own) this.#fault(`message of ${stream}`);
    else if (number !== this.#echoed++) this.#fault(`echo ${number} is out of order`);
    else this.#send();
  }

  #fan(number: number): void {
    // A reader hears from the moment it is in; from then on, everything.
    if (this.#fanned >= 0 && number !== this.#fanned + 1) this.#fault(`fan-out skips to ${number}`);
    this.#fanned = number;
  }

  #fault(what: string): void {
    this.faults.push(`reader ${this.#id} (${this.#pace}): ${what}`);
    this.#transport.destroy();
  }

  #keepPace(): void {
    if (this.#pace === 'slow') {
      this.#transport.pause();
      setTimeout(() => this.#transport.resume(), 1);
    } else if (this.#pace === 'pausing' && this.bytes - this.#unstalledAt > BYTES_BETWEEN) {
      this.#transport.pause();
      this.#unstalledAt = Infinity;
      this.#goOnWhenStalled();
    }
  }

  #goOnWhenStalled(): void {
    if (!this.#transport.destroyed && !this.#world.isStalled(this.#id)) {
      setTimeout(() => this.#goOnWhenStalled(), 5);
      return;
    }
    this.stalls++;
    this.#unstalledAt = this.bytes;
    this.#transport.resume();
  }
}

/** What a reader knows of the others. */
interface World {
  readonly mix: Mix;
  onBytes(): void;
  /** Whether the kernel takes no more for this reader. */
  isStalled(id: number): boolean;
}

/** Echoes, and now and then tells everybody: in bursts, between other sends of the same turn. */
function echoAndFanOut(mix: Mix, members: Map<string, Pick<Socket, 'bufferedAmount'>>): Route {
  let fanned = 0;
  let heard = 0;
  const isBehind = (): boolean =>
    [...members.values()].some(({ bufferedAmount }) => bufferedAmount > MAX_BEHIND);
  return route(
    '/r/:id',
    { maxBackpressure: Infinity },
    {
      open(socket) {
        members.set(socket.params.id, socket);
        socket.join('all');
      },
      message(socket, data) {
        // Counted here: a turn hears whole windows, so after it this may be 0 every time.
        const burst = ++heard % 4;
        const fanOut = (): void => {
          if (isBehind()) return;
          const room = socket.to('all');
          for (let i = 0; i < burst; i++) room.send(makeMessage(streamOf(mix, 'all'), fanned++));
        };
        // Between other sends of the turn; or in a turn of its own, where it is all that is written.
        if (mix === 'mixed') fanOut();
        else setImmediate(fanOut);
        socket.send(data);
      },
    },
  );
}

interface Terms {
  readonly open: Opener;
  readonly bytes: number;
  readonly mix?: Mix;
  readonly server?: Server;
}

async function run({ open, bytes, mix = 'mixed', server }: Terms): Promise<number> {
  const members = new Map<string, Pick<Socket, 'bufferedAmount'>>();
  const running = await serve([echoAndFanOut(mix, members)], {}, server);
  const done = deferred();
  const sum = (): number => readers.reduce((total, reader) => total + reader.bytes, 0);
  const readers: Reader[] = [];
  const world: World = {
    mix,
    onBytes() {
      const isEnough = sum() >= bytes && readers.every((reader) => reader.hasEnough);
      if (isEnough || readers.some((reader) => reader.faults.length > 0)) done.resolve();
    },
    isStalled: (id) => (members.get(String(id))?.bufferedAmount ?? 0) > MAX_BEHIND / 2,
  };
  for (const [id, pace] of PACES.entries())
    readers.push(new Reader(id, open(running), pace, world));
  await done.promise;
  expect(readers.flatMap((reader) => reader.faults)).toEqual([]);
  return sum();
}

const openTcp: Opener = ({ port }) => connect(port, '127.0.0.1').setNoDelay(true);

const tls = (file: string): Buffer => readFileSync(join(__dirname, 'support/tls', file));

const report = (what: string, bytes: number): void => {
  process.stdout.write(`one-writer: ${what}, ${(bytes / 1_048_576).toFixed(0)} MiB checked\n`);
};

describe('no socket gets a byte of another', () => {
  it(
    'over plain TCP',
    async () => {
      report('TCP', await run({ open: openTcp, bytes: TOTAL / 2 }));
    },
    TIMEOUT,
  );

  it(
    'over TLS',
    async () => {
      const open: Opener = ({ port }) =>
        connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
      const server = createTlsServer({ key: tls('key.pem'), cert: tls('cert.pem') });
      report('TLS', await run({ open, bytes: TOTAL / 2, server }));
    },
    TIMEOUT,
  );

  it(
    'when all of it is small, and looks alike',
    async () => {
      report('small', await run({ open: openTcp, bytes: TOTAL / 16, mix: 'small' }));
    },
    TIMEOUT,
  );

  it('over streams in memory, which answer a write before it returns', async () => {
    const small = 'o'.repeat(1000);
    const running = await serve([
      route('/r', {
        open: (socket) => socket.join('all'),
        message(socket, data) {
          if (data === 'late') {
            // Long enough for the writer to think that its turn is late.
            const until = performance.now() + 3;
            while (performance.now() < until);
          } else {
            // Enough to write all over the memory that was free again, if it was.
            for (let i = 0; i < 80; i++) socket.send(small);
          }
        },
      }),
    ]);
    const [first, second, third, fourth] = [1, 2, 3, 4].map(() => openInMemory(running)) as [
      InMemory,
      InMemory,
      InMemory,
      InMemory,
    ];
    await Promise.all([first, second, third, fourth].map(({ opened }) => opened));
    // What is above 64 KiB is written early, so the first one gets it in the midst of the fan-out.
    first.onBytes = () => {
      first.onBytes = () => undefined;
      third.transport.write(clientFrame({ first: 0x81, payload: 'late' }));
      fourth.transport.write(clientFrame({ first: 0x81, payload: 'overwrite' }));
    };
    const [socket] = running.sockets.clients;
    for (let i = 0; i < 64; i++) socket?.send(small);
    running.sockets.to('all').send('s'.repeat(7000));
    const { payload } = await second.frame(7000 + 4);
    expect(payload.toString('latin1').replaceAll('s', '')).toBe('');
  });
});

interface InMemory {
  readonly transport: MemoryEnd;
  readonly opened: Promise<void>;
  onBytes: () => void;
  frame(size: number): Promise<{ payload: Buffer }>;
}

/** A client in this process, on `/r`. */
function openInMemory({ server }: Running): InMemory {
  const [transport, theirs] = memoryPair();
  const opened = deferred();
  let received = Buffer.alloc(0);
  let isOpen = false;
  let onMore = (): void => undefined;
  const client: InMemory = {
    transport,
    opened: opened.promise,
    onBytes: () => undefined,
    async frame(size) {
      while (received.length < size) await new Promise<void>((resolve) => (onMore = resolve));
      return { payload: received.subarray(4, size) };
    },
  };
  transport.on('data', (chunk: Buffer) => {
    if (!isOpen) {
      isOpen = chunk.includes('\r\n\r\n');
      if (isOpen) opened.resolve();
      return;
    }
    received = Buffer.concat([received, chunk]);
    client.onBytes();
    onMore();
  });
  server.emit('connection', theirs);
  transport.write(handshake('/r'));
  afterTest(() => transport.destroy());
  return client;
}

/** As `stream.duplexPair()`, which Node 20 has from 20.17 on only. */
class MemoryEnd extends Duplex {
  peer: MemoryEnd | undefined = undefined;
  #onRead: (() => void) | undefined = undefined;

  constructor(options: DuplexOptions = {}) {
    super({ ...options, autoDestroy: true });
  }

  override _read(): void {
    const onRead = this.#onRead;
    this.#onRead = undefined;
    onRead?.();
  }

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    const { peer } = this;
    if (peer === undefined || peer.destroyed) callback();
    else peer.#take(chunk, callback);
  }

  override _final(callback: () => void): void {
    this.peer?.push(null);
    callback();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    callback(error);
    this.peer?.destroy();
  }

  #take(chunk: Buffer, callback: () => void): void {
    this.#onRead = callback;
    this.push(chunk);
  }
}

function memoryPair(): [MemoryEnd, MemoryEnd] {
  const ends: [MemoryEnd, MemoryEnd] = [new MemoryEnd(), new MemoryEnd()];
  ends[0].peer = ends[1];
  ends[1].peer = ends[0];
  return ends;
}
