import { Buffer, isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { Assembly, type Piece } from '../../lib/protocol/assembly';
import { ProtocolError } from '../../lib/protocol/errors';
import { applyMask } from '../../lib/protocol/mask';
import { Opcode } from '../../lib/protocol/opcode';
import { hex } from '../support/bytes';
import { allocationsOf, sum } from './allocations';
import { bytes as anyBytes, nearUtf8, offsets } from './arbitraries';
import { cut } from './every-way';

/** A piece in clear, nothing known about what follows. */
const piece = (source: Buffer, more: Partial<Piece> = {}): Piece => ({
  source,
  start: 0,
  end: source.length,
  key: 0,
  following: Infinity,
  ...more,
});

const holding = (
  opcode: typeof Opcode.Text | typeof Opcode.Binary,
  ...parts: string[]
): Assembly => {
  const assembly = new Assembly(opcode);
  for (const part of parts) assembly.append(piece(hex(part)));
  return assembly;
};

/** What this ends in: a value, or the close code of the fault. */
function outcome(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    if (error instanceof ProtocolError) return error.closeCode;
    throw error;
  }
}

describe('§5.4 the pieces of a message', () => {
  it.each([
    ['text', Opcode.Text, ['Hello', false]],
    ['bytes', Opcode.Binary, [hex('48656c6c6f'), true]],
  ])('are told of as %s', (_name, opcode, message) => {
    const heard: unknown[] = [];
    holding(opcode, '48656c', '6c6f').tell({ onMessage: (...all) => heard.push(all) });
    expect(heard).toEqual([message]);
  });

  it('are put together in order', () => {
    expect(holding(Opcode.Text, '48656c', '', '6c6f').finish()).toBe('Hello');
    expect(holding(Opcode.Binary, '48656c', '', '6c6f').finish()).toEqual(hex('48656c6c6f'));
  });

  it('may be none, or all of them empty', () => {
    expect(holding(Opcode.Text).finish()).toBe('');
    expect(holding(Opcode.Binary).finish()).toEqual(hex(''));
    expect(holding(Opcode.Binary, '', '').finish()).toEqual(hex(''));
  });

  it('are text or binary as the first frame said', () => {
    expect(new Assembly(Opcode.Text).isText).toBe(true);
    expect(new Assembly(Opcode.Binary).isText).toBe(false);
  });

  it('are counted in bytes', () => {
    const assembly = new Assembly(Opcode.Binary);
    const lengths = [0, 125, 126, 65_535, 65_536].map((length) => {
      assembly.append(piece(Buffer.alloc(length)));
      return assembly.length;
    });
    expect(lengths).toEqual([0, 125, 251, 65_786, 131_322]);
  });

  it('are taken from where they lie in a read, which is left as it is', () => {
    const read = hex('ff 7f9f4d5158 ff');
    const assembly = new Assembly(Opcode.Text);
    assembly.append(piece(read, { start: 1, end: 4, key: 0x37fa213d }));
    assembly.append(piece(read, { start: 4, end: 6, key: 0x3d37fa21 }));
    expect(assembly.finish()).toBe('Hello');
    expect(read).toEqual(hex('ff 7f9f4d5158 ff'));
  });

  it.each([0, 1, 125, 126, 255, 256, 257, 65_535, 65_536])('may make %i bytes', (length) => {
    const payload = Buffer.from(Array.from({ length }, (_, i) => (i * 7) & 0xff));
    const assembly = new Assembly(Opcode.Binary);
    for (const part of cut(payload, [1, 100, 127, 300, 40_000])) assembly.append(piece(part));
    expect((assembly.finish() as Buffer).equals(payload)).toBe(true);
  });

  it('make the same message however they are cut and masked', () => {
    fc.assert(
      fc.property(anyBytes(700), offsets(700), (payload, at) => {
        const assembly = new Assembly(Opcode.Binary);
        for (const part of cut(payload, at)) {
          assembly.append(piece(part.map((octet) => octet ^ 0x5a) as Buffer, { key: 0x5a5a5a5a }));
        }
        expect(assembly.finish()).toEqual(payload);
      }),
    );
  });
});

describe('§8.1 the text of a message', () => {
  it('U-2 may have a character over pieces', () => {
    expect(holding(Opcode.Text, 'e282', '', 'ac').finish()).toBe('€');
    expect(holding(Opcode.Text, 'f0', '9f', '98', '80').finish()).toBe('😀');
  });

  it.each([['80'], ['f490'], ['c080'], ['61eda0']])('U-4 is refused at once: %s', (digits) => {
    expect(outcome(() => holding(Opcode.Text, digits))).toBe(1007);
  });

  it('U-3 is refused in the piece in which it goes wrong', () => {
    const assembly = holding(Opcode.Text, '61e2');
    expect(outcome(() => assembly.append(piece(hex('28'))))).toBe(1007);
  });

  it('U-1 is refused when it ends within a character', () => {
    expect(outcome(() => holding(Opcode.Text, '61e2', '82').finish())).toBe(1007);
  });

  it('is judged after it was unmasked', () => {
    const assembly = new Assembly(Opcode.Text);
    assembly.append(piece(hex('ffff'), { key: 0x9e9d0000 | 0 }));
    expect(assembly.finish()).toBe('ab');
  });

  it('is not judged in a binary message', () => {
    expect(holding(Opcode.Binary, 'f490', 'e2').finish()).toEqual(hex('f490e2'));
  });

  it('U-7 has the verdict of buffer.isUtf8, wherever it is cut', () => {
    fc.assert(
      fc.property(nearUtf8, offsets(60), (payload, at) => {
        const heard = outcome(() => {
          const assembly = new Assembly(Opcode.Text);
          for (const part of cut(payload, at)) assembly.append(piece(part));
          return assembly.finish();
        });
        expect(heard).toBe(isUtf8(payload) ? payload.toString() : 1007);
      }),
      { numRuns: 300 },
    );
  });
});

describe('§10.4 the number of frames', () => {
  it.each([1, 2, 125, 1024])('may be %i under that limit, and not one more', (limit) => {
    const assembly = new Assembly(Opcode.Binary);
    for (let frame = 0; frame < limit; frame++) assembly.countFragment(1, limit);
    expect(outcome(() => assembly.countFragment(1, limit))).toBe(1008);
  });

  it('counts a frame once, however long it is', () => {
    const assembly = new Assembly(Opcode.Binary);
    for (const length of [1, 125, 126, 65_535, 65_536]) assembly.countFragment(length, 5);
    expect(outcome(() => assembly.countFragment(2 ** 40, 5))).toBe(1008);
  });

  it('F-2 counts an empty frame as eight, for it costs its sender nothing', () => {
    const [enough, short] = [new Assembly(Opcode.Text), new Assembly(Opcode.Text)];
    enough.countFragment(0, 16);
    enough.countFragment(0, 16);
    expect(outcome(() => enough.countFragment(1, 16))).toBe(1008);
    expect(outcome(() => short.countFragment(0, 7))).toBe(1008);
  });

  it('names the limit in the fault', () => {
    expect(() => new Assembly(Opcode.Text).countFragment(1, 0)).toThrow('maxFragments 0');
  });
});

describe('memory', () => {
  const filled = (sizes: readonly number[], followingAfter: (seen: number) => number): number[] =>
    allocationsOf(() => {
      const assembly = new Assembly(Opcode.Binary);
      const source = Buffer.from(new Uint8Array(Math.max(...sizes)));
      let seen = 0;
      for (const end of sizes) {
        seen += end;
        assembly.append(piece(source, { end, following: followingAfter(seen) }));
      }
    });

  it('F-1 holds at most twice what was received, whatever may follow', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1 }), (sizes) => {
        const largest = Math.max(...filled(sizes, () => Infinity));
        expect(largest).toBeGreaterThanOrEqual(sum(sizes));
        expect(largest).toBeLessThanOrEqual(Math.max(256, 2 * sum(sizes)));
      }),
    );
  });

  it('F-3 does not trust what a frame declares', () => {
    const allocated = filled(Array<number>(4000).fill(1), (seen) => (100 << 20) - seen);
    expect(Math.max(...allocated)).toBeLessThanOrEqual(2 * 4000 + 256);
  });

  it('F-4 doubles, so that n bytes in n pieces are copied in proportion to n', () => {
    for (const count of [2 ** 12, 2 ** 14, 2 ** 16]) {
      const allocated = filled(Array<number>(count).fill(1), () => Infinity);
      expect(sum(allocated)).toBeLessThanOrEqual(4 * count + 512);
    }
  });

  it.each([10, 300, 1000, 5000])(
    'takes no more than a message of %i bytes needs where its end is known',
    (length) => {
      const pieces = Array<number>(length / 10).fill(10);
      const allocated = filled(pieces, (seen) => length - seen);
      expect(Math.max(...allocated)).toBe(length);
    },
  );

  it('asks for nothing while nothing came', () => {
    const allocated = allocationsOf(() => {
      const assembly = new Assembly(Opcode.Binary);
      assembly.append(piece(hex(''), { following: 1 << 30 }));
    });
    expect(allocated).toEqual([]);
  });

  it('F-5 keeps no piece as a view of the read it came in', () => {
    const assembly = new Assembly(Opcode.Binary);
    for (let i = 0; i < 10; i++) {
      const read = hex('61');
      assembly.append(piece(read));
      read.fill(0xff);
    }
    expect(assembly.finish()).toEqual(hex('61'.repeat(10)));
  });
});

describe('RFC 7692 §6.2 a compressed message', () => {
  it('is told from another one', () => {
    expect(new Assembly(Opcode.Text, 'compressed').isCompressed).toBe(true);
    expect(new Assembly(Opcode.Text, 'plain').isCompressed).toBe(false);
    expect(new Assembly(Opcode.Text).isCompressed).toBe(false);
  });

  it('is no text before it is inflated: its octets may be any', () => {
    const assembly = new Assembly(Opcode.Text, 'compressed');
    assembly.append(piece(hex('c080'), { following: 1 }));
    assembly.append(piece(hex('ff')));
    expect(assembly.payload).toEqual(hex('c080ff'));
  });
});

describe('a long frame that comes in long reads', () => {
  const READ = 65_536;
  const MESSAGE = 16 * READ;

  /** Reads of this many bytes of a frame that is `MESSAGE` bytes long, in clear. */
  function* reads(size = READ, memoryOf = size): Generator<Piece> {
    for (let seen = size; seen <= MESSAGE; seen += size) {
      const read = Buffer.from(new ArrayBuffer(memoryOf), 0, size).fill(seen / size);
      yield piece(read, { following: MESSAGE - seen });
    }
  }

  const assembled = (pieces: Iterable<Piece>, opcode: 1 | 2 = Opcode.Binary): Assembly => {
    const assembly = new Assembly(opcode);
    for (const each of pieces) assembly.append(each);
    return assembly;
  };

  it('is allocated for once, when half of it is here', () => {
    const assembly = new Assembly(Opcode.Binary);
    const allocated = [...reads()].map((each) => allocationsOf(() => assembly.append(each)));
    expect(allocated).toEqual([...Array<number[]>(7).fill([]), [MESSAGE], ...Array(8).fill([])]);
    expect(assembly.length).toBe(MESSAGE);
  });

  it('is all there, in order', () => {
    const all = Buffer.concat([...reads()].map(({ source }) => source));
    expect(all.equals(assembled(reads()).payload)).toBe(true);
    expect(assembled(reads(), Opcode.Text).finish() === all.toString()).toBe(true);
  });

  it('is unmasked, whichever way it is kept', () => {
    const masked = [...reads()].map((each) => ({ ...each, key: 0x01020304 }));
    const message = assembled(masked).payload;
    expect(message.subarray(0, 8)).toEqual(hex('00030205 00030205'));
    expect(message.subarray(-4)).toEqual(hex('11121314'));
  });

  it.each([
    ['long enough', 8192, 8192, 'held'],
    ['too short', 8191, 8191, 'copied'],
    ['half of its memory', 8192, 16_384, 'held'],
    ['less than half of its memory', 8192, 16_385, 'copied'],
  ])('holds a read that is %s, and copies any other', (_how, size, memory, kept) => {
    const [first] = reads(size, memory);
    const allocated = allocationsOf(() => assembled([first!]));
    expect(allocated).toEqual(kept === 'held' ? [] : [2 * size]);
  });

  it.each([
    ['behind a header', 14, READ, 'held'],
    ['behind more than that', 15, READ, 'copied'],
    ['before anything else', 0, READ - 1, 'copied'],
    ['in the second half', 57_344, READ, 'copied'],
    ['too short, far inside', 57_345, READ, 'copied'],
  ])('holds what is all of its read: %s, it is %s', (_where, start, end, kept) => {
    const read = Buffer.from(new ArrayBuffer(READ));
    const allocated = allocationsOf(() =>
      assembled([piece(read, { start, end, following: MESSAGE })]),
    );
    expect(allocated).toHaveLength(kept === 'held' ? 0 : 1);
  });

  it('measures a piece by itself, not with what is before it', () => {
    const read = Buffer.from(new ArrayBuffer(8192));
    const behind = piece(read, { start: 1, following: MESSAGE });
    expect(allocationsOf(() => assembled([behind]))).toHaveLength(1);
  });

  it('holds no read that lies behind something else in its memory', () => {
    const read = Buffer.from(new ArrayBuffer(READ), 15);
    expect(allocationsOf(() => assembled([piece(read, { following: MESSAGE })]))).toHaveLength(1);
  });

  it('fails when the memory of a read it holds is taken away, and never tells of other bytes', () => {
    const [one, ...others] = reads();
    const assembly = assembled([one!]);
    structuredClone(one!.source.buffer, { transfer: [one!.source.buffer as ArrayBuffer] });
    expect(() => {
      for (const each of others) assembly.append(each);
    }).toThrow('taken away');
  });

  it.each([
    ['one byte more than half is here', { following: 16_384 - 1 }],
    ['just half is here', { following: 16_384 }],
    ['the end is not known', { following: Infinity }],
  ])('holds nothing where %s', (_when, more) => {
    const [read] = reads(16_384);
    expect(allocationsOf(() => assembled([{ ...read!, ...more }]))).toHaveLength(1);
  });

  it('copies what it holds when a small piece follows, to twice of what is here', () => {
    const [one, two] = reads();
    const assembly = assembled([one!, two!]);
    const small = piece(hex('ff'), { following: MESSAGE - 2 * READ - 1 });
    expect(allocationsOf(() => assembly.append(small))).toEqual([2 * (2 * READ + 1)]);
    const rest = [...reads()].slice(2);
    expect(allocationsOf(() => assembly.append(rest[0]!))).toEqual([]);
    const all = Buffer.concat([one!.source, two!.source, hex('ff'), rest[0]!.source]);
    expect(all.equals(assembly.payload)).toBe(true);
  });

  it('is text through and through: refused in the very read that breaks it', () => {
    const assembly = new Assembly(Opcode.Text);
    const [one, two, three] = reads();
    assembly.append(one!);
    two!.source.set(hex('e282'), READ - 2);
    assembly.append(two!);
    expect(outcome(() => assembly.append(three!))).toBe(1007);
  });

  it('may have characters cut by its reads', () => {
    const text = 'a'.repeat(READ - 1) + '€'.repeat(4 * READ);
    const bytes = Buffer.from(text);
    const assembly = new Assembly(Opcode.Text);
    for (let at = 0; at < bytes.length; at += READ) {
      const read = Buffer.from(Uint8Array.from(bytes.subarray(at, at + READ)).buffer);
      assembly.append(piece(read, { following: bytes.length - at - read.length }));
    }
    expect(assembly.finish() === text).toBe(true);
  });

  it('F-3 is what was received, in whichever reads, and holds no more than twice of it', () => {
    const sizes = fc.array(
      fc.oneof(fc.integer({ min: 1, max: 20_000 }), fc.constantFrom(READ, READ / 2)),
      {
        minLength: 1,
        maxLength: 20,
      },
    );
    fc.assert(
      fc.property(sizes, fc.nat(), (lengths, key) => {
        const message = Buffer.alloc(sum(lengths), 'what was received, and no period of the key');
        const assembly = new Assembly(Opcode.Binary);
        let seen = 0;
        for (const length of lengths) {
          const read = Buffer.from(Uint8Array.from(message.subarray(seen, seen + length)).buffer);
          applyMask(read, 0, length, key);
          seen += length;
          const following = message.length - seen;
          const allocated = allocationsOf(() => assembly.append(piece(read, { key, following })));
          expect(sum(allocated)).toBeLessThanOrEqual(Math.max(256, 2 * seen));
        }
        expect(message.equals(assembly.payload)).toBe(true);
      }),
    );
  });
});
