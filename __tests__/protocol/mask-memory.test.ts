import { Buffer } from 'node:buffer';
import { randomFillSync } from 'node:crypto';
import { makeMaskMemory, MIN_MASKED, PAGE, type MaskMemory } from '../../lib/protocol/mask-memory';
import { hex } from '../support/bytes';

const KEY = hex('37fa213d');

/** §5.3 word for word. */
function masked(bytes: Buffer): Buffer {
  return Buffer.from(bytes.map((octet, i) => octet ^ KEY[i % 4]!));
}

/** Every tail there is behind rounds of 64 and of 16, and a page. */
const LENGTHS = [...Array(200).keys()]
  .map((more) => MIN_MASKED + more)
  .concat(4096, PAGE - 1, PAGE);

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

describe('memory to mask in (§5.3)', () => {
  const key = KEY.readUInt32BE(0);
  let memory: MaskMemory;

  beforeEach(() => {
    memory = makeMaskMemory()!;
  });

  it('has two pages', () => {
    expect(memory.bytes).toHaveLength(2 * PAGE);
  });

  it.each([
    [0, 0],
    [3, 5],
    [PAGE, PAGE],
  ])('shows what is there: from %i, %i octets', (at, length) => {
    randomFillSync(memory.bytes);
    const view = memory.view(at, length);
    expect(memory.bytes.subarray(at, at + length).equals(view)).toBe(true);
    expect(view.buffer).toBe(memory.bytes.buffer);
  });

  it.each([0, 3, 1000, PAGE])('follows the octet-wise rule at %i, for any length', (at) => {
    const { bytes, mask } = memory;
    for (const length of LENGTHS) {
      randomFillSync(bytes);
      const expected = Buffer.from(bytes);
      masked(bytes.subarray(at, at + length)).copy(expected, at);
      mask(at, length, key);
      expect(bytes.equals(expected)).toBe(true);
    }
  });

  it.each([16, 17, 31, 32, 63, 64, 80, 100, 200])(
    'knows ASCII of %i bytes from anything else',
    (length) => {
      const { bytes, mask } = memory;
      const ascii = Buffer.alloc(length, '\0a\x7f');
      masked(ascii).copy(bytes, 5);
      expect(mask(5, length, key)).toBe(true);
      for (let at = 0; at < length; at++) {
        const other = Buffer.from(ascii);
        other[at] = 0x80;
        masked(other).copy(bytes, 5);
        expect(mask(5, length, key)).toBe(false);
      }
    },
  );

  it('is not misled by what lies around', () => {
    const { bytes, mask } = memory;
    bytes.fill(0xff);
    masked(Buffer.alloc(100, 'a')).copy(bytes, 20);
    expect(mask(20, 100, key)).toBe(true);
  });

  it.each([
    ['is missing', undefined],
    ['may not make code', { Module: Refused, Instance: Refused }],
  ])('is not there where WebAssembly %s', (_name, api) => {
    expect(withApi(api, makeMaskMemory)).toBeUndefined();
  });
});
