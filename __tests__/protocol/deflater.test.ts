import { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import zlib from 'node:zlib';
import fc from 'fast-check';
import type { DeflateOptions, DeflateTerms } from '../../lib/protocol/deflate';
import { Deflater } from '../../lib/protocol/deflater';
import { Expander } from '../rfc7692/support/zlib';

const OPTIONS: DeflateOptions = {
  threshold: 0,
  level: -1,
  windowBits: 15,
  memLevel: 8,
  contextTakeover: true,
};

const terms = (serverTakeover: boolean, serverWindowBits = 15): DeflateTerms => ({
  response: 'permessage-deflate',
  serverTakeover,
  clientTakeover: false,
  serverWindowBits,
  clientWindowBits: 15,
});

type Encode = (payload: Buffer) => Promise<Buffer | undefined>;

/** The ways to compress for one connection. */
const WAYS: [name: string, make: (deflater: Deflater) => Encode][] = [
  ['now', (deflater) => (payload) => Promise.resolve(deflater.now(payload))],
  ['later', (deflater) => (payload) => new Promise((resolve) => deflater.later(payload, resolve))],
];

const alone = (payload: Buffer, of: DeflateTerms, options = OPTIONS): Buffer | undefined =>
  Deflater.alone(of, options).now(payload);

const aloneLater = (payload: Buffer, of: DeflateTerms): Promise<Buffer | undefined> =>
  new Promise((resolve) => Deflater.alone(of, OPTIONS).later(payload, resolve));

/** Messages as they are sent: texts of few words, which are alike, and some that cannot shrink. */
const messages = fc.array(
  fc.oneof(
    fc
      .array(fc.constantFrom('alpha ', 'beta ', '{"id":', 'é€😀', '\n'), {
        minLength: 1,
        maxLength: 400,
      })
      .map((words) => Buffer.from(words.join(''))),
    fc.uint8Array({ minLength: 1, maxLength: 700 }).map((bytes) => Buffer.from(bytes)),
  ),
  { minLength: 1, maxLength: 8 },
);

afterEach(() => jest.restoreAllMocks());

describe.each(WAYS)('RFC 7692 §7.2.1 compression %s', (_name, make) => {
  const words = Buffer.from('one and two and three and four and five and '.repeat(5));

  it.each([9, 10, 11, 12, 13, 14, 15])(
    'is understood by one stream of zlib for all messages, with %i bits',
    async (bits) => {
      const property = fc.asyncProperty(messages, async (all) => {
        const encode = make(new Deflater(terms(true, bits), OPTIONS));
        const peer = new Expander(true, bits);
        for (const message of all) {
          const compressed = await encode(message);
          if (compressed === undefined) continue;
          expect(compressed.length).toBeLessThan(message.length);
          expect(await peer.expand(compressed)).toEqual(message);
        }
        peer.close();
      });
      await fc.assert(property, { numRuns: 20 });
    },
  );

  it.each([9, 12, 15])('without takeover stands alone each time, with %i bits', async (bits) => {
    const encode = make(new Deflater(terms(false, bits), OPTIONS));
    const peer = new Expander(false, bits);
    const first = await encode(words);
    const second = await encode(words);
    expect(second).toEqual(first);
    expect(await peer.expand(second!)).toEqual(words);
  });

  it('with takeover refers to what was said before', async () => {
    const encode = make(new Deflater(terms(true), OPTIONS));
    const peer = new Expander(true, 15);
    const first = await encode(words);
    const second = await encode(words);
    expect(second!.length).toBeLessThan(first!.length / 2);
    expect(await peer.expand(first!)).toEqual(words);
    expect(await peer.expand(second!)).toEqual(words);
    peer.close();
  });

  it('ends at the end of a block, and leaves out the four bytes that say so', async () => {
    const encode = make(new Deflater(terms(false), OPTIONS));
    const compressed = await encode(words);
    // Of the empty block that is left, the three bits of its header end the payload: 00.
    expect(compressed!.at(-1)! & 0xe0).toBe(0);
    expect(compressed!.subarray(-4).toString('hex')).not.toBe('0000ffff');
  });

  it('is nothing when it would be no smaller, and is not referred to then', async () => {
    const encode = make(new Deflater(terms(true), OPTIONS));
    const noise = randomBytes(300);
    expect(await encode(noise)).toBeUndefined();
    expect(await encode(noise)).toBeUndefined();
    expect(await encode(Buffer.from('Hello'))).toBeUndefined();
  });

  it('is nothing when it would be of the same length', async () => {
    const deflater = new Deflater(terms(true), OPTIONS);
    const hello = Buffer.from('Hello');
    deflater.sent(hello);
    // RFC 7692 §7.2.3.2: a repeated Hello takes the five bytes f2 00 11 00 00.
    expect(await make(deflater)(hello)).toBeUndefined();
  });

  it('refers to what was compressed elsewhere too', async () => {
    const deflater = new Deflater(terms(true), OPTIONS);
    const peer = new Expander(true, 15);
    const forMany = alone(words, terms(true));
    deflater.sent(words);
    const compressed = await make(deflater)(words);
    expect(compressed!.length).toBeLessThan(forMany!.length / 2);
    expect(await peer.expand(forMany!)).toEqual(words);
    expect(await peer.expand(compressed!)).toEqual(words);
    peer.close();
  });

  it.each([-1, 0, 1, 6, 9])('is as hard as its level says: %i', async (level) => {
    const encode = make(new Deflater(terms(false), { ...OPTIONS, level, memLevel: 1 }));
    const compressed = await encode(words);
    // Level 0 stores what it is given, with five bytes for each block.
    if (level === 0) expect(compressed).toBeUndefined();
    else expect(await new Expander(false, 15).expand(compressed!)).toEqual(words);
  });
});

describe('compression for many', () => {
  const text = Buffer.from('{"from":"ann","text":"hello"},'.repeat(200));

  it.each([9, 11, 15])('is understood by all who have this window: %i bits', async (bits) => {
    const of = terms(true, bits);
    const now = alone(text, of);
    expect(await aloneLater(text, of)).toEqual(now);
    const [fresh, busy] = [new Expander(false, bits), new Expander(true, bits)];
    await busy.expand(alone(Buffer.from('before '.repeat(50)), of)!);
    expect(await fresh.expand(now!)).toEqual(text);
    expect(await busy.expand(now!)).toEqual(text);
    busy.close();
  });

  it('never refers to what was said before', () => {
    const deflater = Deflater.alone(terms(true), OPTIONS);
    const first = deflater.now(text);
    expect(deflater.now(text)).toEqual(first);
  });

  it('is nothing when it would be no smaller', async () => {
    const noise = randomBytes(300);
    expect(alone(noise, terms(true))).toBeUndefined();
    expect(await aloneLater(noise, terms(true))).toBeUndefined();
  });

  it('may be of any size', async () => {
    const large = Buffer.concat([text, randomBytes(400_000), Buffer.alloc(700_000, 'x')]);
    const compressed = await aloneLater(large, terms(false, 10));
    expect((await new Expander(false, 10).expand(compressed!)).equals(large)).toBe(true);
  });
});

describe('what is compressed at once', () => {
  it.each([
    [0, true],
    [65_536, true],
    [65_537, false],
  ])('%i bytes: %p', (length, isQuick) => {
    expect(Deflater.isQuick(length)).toBe(isQuick);
  });
});

describe('a compression that fails', () => {
  it('leaves the message as it is, and is not referred to', async () => {
    const deflater = new Deflater(terms(true), OPTIONS);
    const words = Buffer.from('again and again and again and again');
    const spy = jest
      .spyOn(zlib, 'deflateRaw')
      .mockImplementation(((_data: Buffer, _options: object, done: (error: Error | null) => void) =>
        setImmediate(done, new Error('out of memory'))) as never);
    const failed = await new Promise((resolve) => deflater.later(words, resolve));
    expect([failed, await aloneLater(words, terms(true))]).toEqual([undefined, undefined]);
    expect(spy).toHaveBeenCalledTimes(2);
    spy.mockRestore();
    const peer = new Expander(true, 15);
    expect(await peer.expand(deflater.now(words)!)).toEqual(words);
    peer.close();
  });
});

describe('memory for it', () => {
  it.each([
    [1, 9],
    [511, 9],
    [512, 10],
    [5000, 13],
    [32_768, 15],
  ])('of %i bytes alone is that of %i bits', (length, windowBits) => {
    const spy = jest.spyOn(zlib, 'deflateRawSync');
    alone(Buffer.alloc(length), terms(false));
    expect(spy.mock.calls[0]![1]).toMatchObject({ windowBits });
  });

  it('is never more than was agreed on and asked for', () => {
    const spy = jest.spyOn(zlib, 'deflateRawSync');
    alone(Buffer.alloc(32_768), terms(false, 11), { ...OPTIONS, memLevel: 5 });
    expect(spy.mock.calls[0]![1]).toMatchObject({ windowBits: 11, memLevel: 5 });
  });

  it('counts what may be referred to', () => {
    const spy = jest.spyOn(zlib, 'deflateRawSync');
    const deflater = new Deflater(terms(true), OPTIONS);
    deflater.sent(Buffer.alloc(4000));
    deflater.now(Buffer.alloc(100));
    expect(spy.mock.calls[0]![1]).toMatchObject({ windowBits: 13 });
  });

  it.each([
    [1, 3, 1024],
    [511, 3, 1024],
    [512, 4, 1024],
    [5000, 7, 5000],
    [100_000, 8, 65_536],
  ])('of %i bytes has memLevel %i, and room for %i at a time', (length, memLevel, chunkSize) => {
    const spy = jest.spyOn(zlib, 'deflateRawSync');
    alone(Buffer.alloc(length), terms(false));
    expect(spy.mock.calls[0]![1]).toMatchObject({ memLevel, chunkSize });
  });
});

it('what was compressed elsewhere is not kept where nothing may refer to it', async () => {
  const deflater = new Deflater(terms(false), OPTIONS);
  const payload = Buffer.alloc(400, 'alpha beta ');
  expect(() => deflater.sent(payload)).not.toThrow();
  expect(deflater.now(payload)).toEqual(alone(payload, terms(false)));
});
