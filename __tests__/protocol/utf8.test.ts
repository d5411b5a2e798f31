import type * as buffers from 'node:buffer';
import { Buffer, isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { ProtocolError } from '../../lib/protocol/errors';
import type * as utf8 from '../../lib/protocol/utf8';
import { decodeText, invalidText, Utf8Validator } from '../../lib/protocol/utf8';
import { hex } from '../support/bytes';
import { nearUtf8, offsets } from './arbitraries';
import { cut } from './every-way';

/** The text, or the close code it is refused with. */
function read(bytes: Buffer, start = 0, end = bytes.length): string | number {
  try {
    return decodeText(bytes, start, end);
  } catch (error) {
    if (error instanceof ProtocolError) return error.closeCode;
    throw error;
  }
}

/** After how many bytes, one at a time, the validator refuses; undefined when it never does. */
function refusedAt(bytes: Buffer): number | undefined {
  const validator = new Utf8Validator();
  for (let at = 0; at < bytes.length; at++) if (!validator.push(bytes, at, at + 1)) return at + 1;
  return undefined;
}

/** The verdict on text in pieces: valid, and not cut within a character. */
function accepts(pieces: readonly Buffer[]): boolean {
  const validator = new Utf8Validator();
  return pieces.every((piece) => validator.push(piece, 0, piece.length)) && validator.isComplete;
}

/** RFC 3629 §4: every way in which an open sequence can be filled up, tried on the judge from Node. */
const ENDINGS = ['', '80', '8080', '808080', 'bf', 'bfbf', 'bfbfbf'].map((digits) => hex(digits));
const canBecomeUtf8 = (start: Buffer): boolean =>
  ENDINGS.some((ending) => isUtf8(Buffer.concat([start, ending])));

/** One byte from each class that RFC 3629 §4 tells apart, and the edges of each. */
const CLASSES = hex('00 7f 80 8f 90 9f a0 bf c0 c1 c2 df e0 e1 ec ed ee ef f0 f1 f3 f4 f5 ff');

const INVALID: [string, string][] = [
  ['an over-long NUL', 'c080'],
  ['the over-long lead c1', 'c1bf'],
  ['the first surrogate', 'eda080'],
  ['the last surrogate', 'edbfbf'],
  ['a pair of surrogates', 'eda0bdedb880'],
  ['the first code point too high', 'f4908080'],
  ['a lead byte for code points too high', 'f5808080'],
  ['a continuation byte alone', '80'],
  ['a continuation byte too many', 'e282ac80'],
  ['two bytes of three', 'e282'],
  ['three bytes of four', 'f09f98'],
  ['a lead byte alone', 'c3'],
  ['a lead byte before ASCII', 'c341'],
  ['a lead byte before a lead byte', 'c3c3'],
  ['f8', 'f888808080'],
  ['fe', 'fe'],
  ['ff', 'ff'],
  ['an over-long form of three bytes', 'e08080'],
  ['the longest over-long form of three bytes', 'e09fbf'],
  ['an over-long form of four bytes', 'f0808080'],
  ['the longest over-long form of four bytes', 'f08fbfbf'],
];

const VALID: [string, string][] = [
  ['nothing', ''],
  ['NUL', '00'],
  ['the last of one byte', '7f'],
  ['the first and last of two bytes', 'c280dfbf'],
  ['the first and last of three bytes', 'e0a080efbfbf'],
  ['the neighbours of the surrogates', 'ed9fbfee8080'],
  ['the first and last of four bytes', 'f0908080f48fbfbf'],
  ['€', 'e282ac'],
  ['a byte order mark', 'efbbbf'],
  ['U+FFFD itself', 'efbfbd'],
  ['U+FFFD between others', 'c3a9efbfbdf09f9880'],
];

describe('§8.1 the text of a message', () => {
  const lengths = [0, 1, 10, 11, 12, 125, 126, 2047, 2048, 2049, 65_535, 65_536];

  it.each(lengths)('is read in %i bytes of ASCII', (length) => {
    expect(read(Buffer.alloc(length, 'abc')) === 'abc'.repeat(length).slice(0, length)).toBe(true);
  });

  it.each(VALID)('is read with %s at its end or start, after and before ASCII', (_name, digits) => {
    const bytes = hex(digits);
    const meant = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    for (const length of lengths) {
      const ascii = Buffer.alloc(length, 'a');
      expect(read(Buffer.concat([ascii, bytes])) === 'a'.repeat(length) + meant).toBe(true);
      expect(read(Buffer.concat([bytes, ascii])) === meant + 'a'.repeat(length)).toBe(true);
    }
  });

  it.each(INVALID)('U-1 is refused with %s, after and before ASCII', (_name, digits) => {
    for (const length of lengths) {
      const ascii = Buffer.alloc(length, 'a');
      expect(read(Buffer.concat([ascii, hex(digits)]))).toBe(1007);
      expect(read(Buffer.concat([hex(digits), ascii]))).toBe(1007);
    }
  });

  it('U-1 is refused although it also holds a U+FFFD that was meant', () => {
    expect(read(hex('efbfbd ff efbfbd'))).toBe(1007);
  });

  it('lies between start and end; what is around it does not matter', () => {
    for (const length of [3, 30, 3000]) {
      const around = Buffer.concat([hex('ff80'), Buffer.alloc(length, 'x'), hex('80ff')]);
      expect(read(around, 2, 2 + length) === 'x'.repeat(length)).toBe(true);
      expect(read(around, 2, 3 + length)).toBe(1007);
      expect(read(around, 1, 2 + length)).toBe(1007);
    }
    expect(read(hex('e2 82ac'), 1, 1)).toBe('');
  });

  it('is refused with 1007, naming the clause', () => {
    expect(invalidText()).toBeInstanceOf(ProtocolError);
    expect(invalidText()).toMatchObject({
      closeCode: 1007,
      message: expect.stringContaining('§8.1'),
    });
  });

  it('U-7 has the verdict of buffer.isUtf8, and the words of its sender', () => {
    fc.assert(
      fc.property(fc.oneof(nearUtf8, fc.uint8Array({ maxLength: 40 })), (array) => {
        const bytes = Buffer.from(array);
        expect(read(bytes)).toBe(isUtf8(bytes) ? bytes.toString() : 1007);
      }),
      { numRuns: 1000 },
    );
  });
});

/** The module as it is where Node has these, and V8 that. */
function loadedWhere(has: { transcode: boolean; fastDecoder: boolean }): typeof utf8 {
  const asItIs = Object.getOwnPropertyDescriptor(globalThis, 'Float16Array');
  let loaded: typeof utf8 | undefined;
  try {
    if (has.fastDecoder) Object.assign(globalThis, { Float16Array: Uint16Array });
    else Reflect.deleteProperty(globalThis, 'Float16Array');
    jest.isolateModules(() => {
      const real = jest.requireActual<typeof buffers>('node:buffer');
      jest.doMock('node:buffer', () => (has.transcode ? real : { ...real, transcode: undefined }));
      loaded = jest.requireActual<typeof utf8>('../../lib/protocol/utf8');
      jest.dontMock('node:buffer');
    });
  } finally {
    Reflect.deleteProperty(globalThis, 'Float16Array');
    if (asItIs !== undefined) Object.defineProperty(globalThis, 'Float16Array', asItIs);
  }
  return loaded!;
}

/** The text of bytes that came in pieces of this many. */
function gathered({ Utf8Validator: Validator }: typeof utf8, bytes: Buffer, each: number): string {
  const validator = new Validator();
  for (let at = 0; at < bytes.length; at += each) {
    validator.push(bytes, at, Math.min(bytes.length, at + each));
  }
  return validator.textOf(bytes);
}

describe.each([
  ['with SIMD in V8 (Node 24 on)', { fastDecoder: true, transcode: true }, 'utf8'],
  ['without it (Node 20, 22)', { fastDecoder: false, transcode: true }, 'utf16le'],
  ['without either it or ICU', { fastDecoder: false, transcode: false }, 'utf8'],
])('how text is decoded, by its length (bench/micro), %s', (_where, has, longBeyondAscii) => {
  const loaded = loadedWhere(has);

  /** The encodings that Buffer was asked for, in turn. */
  function asked(run: () => unknown): unknown[] {
    const spy = jest.spyOn(Buffer.prototype, 'toString');
    try {
      run();
      return spy.mock.calls.map(([encoding]) => encoding);
    } finally {
      spy.mockRestore();
    }
  }

  it.each([
    ['a loop up to 11 octets of ASCII', 11, 'a', []],
    ['a loop up to the last octet of ASCII', 11, '\x7f', []],
    ['UTF-8 where they are not ASCII', 10, 'é', ['utf8']],
    ['UTF-8 from 12 octets on', 12, 'a', ['utf8']],
    ['UTF-8 up to 511 octets', 511, 'a', ['utf8']],
    ['Latin-1 for ASCII of 512 octets', 512, 'a', ['latin1']],
    [`${longBeyondAscii} for anything else of 512 octets`, 512, 'é', [longBeyondAscii]],
  ])('%s', (_name, length, pattern, encodings) => {
    for (const start of [0, 3, 3000]) {
      const bytes = Buffer.alloc(start + length).fill(pattern, start);
      const decode = () => loaded.decodeText(bytes, start, start + length);
      expect(asked(decode)).toEqual(encodings);
      expect(decode() === pattern.repeat(length / Buffer.byteLength(pattern))).toBe(true);
    }
  });

  it.each([
    ['UTF-8 up to 511 octets', 511, 'a', 'utf8'],
    ['Latin-1 for ASCII of 512 octets', 512, 'a', 'latin1'],
    [`${longBeyondAscii} for anything else of 512 octets`, 512, 'é', longBeyondAscii],
  ])('in pieces: %s', (_name, length, pattern, encoding) => {
    const bytes = Buffer.alloc(length, pattern);
    for (const each of [1, 2, 100, length]) {
      expect(asked(() => gathered(loaded, bytes, each))).toEqual([encoding]);
    }
  });

  it.each([
    ['ASCII', 'abcdefg'],
    ['characters of one to four bytes', 'a😀é€'],
    ['byte order marks', '\ufeff'],
  ])('puts long text of %s together from pieces', (_what, pattern) => {
    for (const length of [32_767, 32_768, 32_769, 65_536, 200_000]) {
      for (let shift = 0; shift < 4; shift++) {
        const text = 'x'.repeat(shift) + pattern.repeat(length / Buffer.byteLength(pattern));
        const bytes = Buffer.from(text);
        expect(loaded.decodeText(bytes, 0, bytes.length) === text).toBe(true);
        expect(gathered(loaded, bytes, 50_000) === text).toBe(true);
        const decodings = asked(() => loaded.decodeText(bytes, 0, bytes.length)).length;
        expect(decodings).toBeGreaterThanOrEqual(Math.ceil(bytes.length / 32_768));
        expect(decodings).toBeLessThanOrEqual(Math.ceil(bytes.length / 32_765));
      }
    }
  });

  it.each([
    [1_048_576, 32],
    [1_048_577, 1],
  ])('decodes text of %i bytes by %i strings', (length, strings) => {
    const bytes = Buffer.alloc(length, 'a');
    expect(asked(() => loaded.decodeText(bytes, 0, length))).toHaveLength(strings);
    expect(asked(() => gathered(loaded, bytes, 100_000))).toHaveLength(strings);
  });

  it('is what Buffer makes of it, at every length, wherever it is cut', () => {
    for (const text of [
      '',
      'a',
      'é',
      '€',
      '😀',
      'a😀é€',
      `${'a'.repeat(600)}é`,
      `é${'a'.repeat(600)}`,
    ]) {
      for (const count of [1, 100, 511, 600]) {
        const bytes = Buffer.from(text.repeat(count));
        for (const each of [7, 1000, bytes.length || 1]) {
          expect(gathered(loaded, bytes, each) === bytes.toString()).toBe(true);
        }
      }
    }
  });
});

describe('§8.1 text that arrives in pieces', () => {
  it.each(VALID)('takes %s, wherever it is cut', (_name, digits) => {
    const bytes = Buffer.concat([hex('61'), hex(digits), hex('62')]);
    for (let one = 0; one <= bytes.length; one++) {
      for (let other = one; other <= bytes.length; other++) {
        expect(accepts(cut(bytes, [one, other]))).toBe(true);
      }
    }
  });

  it.each(INVALID)('U-1 refuses %s, wherever it is cut', (_name, digits) => {
    for (const around of ['', '61', 'e282ac']) {
      const bytes = Buffer.concat([hex(around), hex(digits), hex(around)]);
      for (let at = 0; at <= bytes.length; at++) expect(accepts(cut(bytes, [at]))).toBe(false);
    }
  });

  it('U-2 takes a character over pieces of one byte, with empty pieces between', () => {
    const empty = hex('');
    expect(accepts([hex('f0'), empty, hex('9f'), empty, hex('98'), empty, hex('80')])).toBe(true);
    expect(accepts([hex('e282'), hex('ac')])).toBe(true);
  });

  it('U-3 refuses a character that goes wrong in a later piece', () => {
    expect(accepts([hex('e2'), hex('28')])).toBe(false);
    expect(accepts([hex('f09f'), hex(''), hex('98'), hex('c0')])).toBe(false);
  });

  it('takes what lies between start and end only', () => {
    const validator = new Utf8Validator();
    expect(validator.push(hex('ff e282 ff'), 1, 3)).toBe(true);
    expect(validator.isComplete).toBe(false);
    expect(validator.push(hex('80 ac 80'), 1, 2)).toBe(true);
    expect(validator.isComplete).toBe(true);
  });

  it('is complete before anything came, and whenever no character is open', () => {
    const validator = new Utf8Validator();
    const complete = [validator.isComplete];
    for (const byte of hex('61 c3a9 e282ac f09f9880')) {
      validator.push(Buffer.from([byte]), 0, 1);
      complete.push(validator.isComplete);
    }
    expect(complete.map(Number).join('')).toBe('11010010001');
  });

  it.each([
    ['f490', 2],
    ['eda0', 2],
    ['e09f', 2],
    ['f08f', 2],
    ['c0', 1],
    ['c1', 1],
    ['f5', 1],
    ['80', 1],
    ['6162c328', 4],
    ['e28228', 3],
    ['f09f98c0', 4],
    ['cebae1bdb9cf83cebcceb5f4908080656469746564', 13],
  ])('U-4 refuses %s at byte %i, not later', (digits, at) => {
    const bytes = hex(digits);
    expect(refusedAt(bytes)).toBe(at);
    const validator = new Utf8Validator();
    expect(validator.push(bytes, 0, at)).toBe(false);
  });

  it('U-4 refuses all pairs of bytes exactly where they can no longer become UTF-8', () => {
    const late: string[] = [];
    for (let pair = 0; pair <= 0xffff; pair++) {
      const bytes = Buffer.from([pair >> 8, pair & 0xff]);
      const start = canBecomeUtf8(bytes.subarray(0, 1));
      const expected = start ? (canBecomeUtf8(bytes) ? undefined : 2) : 1;
      if (refusedAt(bytes) !== expected) late.push(bytes.toString('hex'));
    }
    expect(late).toEqual([]);
  });

  it('judges like buffer.isUtf8 every sequence of three and four bytes, one of each class', () => {
    const wrong: string[] = [];
    const check = (sequence: readonly number[]): void => {
      const bytes = Buffer.from(sequence);
      const verdict = isUtf8(bytes);
      const halves = [bytes.subarray(0, 2), bytes.subarray(2)];
      if (accepts([bytes]) !== verdict || accepts(halves) !== verdict) {
        wrong.push(bytes.toString('hex'));
      }
    };
    const leads = CLASSES.filter((byte) => byte >= 0xc2);
    for (const a of CLASSES) for (const b of CLASSES) for (const c of CLASSES) check([a, b, c]);
    const tails = hex('00 7f 80 bf c0 ff');
    for (const a of leads) {
      for (const b of CLASSES) for (const c of tails) for (const d of tails) check([a, b, c, d]);
    }
    expect(wrong).toEqual([]);
  });

  it('U-7 has the verdict of buffer.isUtf8 on the whole, wherever it is cut', () => {
    const any = fc.oneof(nearUtf8, fc.uint8Array({ maxLength: 40 }));
    fc.assert(
      fc.property(any, offsets(60), (array, at) => {
        const bytes = Buffer.from(array);
        expect(accepts(cut(bytes, at))).toBe(isUtf8(bytes));
      }),
      { numRuns: 1000 },
    );
  });

  it('U-4 refuses in the very piece in which the text becomes impossible', () => {
    fc.assert(
      fc.property(nearUtf8, offsets(60), (bytes, at) => {
        const validator = new Utf8Validator();
        let seen = 0;
        for (const piece of cut(bytes, at)) {
          seen += piece.length;
          const verdict = validator.push(piece, 0, piece.length);
          expect(verdict).toBe(canBecomeUtf8(bytes.subarray(0, seen)));
          if (!verdict) return;
        }
      }),
      { numRuns: 500 },
    );
  });
});
