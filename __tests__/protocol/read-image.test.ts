import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { applyMask } from '../../lib/protocol/mask';
import * as maskMemoryModule from '../../lib/protocol/mask-memory';
import { PAGE } from '../../lib/protocol/mask-memory';
import { copyUnmasked, forgetRead, imageOf, unmaskedText } from '../../lib/protocol/read-image';
import { loadWith } from './with-mask-memory';

const KEY = 0x37fa213d;

/** Where a text lies in a read. */
interface Place {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** A read with these texts in it, masked, and gaps between them. */
function readWith(texts: readonly string[], gap = 8): { read: Buffer; places: Place[] } {
  const pieces: Buffer[] = [];
  const places: Place[] = [];
  let at = 0;
  for (const text of texts) {
    const bytes = Buffer.from(text);
    places.push({ text, start: at + gap, end: at + gap + bytes.length });
    applyMask(bytes, 0, bytes.length, KEY);
    pieces.push(Buffer.alloc(gap, 0xff), bytes);
    at += gap + bytes.length;
  }
  return { read: Buffer.concat(pieces), places };
}

function expectTexts(read: Buffer, places: readonly Place[], module = { unmaskedText }): void {
  for (const { text, start, end } of places) {
    expect(module.unmaskedText(read, start, end, KEY) === text).toBe(true);
  }
}

/** The same of bytes that are copied out; those of the read and around the copy stay as they were. */
function expectCopies(read: Buffer, places: readonly Place[], module = { copyUnmasked }): void {
  const before = Buffer.from(read);
  for (const { text, start, end } of places) {
    const target = Buffer.alloc(end - start + 2, 0x2e);
    module.copyUnmasked({ source: read, start, end, key: KEY }, target, 1);
    expect(target.equals(Buffer.from(`.${text}.`))).toBe(true);
  }
  expect(read.equals(before)).toBe(true);
}

beforeEach(forgetRead);

describe.each([
  ['with WebAssembly', { copyUnmasked, forgetRead, unmaskedText }],
  ['without it', loadWith('read-image', undefined)],
])('the messages of a read, %s', (_where, module) => {
  it.each([
    ['ASCII', 'abcdefg'],
    ['characters of one to four bytes', 'a€é😀'],
    ['byte order marks and U+FFFD', '\ufeff\ufffd'],
  ])('are what they say, of any length: %s', (_what, pattern) => {
    const lengths = [...Array(140).keys(), 511, 512, 513, 4096, 20_000];
    const texts = lengths.map((length) => pattern.repeat(length).slice(0, length));
    const even = texts.filter((text) => Buffer.from(text).toString() === text);
    for (const text of even) {
      module.forgetRead();
      const { read, places } = readWith([text, text]);
      expectCopies(read, places.slice(0, 1), module);
      expectTexts(read, places.slice(1), module);
    }
    const { read, places } = readWith(even.slice(0, 100));
    module.forgetRead();
    expectCopies(read, places, module);
    module.forgetRead();
    expectTexts(read, places, module);
  });

  it.each([1, 15, 16, 100, 511, 512, 5000])(
    '§8.1 are refused where %i bytes are not UTF-8',
    (length) => {
      for (const at of [0, length >> 1, length - 1]) {
        module.forgetRead();
        const read = Buffer.alloc(length, 'a');
        read[at] = 0xff;
        applyMask(read, 0, length, KEY);
        expect(() => module.unmaskedText(read, 0, length, KEY)).toThrow('text is not UTF-8 (§8.1)');
      }
    },
  );

  it('may be more than a page together', () => {
    const { read, places } = readWith(Array<string>(30).fill('x'.repeat(3000)));
    expect(read.length).toBeGreaterThan(PAGE);
    expectCopies(read, places, module);
    expectTexts(read, places, module);
  });
});

describe('the image of a read', () => {
  const LONG = 'a text that is long enough';

  it.each([
    [15, PAGE, 'unmasked'],
    [16, PAGE, 'as it came'],
    [16, PAGE + 1, 'unmasked'],
  ])('of %i bytes in a read of %i: the read itself is %s', (length, size, how) => {
    const read = Buffer.alloc(size, 0x41);
    unmaskedText(read, 100, 100 + length, 0x01010101);
    expect(read[100]).toBe(how === 'unmasked' ? 0x40 : 0x41);
  });

  it('is made once', () => {
    const { read, places } = readWith([LONG, LONG, LONG]);
    const { bytes } = maskMemoryModule.maskMemory!;
    const set = jest.spyOn(bytes, 'set');
    expectTexts(read, places.slice(0, 1));
    expectCopies(read, places.slice(1, 2));
    expectTexts(read, places.slice(2));
    expect(set).toHaveBeenCalledTimes(1);
    set.mockRestore();
  });

  it('is known until another read takes its place, or it is forgotten', () => {
    const [one, two] = [readWith([LONG]), readWith([LONG])];
    expect(imageOf(one.read)).toBeUndefined();
    expectTexts(one.read, one.places);
    const [{ start, end }] = one.places as [Place];
    expect(imageOf(one.read)?.toString('utf8', start, end)).toBe(LONG);
    expectCopies(two.read, two.places);
    expect([imageOf(one.read), imageOf(two.read)]).toEqual([undefined, expect.any(Buffer)]);
    forgetRead();
    expect(imageOf(two.read)).toBeUndefined();
  });

  it('gives way to another read, and is made again after that', () => {
    const one = readWith(['the first text of the one', 'the second text of the one']);
    const two = readWith(['and a text of the other']);
    expectTexts(one.read, one.places.slice(0, 1));
    expectTexts(two.read, two.places);
    expectTexts(one.read, one.places.slice(1));
  });

  it('is not that of what the same memory held before', () => {
    const { read, places } = readWith([LONG]);
    expectTexts(read, places);
    const { read: next } = readWith([LONG.toUpperCase()]);
    next.copy(read);
    forgetRead();
    expectTexts(read, [{ ...places[0]!, text: LONG.toUpperCase() }]);
  });

  it('F-5 holds no read that has ended', () => {
    const { read, places } = readWith([LONG]);
    expectTexts(read, places);
    const { bytes } = maskMemoryModule.maskMemory!;
    const set = jest.spyOn(bytes, 'set');
    forgetRead();
    expectTexts(read, places);
    expect(set).toHaveBeenCalledTimes(1);
    set.mockRestore();
  });

  it('gives the texts of two reads, taken in any order', () => {
    const texts = fc.array(fc.string({ unit: 'binary', minLength: 5, maxLength: 100 }), {
      minLength: 1,
    });
    const orders = fc.array(fc.nat({ max: 1 }), { minLength: 20, maxLength: 20 });
    fc.assert(
      fc.property(texts, texts, orders, (ones, twos, order) => {
        forgetRead();
        const reads = [readWith(ones), readWith(twos)];
        for (const which of order) {
          const { read, places } = reads[which]!;
          const place = places.shift();
          const expectMessages =
            place !== undefined && place.end % 2 === 0 ? expectCopies : expectTexts;
          if (place !== undefined) expectMessages(read, [place]);
        }
      }),
    );
  });
});
