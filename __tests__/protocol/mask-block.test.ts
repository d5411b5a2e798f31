import { Buffer } from 'node:buffer';
import { randomFillSync } from 'node:crypto';
import { makeMaskBlocks } from '../../lib/protocol/mask-block';
import { hex } from '../support/bytes';

const KEY = hex('37fa213d');

/** §5.3 word for word. */
function masked(bytes: Buffer): Buffer {
  return Buffer.from(bytes.map((octet, i) => octet ^ KEY[i % 4]!));
}

/** The word as this machine has it in memory. */
const WORD = new Int32Array(Uint8Array.from(KEY).buffer)[0]!;

/** Around the 64 bytes of a round, the 512 from which it is used, and the 65,536 of a block. */
const LENGTHS = [0, 1, 15, 63, 64, 65, 511, 512, 513, 4096, 65_535, 65_536, 65_537, 200_003];

/** Runs with this in place of the global `WebAssembly`. */
function withApi<T>(api: unknown, run: () => T): T {
  const property = Object.getOwnPropertyDescriptor(globalThis, 'WebAssembly')!;
  Object.defineProperty(globalThis, 'WebAssembly', { ...property, value: api });
  try {
    return run();
  } finally {
    Object.defineProperty(globalThis, 'WebAssembly', property);
  }
}

function Refused(): never {
  throw new Error('code generation is not allowed');
}

describe('masking in blocks (§5.3)', () => {
  const blocks = makeMaskBlocks()!;

  it.each(LENGTHS)('is the octet-wise rule for %i bytes, copied and in place', (length) => {
    for (const [start, at] of [
      [0, 0],
      [3, 5],
      [5, 3],
    ] as const) {
      const source = randomFillSync(Buffer.alloc(start + length + 80));
      const before = Buffer.from(source);
      const expected = masked(source.subarray(start, start + length));
      const target = Buffer.alloc(at + length + 80, 0xaa);
      blocks({ source, start, end: start + length, word: WORD }, target, at);
      expect(source.equals(before)).toBe(true);
      expect(target.subarray(at, at + length).equals(expected)).toBe(true);
      expect(target.fill(0xaa, at, at + length).every((octet) => octet === 0xaa)).toBe(true);
      blocks({ source, start, end: start + length, word: WORD }, source, start);
      expect(source.subarray(start, start + length).equals(expected)).toBe(true);
      expect(source.subarray(start + length).equals(before.subarray(start + length))).toBe(true);
    }
  });

  it.each([
    ['is missing', undefined],
    ['may not make code', { Module: Refused, Instance: Refused }],
  ])('is not there where WebAssembly %s', (_name, api) => {
    expect(withApi(api, makeMaskBlocks)).toBeUndefined();
  });
});
