import { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import {
  Compressor,
  compressedOr,
  isLater,
  runJob,
  toBytes,
  uncompressed,
  type Encoded,
} from '../../lib/socket/compressor';
import { enqueueJob } from '../../lib/socket/jobs';
import { Expander } from '../rfc7692/support/zlib';
import { compressed, turns } from './wire';

function makeCompressor(options: Parameters<typeof compressed>[0] = {}): Compressor {
  const { settings, deflate } = compressed(options);
  return new Compressor(deflate, settings.perMessageDeflate!);
}

/** What is encoded at once. */
function encodeNow(compressor: Compressor, payload: string | Buffer, compress?: boolean): Encoded {
  const encoding = compressor.encode(payload, compress);
  if (isLater(encoding)) throw new Error('it has to be waited for');
  return encoding;
}

const words = 'one and two and three and four and '.repeat(100);

describe('what is compressed', () => {
  it.each([
    [99, undefined, false],
    [100, undefined, true],
    [101, undefined, true],
    [1, true, true],
    [99, true, true],
    [100, false, false],
    [50_000, false, false],
    [0, true, false],
    [0, undefined, false],
  ])('of a threshold of 100: %i bytes and compress %p: %p', (length, compress, wants) => {
    const compressor = makeCompressor({ threshold: 100 });
    expect(compressor.wants('x'.repeat(length), compress)).toBe(wants);
    expect(compressor.wants(Buffer.alloc(length), compress)).toBe(wants);
  });

  it('is judged by bytes, not by characters', () => {
    const compressor = makeCompressor({ threshold: 100 });
    expect(compressor.wants('é'.repeat(49), undefined)).toBe(false);
    expect(compressor.wants('é'.repeat(50), undefined)).toBe(true);
  });

  it('is nothing with a threshold of Infinity, but for what asks for it', () => {
    const compressor = makeCompressor({ threshold: Infinity });
    expect(encodeNow(compressor, words)).toEqual({ bits: 0, payload: words });
    expect(encodeNow(compressor, words, true).bits).toBe(0x40);
  });
});

describe('a compressed payload', () => {
  it.each<[string, string | Buffer]>([
    ['text', `€ ${words}`],
    ['bytes', Buffer.from(words)],
  ])('has RSV1 and can be inflated: %s', async (_name, payload) => {
    const compressor = makeCompressor();
    const encoded = encodeNow(compressor, payload);
    expect(encoded.bits).toBe(0x40);
    const bytes = await new Expander(false, 15).expand(encoded.payload as Buffer);
    expect(bytes).toEqual(Buffer.from(payload as string));
  });

  it('is sent as it is when it would be no smaller, without RSV1', () => {
    const noise = randomBytes(1000);
    expect(encodeNow(makeCompressor(), noise)).toEqual({ bits: 0, payload: noise });
    expect(encodeNow(makeCompressor(), 'a')).toEqual({ bits: 0, payload: Buffer.from('a') });
  });

  it('is not touched when it is not worth it', () => {
    expect(encodeNow(makeCompressor({ threshold: 10 }), 'short')).toEqual(uncompressed('short'));
  });

  it('refers to those before it, and to those that were sent to many', async () => {
    const compressor = makeCompressor();
    const peer = new Expander(true, 15);
    const alone = encodeNow(makeCompressor(), words).payload as Buffer;
    compressor.sent(Buffer.from(words));
    const second = encodeNow(compressor, words).payload as Buffer;
    expect(second.length).toBeLessThan(alone.length);
    for (const payload of [alone, second]) {
      expect(String(await peer.expand(payload))).toBe(words);
    }
    peer.close();
  });

  it('has the terms that were agreed on', () => {
    const { settings, deflate } = compressed();
    expect(new Compressor(deflate, settings.perMessageDeflate!).terms).toBe(deflate);
  });
});

describe('a large payload', () => {
  const large = 'x'.repeat(65_537);

  it('has to be waited for, and says how large it is', async () => {
    const encoding = makeCompressor().encode(large, undefined);
    if (!isLater(encoding)) throw new Error('it was compressed at once');
    expect(encoding.bytes).toBe(65_537);
    const { bits, payload } = await encoding.read();
    expect(bits).toBe(0x40);
    expect(String(await new Expander(false, 15).expand(payload as Buffer))).toBe(large);
    expect(isLater(makeCompressor().encode(large.slice(1), undefined))).toBe(false);
  });

  it('is sent as it is when it would be no smaller', async () => {
    const noise = randomBytes(70_000);
    const encoding = makeCompressor().encode(noise, undefined);
    expect(isLater(encoding) && (await encoding.read())).toEqual({ bits: 0, payload: noise });
  });

  it('waits for a place among the jobs', async () => {
    const ends: (() => void)[] = [];
    for (let i = 0; i < 2; i++) enqueueJob((done) => ends.push(done));
    const begun: string[] = [];
    const result = runJob((done) => {
      begun.push('begun');
      setImmediate(done, undefined);
    }, Buffer.from('payload'));
    await turns();
    expect(begun).toEqual([]);
    ends[0]!();
    expect(await result).toEqual({ bits: 0, payload: Buffer.from('payload') });
    expect(begun).toEqual(['begun']);
    ends[1]!();
  });
});

describe('the bytes of a payload', () => {
  it('are those of the text as UTF-8, or the same bytes', () => {
    const bytes = Buffer.from('é');
    expect(toBytes('é')).toEqual(bytes);
    expect(toBytes(bytes)).toBe(bytes);
    expect(compressedOr(bytes, undefined)).toEqual({ bits: 0, payload: bytes });
  });
});
