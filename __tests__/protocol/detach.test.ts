import { Buffer } from 'node:buffer';
import { copyOf, detach, detachUnmasked } from '../../lib/protocol/detach';
import { hex } from '../support/bytes';

/** Bytes in the middle of so much memory. */
function within(memory: number, length: number): Buffer {
  return Buffer.alloc(memory, 'x').subarray(3, 3 + length);
}

describe('bytes that are passed on', () => {
  it.each([
    ['a quarter of it', 1000, 250],
    ['half of it', 1000, 500],
    ['nearly all of it', 1000, 997],
  ])('stay in their memory when they are %s', (_name, memory, length) => {
    const bytes = within(memory, length);
    expect(detach(bytes)).toBe(bytes);
  });

  it.each([
    ['just less than a quarter of it', 1000, 249],
    ['a little of it', 65_536, 10],
    ['nothing of it', 1000, 0],
  ])('are copied out when they are %s', (_name, memory, length) => {
    const bytes = within(memory, length);
    const copy = detach(bytes);
    expect(copy).toEqual(bytes);
    expect(copy.buffer).not.toBe(bytes.buffer);
    bytes.fill(0);
    expect(copy.toString()).toBe('x'.repeat(length));
  });
});

describe('bytes that are passed on without their masking key (RFC 6455 §5.3)', () => {
  const KEY = 0x37fa213d;
  const OCTETS = hex('37fa213d');

  /** `xx…` under the key, from the third byte of so much memory. */
  function maskedWithin(memory: number, length: number): Buffer {
    const source = Buffer.alloc(memory, '-');
    for (let i = 0; i < length; i++) source[3 + i] = 0x78 ^ OCTETS[i % 4]!;
    return source;
  }

  const unmasked = (source: Buffer, length: number): Buffer =>
    detachUnmasked({ source, start: 3, end: 3 + length, key: KEY });

  it.each([
    ['a quarter of it', 1000, 250],
    ['half of it', 1000, 500],
    ['nearly all of it', 1000, 997],
    ['a quarter of a read of 64 KiB', 65_536, 16_384],
  ])('are unmasked in their memory when they are %s', (_name, memory, length) => {
    const source = maskedWithin(memory, length);
    const bytes = unmasked(source, length);
    expect(bytes.toString()).toBe('x'.repeat(length));
    expect(bytes.buffer).toBe(source.buffer);
    expect(bytes.byteOffset).toBe(source.byteOffset + 3);
    expect(source.toString()).toBe(`---${'x'.repeat(length)}`.padEnd(memory, '-'));
  });

  it.each([
    ['just less than a quarter of it', 1000, 249],
    ['a little of it', 65_536, 10],
    ['nothing of it', 1000, 0],
    ['just less than a quarter of a read of 64 KiB', 65_536, 16_383],
  ])('are unmasked into a copy when they are %s, and stay as they are', (_name, memory, length) => {
    const source = maskedWithin(memory, length);
    const copy = unmasked(source, length);
    expect(copy.buffer).not.toBe(source.buffer);
    expect(source).toEqual(maskedWithin(memory, length));
    source.fill(0);
    expect(copy.toString()).toBe('x'.repeat(length));
  });
});

describe('copies', () => {
  it('hold at most four times their size, or 8 KiB that they share, whichever Node it is', () => {
    for (const size of [0, 1, 10, 125, 2047, 2048, 2049, 5000, 16_383]) {
      for (let count = 0; count < 20; count++) {
        const held = copyOf(Buffer.alloc(size)).buffer.byteLength;
        expect(held).toBeLessThanOrEqual(Math.max(4 * size, 8192));
      }
    }
  });

  it.each([
    [10, 1000, 2],
    [2048, 40, 10],
    [2049, 40, 40],
  ])(
    'of %i bytes share 8 KiB, if they are a quarter of it at the most',
    (size, count, memories) => {
      const buffers = Array.from({ length: count }, () => copyOf(Buffer.alloc(size)).buffer);
      const held = new Set(buffers).size;
      expect(held).toBeGreaterThanOrEqual(memories);
      // What was used of the first one before.
      expect(held).toBeLessThanOrEqual(memories + 1);
    },
  );

  it('have no byte in common, and any typed array may be laid over them', () => {
    const copies = Array.from({ length: 3000 }, (_, at) =>
      copyOf(Buffer.alloc(at % 30, at & 0xff)),
    );
    copies.forEach((copy, at) => expect(copy.equals(Buffer.alloc(at % 30, at & 0xff))).toBe(true));
    for (const { byteOffset } of copies) expect(byteOffset % 8).toBe(0);
  });
});
