import { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import zlib from 'node:zlib';
import fc from 'fast-check';
import type { DeflateTerms } from '../../lib/protocol/deflate';
import { ProtocolError } from '../../lib/protocol/errors';
import { Inflater } from '../../lib/protocol/inflater';
import { Compressor, deflateAlone } from '../rfc7692/support/zlib';
import { hex } from '../support/bytes';

const terms = (clientTakeover: boolean, clientWindowBits = 15): DeflateTerms => ({
  response: 'permessage-deflate',
  serverTakeover: false,
  clientTakeover,
  serverWindowBits: 15,
  clientWindowBits,
});

const MIB = 1_048_576;

const inflater = (clientTakeover = true, maxPayload = MIB): Inflater =>
  new Inflater(terms(clientTakeover), maxPayload);

/** The payload, `later` when it is to be waited for, or the close code of the fault. */
type Result = Buffer | number | 'later';
type Inflate = (inflater: Inflater, compressed: Buffer) => Promise<Result>;

function orCode(run: () => Buffer | undefined): Result {
  try {
    return run() ?? 'later';
  } catch (error) {
    if (error instanceof ProtocolError) return error.closeCode;
    throw error;
  }
}

const now: Inflate = (of, compressed) => Promise.resolve(orCode(() => of.now(compressed)));

const later: Inflate = async (of, compressed) => {
  const copy = Buffer.from(compressed);
  const start = of.later(copy);
  // It copies: what was read may be gone when its turn comes.
  copy.fill(0xff);
  const result = await new Promise<Buffer | ProtocolError>((resolve) => start(resolve));
  return result instanceof ProtocolError ? result.closeCode : result;
};

const WAYS: [name: string, inflate: Inflate][] = [
  ['now', now],
  ['later', later],
];

const HELLO = 'f248cdc9c90700';

/** What comes of these messages, one after the other on one connection. */
async function talk(inflate: Inflate, of: Inflater, payloads: string[]): Promise<unknown[]> {
  const results: unknown[] = [];
  for (const payload of payloads) {
    const result = await inflate(of, hex(payload));
    results.push(Buffer.isBuffer(result) ? result.toString() : result);
  }
  return results;
}

/** Each a whole stream with a final block, and the byte that RFC 7692 §7.2.1 puts behind. */
const finals = (...parts: Buffer[]): Buffer =>
  Buffer.concat([...parts.map((part) => zlib.deflateRawSync(part)), hex('00')]);

/** A final block with nothing in it, so many times. */
const emptyFinals = (count: number): Buffer =>
  Buffer.concat([hex('0300'.repeat(count)), hex('00')]);

/** One stored block (RFC 1951 §3.2.4), and the byte behind it. */
function stored(payload: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt16LE(payload.length, 1);
  head.writeUInt16LE(0xffff - payload.length, 3);
  return Buffer.concat([head, payload, hex('00')]);
}

describe.each(WAYS)('RFC 7692 §7.2.3 the examples, %s', (_name, inflate) => {
  it.each([
    ['7.2.3.1 one block', [HELLO], ['Hello']],
    [
      '7.2.3.2 a second message that refers to the first',
      [HELLO, 'f200110000'],
      ['Hello', 'Hello'],
    ],
    ['7.2.3.3 no compression', ['000500faff48656c6c6f00'], ['Hello']],
    ['7.2.3.4 a final block', ['f348cdc9c9070000', HELLO], ['Hello', 'Hello']],
    ['7.2.3.5 two blocks', ['f24805000000ffffcac9c90700'], ['Hello']],
    ['7.2.3.6 an empty message', ['00', HELLO], ['', 'Hello']],
  ])('§%s', async (_clause, payloads, expected) => {
    expect(await talk(inflate, inflater(), payloads)).toEqual(expected);
  });
});

describe.each(WAYS)('what cannot be inflated is 1007, %s', (_name, inflate) => {
  it.each([
    ['a block of a reserved type', '06'],
    ['bytes of no meaning', 'ffffffff'],
    ['a message cut in a block', 'f248cd'],
    ['a message cut at the end of a block that is to go on', 'f248cdc9c907'],
    ['a stored block that is cut', '000500faff4865'],
    ['a stored block whose length is not its complement', '000500faf048656c6c6f00'],
    ['a reference to what was never said', 'f200110000'],
    ['D-6 bytes behind the final block', 'f348cdc9c90700414141'],
    ['D-6 a final block and nothing behind it', 'f348cdc9c90700'],
  ])('%s', async (_what, payload) => {
    expect(await talk(inflate, inflater(), [payload])).toEqual([1007]);
  });

  it('D-8 a reference to an earlier message, without takeover', async () => {
    expect(await talk(inflate, inflater(false), [HELLO, 'f200110000'])).toEqual(['Hello', 1007]);
  });

  it('a reference further back than the window that was agreed on', async () => {
    const of = new Inflater(terms(true, 9), MIB);
    const peer = new Compressor(true, 15);
    const said = randomBytes(100);
    const results: Result[] = [];
    for (const data of [said, randomBytes(600), said]) {
      results.push(await inflate(of, await peer.compress(data)));
    }
    peer.close();
    expect([results[0], results[2]]).toEqual([said, 1007]);
  });

  it.each([1, 2, 5, 100])('a message without its last %i bytes', async (missing) => {
    const whole = deflateAlone(Buffer.from('ab'.repeat(50) + randomBytes(200).toString('hex')));
    expect(await inflate(inflater(), whole.subarray(0, -missing))).toBe(1007);
  });

  it('names the clause', () => {
    expect(() => inflater().now(hex('06'))).toThrow(
      /^compressed message cannot be inflated: .+ \(RFC 7692 §7\.2\.2\)$/,
    );
  });
});

describe.each(WAYS)('final blocks, %s', (_name, inflate) => {
  it('D-5 do not end the conversation', async () => {
    const final = 'f348cdc9c9070000';
    expect(await talk(inflate, inflater(), [final, final, HELLO])).toEqual(Array(3).fill('Hello'));
  });

  it('may have more behind them, which may refer to what was before', async () => {
    const [one, two] = [Buffer.from('first and '.repeat(9)), Buffer.from('first and last')];
    const message = Buffer.concat([
      zlib.deflateRawSync(one),
      zlib.deflateRawSync(two, { dictionary: one }),
      hex('00'),
    ]);
    for (const takeover of [true, false]) {
      const of = inflater(takeover);
      const history = Buffer.from('before');
      await inflate(of, deflateAlone(history));
      expect(await inflate(of, message)).toEqual(Buffer.concat([one, two]));
    }
  });

  it('may refer to the messages before, too', async () => {
    const [said, one] = [Buffer.from('said before, '.repeat(9)), Buffer.from('and this, ')];
    const last = Buffer.from('said before, and this, and that');
    const message = Buffer.concat([
      zlib.deflateRawSync(one, { dictionary: said }),
      zlib.deflateRawSync(last, { dictionary: Buffer.concat([said, one]) }),
      hex('00'),
    ]);
    const of = inflater();
    await inflate(of, deflateAlone(said));
    expect(await inflate(of, message)).toEqual(Buffer.concat([one, last]));
  });

  it('refer no further back than the window, however much is before them', async () => {
    const of = new Inflater(terms(true, 9), MIB);
    const one = randomBytes(3000);
    const message = finals(one, Buffer.from('end'));
    expect(await inflate(of, message)).toEqual(Buffer.concat([one, Buffer.from('end')]));
  });

  it.each([1, 2, 63, 64])('may be %i', async (count) => {
    expect(await inflate(inflater(), emptyFinals(count))).toEqual(Buffer.alloc(0));
  });

  it.each([65, 1000])('are refused with 1007 when they are %i', async (count) => {
    expect(await inflate(inflater(), emptyFinals(count))).toBe(1007);
  });
});

describe.each(WAYS)('maxPayload counts what comes out, %s', (_name, inflate) => {
  it.each([1, 5, 100, 5000])('%i bytes, and one more is 1009', async (limit) => {
    const payload = (length: number): Buffer => Buffer.alloc(length, 'x');
    const at = await inflate(inflater(true, limit), deflateAlone(payload(limit)));
    expect(at).toEqual(payload(limit));
    expect(await inflate(inflater(true, limit), deflateAlone(payload(limit + 1)))).toBe(1009);
  });

  it.each([
    [60, 40, 'taken'],
    [60, 41, 1009],
    [100, 1, 1009],
    [100, 0, 'taken'],
  ])('of all streams of a message: %i and %i bytes are %p', async (one, two, expected) => {
    const message = finals(Buffer.alloc(one, 'x'), Buffer.alloc(two, 'y'));
    const result = await inflate(inflater(true, 100), message);
    if (expected === 'taken') expect(result).toHaveLength(one + two);
    else expect(result).toBe(expected);
  });

  it('D-4 is 1009 before anything malformed behind it', async () => {
    const bomb = Buffer.concat([deflateAlone(Buffer.alloc(5000)), hex('ffffffff')]);
    expect(await inflate(inflater(true, 1000), bomb)).toBe(1009);
  });

  it('may be without a limit', async () => {
    expect(await inflate(inflater(true, Infinity), hex(HELLO))).toEqual(Buffer.from('Hello'));
  });
});

describe('the event loop', () => {
  it('D-1 does not wait for a bomb, and never has all of it', async () => {
    const bomb = deflateAlone(Buffer.alloc(64 * MIB));
    const of = inflater();
    expect(await now(of, bomb)).toBe('later');
    expect(await later(of, bomb)).toBe(1009);
  });

  it.each([
    [65_536, true],
    [65_537, false],
  ])('waits for input of %i bytes: %p', async (length, isQuick) => {
    // One stored block: five bytes in front, one behind.
    const payload = randomBytes(length - 6);
    const message = stored(payload);
    expect(message).toHaveLength(length);
    expect(await now(inflater(), message)).toEqual(isQuick ? payload : 'later');
    expect(await later(inflater(), message)).toEqual(payload);
  });

  it.each([
    [262_144, MIB, 'taken'],
    [262_145, MIB, 'later'],
    [262_144, 262_144, 'taken'],
    [262_145, 262_144, 1009],
    [262_145, 262_145, 'later'],
  ])('of output of %i bytes, with maxPayload %i: %p', async (length, maxPayload, expected) => {
    const payload = Buffer.alloc(length, 'x');
    const result = await now(inflater(true, maxPayload), deflateAlone(payload));
    if (expected === 'taken') expect(payload.equals(result as Buffer)).toBe(true);
    else expect(result).toBe(expected);
  });

  it('has learnt nothing from a message that is to be waited for', async () => {
    const peer = new Compressor(true, 15);
    const of = inflater();
    const large = Buffer.alloc(300_000, 'large ');
    for (const data of [Buffer.from('small'), large, Buffer.from('large small')]) {
      const compressed = await peer.compress(data);
      const result = await now(of, compressed);
      const whole = result === 'later' ? await later(of, compressed) : result;
      expect([result === 'later', data.equals(whole as Buffer)]).toEqual([data === large, true]);
    }
    peer.close();
  });
});

describe('RFC 7692 §7.2.2 one conversation', () => {
  const messages = fc.array(
    fc.record({
      data: fc.oneof(
        fc
          .array(fc.constantFrom('alpha ', 'beta ', '{"id":', 'é€😀', '\n'), { maxLength: 400 })
          .map((words) => Buffer.from(words.join(''))),
        fc.uint8Array({ maxLength: 700 }).map((bytes) => Buffer.from(bytes)),
      ),
      inflate: fc.constantFrom(now, later),
    }),
    { minLength: 1, maxLength: 8 },
  );

  it.each([9, 10, 11, 12, 13, 14, 15])(
    'is what one stream of zlib has compressed, with %i bits',
    async (bits) => {
      const property = fc.asyncProperty(messages, async (all) => {
        const of = new Inflater(terms(true, bits), MIB);
        const peer = new Compressor(true, bits);
        for (const { data, inflate } of all) {
          expect(await inflate(of, await peer.compress(data))).toEqual(data);
        }
        peer.close();
      });
      await fc.assert(property, { numRuns: 20 });
    },
  );

  it('of 8 bits, with which zlib only inflates', async () => {
    const of = new Inflater(terms(true, 8), MIB);
    expect(await talk(now, of, [HELLO, 'f200110000'])).toEqual(['Hello', 'Hello']);
  });

  it('hands over memory that nothing else is written to', async () => {
    const of = inflater();
    const first = (await now(of, hex(HELLO))) as Buffer;
    await now(of, deflateAlone('something else'));
    expect(first.toString()).toBe('Hello');
  });

  it('takes an empty payload for an empty message', () => {
    expect(inflater().now(Buffer.alloc(0))).toEqual(Buffer.alloc(0));
  });

  it('is never anything but a payload or a fault, whatever the bytes', async () => {
    const property = fc.asyncProperty(
      fc.uint8Array({ minLength: 1, maxLength: 200 }),
      async (bytes) => {
        const ofNow = await now(inflater(true, 1000), Buffer.from(bytes));
        const ofLater = await later(inflater(true, 1000), Buffer.from(bytes));
        expect(ofLater).toEqual(ofNow);
        expect(typeof ofNow === 'number' ? [1007, 1009] : [ofNow]).toContain(ofNow);
      },
    );
    await fc.assert(property);
  });
});

describe('a stream behind a final block', () => {
  afterEach(() => jest.restoreAllMocks());

  it('has as much room in zlib as is left of maxPayload', () => {
    const spy = jest.spyOn(zlib, 'inflateRawSync');
    inflater(true, 100).now(finals(Buffer.alloc(60, 'x'), Buffer.alloc(30, 'y')));
    const left = spy.mock.calls.map(([, options]) => options?.maxOutputLength);
    expect(left).toEqual([100, 40, 10]);
  });
});

describe('the words of a fault say what is wrong', () => {
  it.each([
    ['too many final blocks', emptyFinals(65), 'too many final blocks (RFC 7692 §7.2.2)'],
    ['too much', deflateAlone(Buffer.alloc(200)), 'message is above maxPayload once inflated'],
  ])('%s', (_name, compressed, words) => {
    expect(() => inflater(true, 100).now(compressed)).toThrow(words);
  });
});

describe('memory for it', () => {
  afterEach(() => jest.restoreAllMocks());

  it.each([
    [100, 1024],
    // Four times the message and the six bytes behind it.
    [2000, 8024],
    [30_000, 65_536],
  ])('of %i bytes is asked for %i at a time', (length, chunkSize) => {
    const spy = jest.spyOn(zlib, 'inflateRawSync');
    inflater().now(stored(randomBytes(length - 6)));
    expect(spy.mock.calls[0]![1]).toMatchObject({ chunkSize });
  });
});
