import { constants, deflateRawSync } from 'node:zlib';
import { stopAll } from '../scenarios/support/server';
import { clientFrame, hex } from '../support/bytes';
import { ServerChild } from './frame-child';
import type { Weakening } from './weakened';

const MIB = 1_048_576;
const OFFER = 'permessage-deflate; client_max_window_bits';

/** The limit is looked at when all has been inflated. */
const limitBehind: Weakening = {
  file: 'protocol/inflater.ts',
  replace: 'maxOutputLength: Math.max(1, limit - output.length),',
  by: '',
};
const limitNowhere: Weakening = {
  file: 'protocol/inflater.ts',
  replace: 'if (all.length > limit) return tooBig();',
  by: '',
};
/** Every connection has a stream of zlib's. */
const streamKept: Weakening = {
  file: 'protocol/inflater.ts',
  replace: 'this.#terms = terms;',
  by: "(this as any).stream = require('node:zlib').createDeflateRaw(); this.#terms = terms;",
};

afterEach(stopAll);
jest.setTimeout(60_000);

function compressed(data: Buffer): Buffer {
  const payload = deflateRawSync(data, { finishFlush: constants.Z_SYNC_FLUSH });
  return clientFrame({ first: 0xc2, payload: payload.subarray(0, -4) });
}

describe('D-1 bombs of 99 MB', () => {
  const bomb = compressed(Buffer.alloc(99 * MIB));

  interface Damage {
    readonly codes: ReadonlySet<number | false>;
    /** By how much the most that was resident has grown; bytes. */
    readonly grown: number;
  }

  async function explode(count: number, ...without: Weakening[]): Promise<Damage> {
    const server = await ServerChild.start(without, { perMessageDeflate: true, maxPayload: MIB });
    const peers = await server.peers(count, '/', OFFER);
    const before = await server.held();
    // Where the bomb is taken for a message, the ping behind it is answered.
    for (const peer of peers) peer.write(bomb, hex('89 80 00000000'));
    const frames = await Promise.all(peers.map((peer) => peer.readFrame()));
    const codes = frames.map(({ first, payload }) => first === 0x88 && payload.readUInt16BE());
    const { maxRss } = await server.held();
    return { codes: new Set(codes), grown: maxRss - before.maxRss };
  }

  it('D-1 a hundred at once are closed with 1009 and take less than what they may', async () => {
    const { codes, grown } = await explode(100);
    expect(codes).toEqual(new Set([1009]));
    expect(grown).toBeLessThan(100 * MIB + 16 * MIB);
  });

  it('D-1 ten at once take less than 26 MB', async () => {
    const { codes, grown } = await explode(10);
    expect(codes).toEqual(new Set([1009]));
    expect(grown).toBeLessThanOrEqual(26 * MIB);
  });

  it('D-1 take more where the limit is behind zlib', async () => {
    expect((await explode(2, limitBehind)).grown).toBeGreaterThan(26 * MIB);
  });

  it('D-1 are not closed where the limit is nowhere', async () => {
    const { codes } = await explode(1, limitBehind, limitNowhere);
    expect(codes).toEqual(new Set([false]));
  });
});

describe('D-9 a compressed message each way, and then silence', () => {
  const KIB = 1024;
  const options = { perMessageDeflate: { threshold: 0, contextTakeover: true } };
  const message = compressed(Buffer.from('a message like another '.repeat(4)));

  /** What a connection holds, and what is held once all are gone; bytes. */
  async function heldBy(count: number, ...without: Weakening[]): Promise<[number, number]> {
    const server = await ServerChild.start(without, options);
    await server.peer('/echo', OFFER);
    const before = await server.held();
    const peers = await server.peers(count, '/echo', OFFER);
    for (const peer of peers) peer.write(message);
    const answers = await Promise.all(peers.map((peer) => peer.readFrame()));
    expect(new Set(answers.map(({ first }) => first))).toEqual(new Set([0xc2]));
    const during = await server.held();
    for (const { socket } of peers) socket.destroy();
    await server.empty();
    const after = await server.held();
    return [(during.held - before.held) / count, after.held - before.held];
  }

  it('D-9 hold no more than 16 KiB a connection, and nothing when they are gone', async () => {
    const [each, left] = await heldBy(1000);
    expect(each).toBeLessThanOrEqual(16 * KIB);
    // A quarter of what the process starts with.
    expect(left).toBeLessThanOrEqual(3 * MIB);
  });

  it('D-9 hold more where each has a stream', async () => {
    const [each] = await heldBy(50, streamKept);
    expect(each).toBeGreaterThan(16 * KIB);
  });
});
