import type { Peer } from '../scenarios/support/peer';
import { stopAll } from '../scenarios/support/server';
import { hex, repeat } from '../support/bytes';
import { heard, ServerChild } from './frame-child';
import { weakenedPart, type Weakening } from './weakened';

const M = '00000000';
const FIRST = hex(`02 81 ${M} 61`);
const NEXT = hex(`00 81 ${M} 61`);
const EMPTY = hex(`00 80 ${M}`);
const PONG = hex(`8A FD ${M} ${'61'.repeat(125)}`);

/** Larger than what `/keep` keeps. */
const UNKEPT = Buffer.concat([hex(`82 FE 1388 ${M}`), Buffer.alloc(5000, 'a')]);

const KIB = 1024;

/** What a process itself takes when it has worked for a while: compiled code, and the like. */
const NOISE = 256 * KIB;

/** Pieces are kept as they came, each with the read that it lies in. */
const listOfPieces: Weakening = {
  file: 'protocol/assembly.ts',
  replace: 'const to = this.#length +',
  by: '((this as any).pieces ??= []).push({ ...piece }); const to = this.#length +',
};
const uncounted: Weakening = {
  file: 'protocol/assembly.ts',
  replace: 'if (this.#fragments > maxFragments) {',
  by: 'if (false) {',
};
const declaredLength: Weakening = {
  file: 'protocol/assembly.ts',
  replace: 'Math.min(doubled, enough)',
  by: 'enough',
};
const constantSteps: Weakening = {
  file: 'protocol/assembly.ts',
  replace: 'Math.max(FIRST_CAPACITY, needed * 2)',
  by: 'Math.max(needed, this.#buffer.length + FIRST_CAPACITY)',
};
const recount: Weakening = {
  file: 'protocol/assembly.ts',
  replace: 'const to = this.#length +',
  by: 'this.payload.copy(this.#buffer); const to = this.#length +',
};
const viewsKept: Weakening = {
  file: 'protocol/detach.ts',
  replace:
    'return length * KEEP_FRACTION < bytes.length || length * KEEP_FRACTION < bytes.buffer.byteLength;',
  by: 'return false;',
};

afterEach(stopAll);
jest.setTimeout(60_000);

describe('F-1 a message of 16 000 fragments of one byte', () => {
  async function heldBy(count: number, ...without: Weakening[]): Promise<number> {
    const server = await ServerChild.start(without);
    const peers = await server.peers(count);
    const before = await server.held();
    for (const peer of peers) peer.write(FIRST, repeat(NEXT, 16_000));
    expect(await Promise.all(peers.map(heard))).not.toContain(false);
    return (await server.held()).held - before.held;
  }

  it('F-1 holds no more than three times its bytes', async () => {
    expect(await heldBy(20)).toBeLessThanOrEqual(20 * 48 * KIB);
  });

  it('F-1 holds more where the pieces are kept', async () => {
    expect(await heldBy(3, listOfPieces)).toBeGreaterThan(3 * 48 * KIB);
  });
});

describe('F-2 empty fragments without end', () => {
  const flood = repeat(EMPTY, 1_000_000);
  const opening = hex(`02 80 ${M}`);

  async function outlives(...without: Weakening[]): Promise<boolean> {
    const server = await ServerChild.start(without);
    const peer = await server.peer();
    peer.write(opening, flood, hex(`89 81 ${M} 61`));
    const { first, payload } = await peer.readFrame();
    if (first === 0x8a) return true;
    expect([first, payload.readUInt16BE()]).toEqual([0x88, 1008]);
    return false;
  }

  async function heldMore(count: number, ...without: Weakening[]): Promise<number> {
    const server = await ServerChild.start(without, { maxFragments: 2 ** 31 - 1 });
    const peer = await server.peer();
    peer.write(opening, flood.subarray(0, EMPTY.length * 100_000));
    expect(await heard(peer)).toBe(true);
    const before = await server.held();
    peer.write(flood.subarray(0, EMPTY.length * count));
    expect(await heard(peer)).toBe(true);
    return (await server.held()).held - before.held;
  }

  it('F-2 are closed with 1008', async () => {
    expect(await outlives()).toBe(false);
  });

  it('F-2 are not where fragments are not counted', async () => {
    expect(await outlives(uncounted)).toBe(true);
  });

  it('F-2 take no memory, however many are allowed', async () => {
    expect(await heldMore(1_000_000)).toBeLessThanOrEqual(64 * KIB + NOISE);
  });

  it('F-2 take memory where the pieces are kept', async () => {
    expect(await heldMore(10_000, listOfPieces)).toBeGreaterThan(64 * KIB + NOISE);
  });
});

describe('F-3 a frame of 100 MB, one byte a packet', () => {
  const header = hex(`82 FF 0000000005F5E100 ${M}`);
  const packets = 4000;
  const perSocket = 2 * packets + 4 * KIB;

  async function drip(server: ServerChild, peers: readonly Peer[]): Promise<void> {
    for (const peer of peers) peer.write(header);
    for (let i = 0; i < packets; i++) {
      for (const peer of peers) peer.write(Buffer.from([i & 0xff]));
      await new Promise(setImmediate);
    }
    await server.read();
  }

  async function heldBy(count: number, ...without: Weakening[]): Promise<number> {
    const server = await ServerChild.start(without, { maxPayload: 2 ** 27 });
    // Code that runs for the first time takes memory as well.
    await drip(server, [await server.peer()]);
    const peers = await server.peers(count);
    const before = await server.held();
    await drip(server, peers);
    return (await server.held()).held - before.held;
  }

  it('F-3 holds no more than twice what came, and 4 KiB', async () => {
    expect(await heldBy(10)).toBeLessThanOrEqual(10 * perSocket + NOISE);
  });

  it('F-3 holds what was declared where that is believed', async () => {
    expect(await heldBy(2, declaredLength)).toBeGreaterThan(2 * perSocket + NOISE);
  });
});

describe('F-4 the work of a message in fragments', () => {
  /** Bytes that are copied and reserved; a figure that the machine has no part in. */
  function workOf(fragments: number, ...without: Weakening[]): number {
    const { Decoder } = weakenedPart('protocol/decoder', ...without);
    const ignore = (): void => {};
    const sink = { onPing: ignore, onPong: ignore, onClose: ignore, onMessage: ignore };
    const all = { ...sink, onCompressed: ignore, onSpent: ignore };
    const decoder = new Decoder({ maxPayload: 2 ** 24, maxFragments: 2 ** 24 }, all);
    const prototype: Buffer = Object.getPrototypeOf(Buffer.alloc(0));
    const copy: Buffer['copy'] = Reflect.get(prototype, 'copy');
    let work = 0;
    prototype.copy = function (this: Buffer, ...args: Parameters<Buffer['copy']>) {
      const copied = copy.apply(this, args);
      work += copied;
      return copied;
    };
    try {
      decoder.push(Buffer.concat([FIRST, repeat(NEXT, fragments - 1)]));
    } finally {
      prototype.copy = copy;
    }
    return work;
  }

  /** By how much the work grows at most when a message has twice as many fragments. */
  function worstStep(...without: Weakening[]): number {
    const work = [12, 13, 14, 15, 16, 17].map((power) => workOf(2 ** power, ...without));
    return Math.max(...work.slice(1).map((more, i) => more / work[i]!));
  }

  it('F-4 doubles with their number', () => {
    expect(worstStep()).toBeLessThanOrEqual(2.2);
  });

  it.each([
    ['the buffer grows by constant steps', constantSteps],
    ['each fragment goes over all before it', recount],
  ])('F-4 more than doubles where %s', (_how, weakening) => {
    expect(worstStep(weakening)).toBeGreaterThan(2.2);
  });
});

describe('F-5 bytes that lie in large reads', () => {
  const padding = repeat(PONG, 125);

  async function fragments(count: number, ...without: Weakening[]): Promise<number> {
    const server = await ServerChild.start(without);
    const peer = await server.peer();
    const before = await server.held();
    for (let i = 0; i < count; i++) {
      peer.write(i === 0 ? FIRST : NEXT, padding);
      if (i % 50 === 0) expect(await heard(peer)).toBe(true);
    }
    expect(await heard(peer)).toBe(true);
    return (await server.held()).arrayBuffers - before.arrayBuffers;
  }

  async function messages(between: Buffer, ...without: Weakening[]): Promise<number> {
    const server = await ServerChild.start(without);
    const peer = await server.peer('/keep');
    const before = await server.held();
    const spread = Buffer.concat([hex(`82 8A ${M} ${'61'.repeat(10)}`), between]);
    for (let i = 0; i < 100; i++) peer.write(repeat(spread, 100));
    expect(await heard(peer)).toBe(true);
    return (await server.held()).arrayBuffers - before.arrayBuffers;
  }

  it('F-5 are copied out of them: 4 000 fragments hold less than 1 MB', async () => {
    expect(await fragments(4000)).toBeLessThanOrEqual(1_000_000);
  });

  it('F-5 hold the reads where the pieces are kept', async () => {
    expect(await fragments(400, listOfPieces)).toBeGreaterThan(1_000_000);
  });

  it.each([
    ['messages that are not kept', UNKEPT],
    ['pongs', repeat(PONG, 30)],
  ])('F-5 10 000 messages of 10 bytes between %s hold less than 1 MB', async (_what, between) => {
    expect(await messages(between)).toBeLessThanOrEqual(1_000_000);
  });

  it('F-5 messages that are kept hold the reads where they are not copied', async () => {
    expect(await messages(UNKEPT, viewsKept)).toBeGreaterThan(1_000_000);
  });
});
