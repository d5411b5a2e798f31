import { Buffer } from 'node:buffer';
import { randomFillSync } from 'node:crypto';
import fc from 'fast-check';
import { applyMask, rotateKey } from '../../lib/protocol/mask';
import * as maskMemoryModule from '../../lib/protocol/mask-memory';
import { BLOCK_AT, PAGE, type MaskMemory } from '../../lib/protocol/mask-memory';
import { hex } from '../support/bytes';
import { loadWith } from './with-mask-memory';

/** §5.3 word for word: octet i of the payload and octet i MOD 4 of the key. */
function masked(payload: Buffer, key: string): Buffer {
  const octets = hex(key);
  return Buffer.from(payload.map((octet, i) => octet ^ octets[i % 4]!));
}

/** The key as the functions take it; unsigned, as a parser may give it. */
const number = (key: string): number => hex(key).readUInt32BE();

const KEYS = ['37fa213d', '00000000', 'ffffffff', '80000001', '00ff00ff', '01020304'];

/** Memory of its own with a view at `offset`, filled with what tells each octet from its neighbours. */
function view(offset: number, length: number, behind = 8): Buffer {
  const memory = Buffer.from(new ArrayBuffer(offset + length + behind));
  for (let i = 0; i < memory.length; i++) memory[i] = (i * 31 + 7) & 0xff;
  return memory;
}

describe('§5.3 masking', () => {
  it('unmasks the example of §5.7', () => {
    const bytes = hex('7f9f4d5158');
    applyMask(bytes, 0, 5, number('37fa213d'));
    expect(bytes.toString()).toBe('Hello');
  });

  it.each(KEYS)(
    'is the octet-wise rule, at every alignment and length up to 200, key %s',
    (key) => {
      const wrong: string[] = [];
      for (let offset = 0; offset < 8; offset++) {
        for (let length = 0; length <= 200; length++) {
          const memory = view(offset, length);
          const expected = Buffer.concat([
            memory.subarray(0, offset),
            masked(memory.subarray(offset, offset + length), key),
            memory.subarray(offset + length),
          ]);
          applyMask(memory, offset, offset + length, number(key));
          if (!memory.equals(expected)) wrong.push(`${length} octets at ${offset}`);
        }
      }
      expect(wrong).toEqual([]);
    },
  );

  it('touches only its octets, also for short pieces far into a read', () => {
    const wrong: string[] = [];
    for (let offset = 1000; offset < 1008; offset++) {
      for (let length = 0; length <= 60; length++) {
        const memory = view(offset, length);
        const expected = view(offset, length);
        masked(expected.subarray(offset, offset + length), '37fa213d').copy(expected, offset);
        applyMask(memory, offset, offset + length, number('37fa213d'));
        if (!memory.equals(expected)) wrong.push(`${length} octets at ${offset}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('is its own inverse, at every alignment and length up to 200', () => {
    const wrong: string[] = [];
    for (let offset = 0; offset < 4; offset++) {
      for (let length = 0; length <= 200; length++) {
        const memory = view(offset, length);
        for (let twice = 0; twice < 2; twice++) {
          applyMask(memory, offset, offset + length, number('a1b2c3d4'));
        }
        if (!memory.equals(view(offset, length))) wrong.push(`${length} octets at ${offset}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('goes by where the octets lie in memory, not in their view', () => {
    for (let shift = 0; shift < 4; shift++) {
      for (let start = 0; start < 4; start++) {
        const memory = view(0, 120);
        const bytes = memory.subarray(shift);
        const expected = masked(bytes.subarray(start, start + 100), '37fa213d');
        applyMask(bytes, start, start + 100, number('37fa213d'));
        expect(bytes.subarray(start, start + 100)).toEqual(expected);
      }
    }
  });

  it('reaches the last octet of memory that is no whole number of words', () => {
    for (const length of [97, 98, 99, 100]) {
      const memory = view(0, length, 0);
      const expected = masked(memory, '37fa213d');
      applyMask(memory, 0, length, number('37fa213d'));
      expect(memory).toEqual(expected);
    }
  });

  it('keeps buffers apart when they are masked in turn', () => {
    const [one, other] = [view(0, 64), view(1, 64)];
    const expected = masked(one.subarray(0, 64), '37fa213d');
    applyMask(one, 0, 64, number('ffffffff'));
    applyMask(other, 1, 65, number('37fa213d'));
    applyMask(one, 0, 64, number('ffffffff'));
    applyMask(one, 0, 64, number('37fa213d'));
    expect(one.subarray(0, 64)).toEqual(expected);
    expect(other.subarray(1, 65)).toEqual(masked(view(1, 64).subarray(1, 65), '37fa213d'));
  });

  it('takes the key signed and unsigned alike', () => {
    const [unsigned, signed] = [view(0, 100), view(0, 100)];
    applyMask(unsigned, 0, 100, 0xa1b2c3d4);
    applyMask(signed, 0, 100, 0xa1b2c3d4 | 0);
    expect(signed).toEqual(unsigned);
  });
});

describe('§5.3 a payload that comes in pieces', () => {
  it.each([
    [0, '37fa213d'],
    [1, 'fa213d37'],
    [2, '213d37fa'],
    [3, '3d37fa21'],
    [4, '37fa213d'],
    [5, 'fa213d37'],
    [65_535, '3d37fa21'],
    [65_536, '37fa213d'],
  ])('continues the key behind %i octets', (count, expected) => {
    expect(rotateKey(number('37fa213d'), count) >>> 0).toBe(number(expected));
  });

  it('turns a key with its highest bit set without losing bits', () => {
    expect(rotateKey(number('80fe01c0'), 1) >>> 0).toBe(number('fe01c080'));
    expect(rotateKey(number('80fe01c0') | 0, 3) >>> 0).toBe(number('c080fe01'));
  });

  it('masks pieces as it masks the whole', () => {
    const keys = fc.uint8Array({ minLength: 4, maxLength: 4 });
    const cuts = fc.array(fc.nat({ max: 200 }), { maxLength: 6 });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), keys, cuts, (payload, keyBytes, at) => {
        const key = Buffer.from(keyBytes).toString('hex');
        const bytes = Buffer.from(payload);
        const bounds = [0, ...at.map((n) => Math.min(n, bytes.length)), bytes.length];
        bounds.sort((a, b) => a - b);
        let turned = number(key);
        for (let i = 1; i < bounds.length; i++) {
          applyMask(bytes, bounds[i - 1]!, bounds[i]!, turned);
          turned = rotateKey(turned, bounds[i]! - bounds[i - 1]!);
        }
        expect(bytes).toEqual(masked(Buffer.from(payload), key));
      }),
    );
  });
});

it('masks in memory of any size, however sizes follow each other', () => {
  const wrong: string[] = [];
  for (const length of [100, 65_528, 65_529, 200_001, 100, 65_540, 200_001, 64]) {
    for (const offset of [0, 3]) {
      const memory = view(offset, length);
      const expected = Buffer.concat([
        memory.subarray(0, offset),
        masked(memory.subarray(offset, offset + length), '37fa213d'),
        memory.subarray(offset + length),
      ]);
      applyMask(memory, offset, offset + length, number('37fa213d'));
      if (!memory.equals(expected)) wrong.push(`${length} octets at ${offset}`);
      // The same memory once more: masking and unmasking are one operation.
      applyMask(memory, offset, offset + length, number('37fa213d'));
      if (!memory.equals(view(offset, length))) wrong.push(`${length} octets at ${offset}, twice`);
    }
  }
  expect(wrong).toEqual([]);
});

describe('the words that memory is looked at in', () => {
  /** How many views are made while `run` runs. */
  function viewsMadeBy(run: () => void): number {
    const plain = globalThis.Int32Array;
    let made = 0;
    globalThis.Int32Array = new Proxy(plain, {
      construct(target, args) {
        made++;
        return Reflect.construct(target, args) as Int32Array;
      },
    });
    try {
      run();
    } finally {
      globalThis.Int32Array = plain;
    }
    return made;
  }

  const mask = (memory: Buffer, length: number): void => applyMask(memory, 0, length, 1);

  it('are for 48 octets and more: below, setting them up would take longer', () => {
    expect(viewsMadeBy(() => mask(view(0, 47), 47))).toBe(0);
    expect(viewsMadeBy(() => mask(view(0, 48), 48))).toBe(1);
  });

  it('are made once for all frames of one read', () => {
    const memory = view(0, 1000);
    const frames = (): void => [100, 200, 300].forEach((length) => mask(memory, length));
    expect(viewsMadeBy(frames)).toBe(1);
  });

  it.each([
    [65_536, 1],
    [65_540, 2],
  ])('are kept for a read, and do not hold more: memory of %i octets twice', (size, views) => {
    const memory = view(0, size, 0);
    const twice = (): void => [100, 100].forEach((length) => mask(memory, length));
    expect(viewsMadeBy(twice)).toBe(views);
  });
});

describe.each([
  ['with WebAssembly', maskMemoryModule.maskMemory],
  ['without it', undefined],
])('§5.3 a payload of any length, %s', (_name, maskMemory) => {
  const { applyMask: apply, copyMasked: copy } = loadWith('mask', maskMemory);
  const key = number('37fa213d');

  it.each([0, 1, 15, 47, 48, 64, 511, 512, 513, 4096, 65_535, 65_536, 65_537, 200_003])(
    'of %i octets is unmasked in place and in a copy',
    (length) => {
      const source = randomFillSync(Buffer.alloc(length + 8));
      const before = Buffer.from(source);
      const expected = masked(source.subarray(3, length + 3), '37fa213d');
      const target = Buffer.alloc(length + 6, 0xaa);
      copy({ source, start: 3, end: length + 3, key }, target, 1);
      expect(source.equals(before)).toBe(true);
      expect(target.subarray(1, length + 1).equals(expected)).toBe(true);
      expect(target.fill(0xaa, 1, length + 1).every((octet) => octet === 0xaa)).toBe(true);
      apply(source, 3, length + 3, key);
      expected.copy(before, 3);
      expect(source.equals(before)).toBe(true);
    },
  );
});

describe('WebAssembly', () => {
  it.each([
    [511, []],
    [512, [512]],
    [513, [513]],
    [PAGE, [PAGE]],
    [PAGE + 1, [PAGE, 16]],
    [PAGE + 17, [PAGE, 17]],
    [2 * PAGE, [PAGE, PAGE]],
  ])('is asked from 512 octets on: for %i to mask %j', (length, counts) => {
    const mask = jest.fn<boolean, Parameters<MaskMemory['mask']>>();
    const bytes = Buffer.alloc(2 * PAGE);
    const view: MaskMemory['view'] = (at, count) => bytes.subarray(at, at + count);
    const { applyMask: apply, copyMasked: copy } = loadWith('mask', {
      bytes,
      mask,
      view,
    });
    const [source, target] = [Buffer.alloc(length + 3), Buffer.alloc(length + 1)];
    const key = number('37fa213d');
    const asked = counts.map((count) => [BLOCK_AT, count, key]);
    apply(source, 3, 3 + length, key);
    expect(mask.mock.calls).toEqual(asked);
    mask.mockClear();
    copy({ source, start: 3, end: 3 + length, key }, target, 1);
    expect(mask.mock.calls).toEqual(asked);
  });

  it('leaves the first page alone: the read at hand is there', () => {
    const { bytes } = maskMemoryModule.maskMemory!;
    bytes.fill(0xaa);
    applyMask(Buffer.alloc(3 * PAGE + 5), 0, 3 * PAGE + 5, 0x01020304);
    expect(bytes.subarray(0, PAGE).every((octet) => octet === 0xaa)).toBe(true);
  });
});
