import { Buffer } from 'node:buffer';

/*
 * The five kinds of data that the compression cases of the catalogue are made of, each drawn from
 * the same numbers every time: text with structure, a picture, prose, markup, and a document that
 * is packed already.
 */

/** What messages are cut from; a string gives text messages, bytes binary ones. */
export type Source = string | Buffer;

/** Numbers that are the same in every run (the constants of Numerical Recipes). */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed >>> 0; ;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state >>> 8;
  }
}

const SYLLABLES = 'da ste be hin dunkel wald licht ü ber see gras müh len wind ß an kor on'.split(
  ' ',
);

function words(next: () => number, count: number): string {
  const word = (): string =>
    Array.from({ length: 1 + (next() % 3) }, () => SYLLABLES[next() % SYLLABLES.length]).join('');
  return Array.from({ length: count }, word).join(' ');
}

function drawer(seed: number): () => number {
  const source = numbers(seed);
  return () => source.next().value;
}

function makeJson(): string {
  const next = drawer(1);
  const rows = Array.from({ length: 1500 }, (_, id) => ({
    id,
    name: words(next, 2),
    score: next() % 1000,
    tags: [words(next, 1), words(next, 1)],
    isOpen: next() % 2 === 0,
  }));
  return JSON.stringify(rows);
}

/** 512 × 512 shades of grey: smooth, with noise. */
function makePicture(): Buffer {
  const next = drawer(2);
  return Buffer.from(
    Uint8Array.from({ length: 512 * 512 }, (_, at) => ((at >> 9) + (at & 511)) / 4 + (next() % 6)),
  );
}

function makeProse(): Buffer {
  const next = drawer(3);
  const line = (): string => `${words(next, 4 + (next() % 6))},\r\n`;
  return Buffer.from(Array.from({ length: 4000 }, line).join(''), 'latin1');
}

function makeMarkup(): string {
  const next = drawer(4);
  const row = (): string =>
    `<tr class="row-${next() % 2}"><td>${words(next, 3)}</td><td>€ ${next() % 100}</td></tr>\n`;
  return `<!doctype html><table>\n${Array.from({ length: 3000 }, row).join('')}</table>`;
}

/** Packed streams between lines of text: hardly anything to gain. */
function makeDocument(): Buffer {
  const next = drawer(5);
  const objects = Array.from({ length: 60 }, (_, i) => [
    Buffer.from(`${i} 0 obj << /Length 8192 >> stream\n`),
    Buffer.from(Uint8Array.from({ length: 8192 }, () => next())),
    Buffer.from('\nendstream endobj\n'),
  ]);
  return Buffer.concat(objects.flat());
}

export const JSON_TEXT: Source = makeJson();

/** In the order of the sections 12.1 to 12.5. */
export const SOURCES: readonly (readonly [name: string, source: Source])[] = [
  ['JSON', JSON_TEXT],
  ['a picture', makePicture()],
  ['prose', makeProse()],
  ['markup', makeMarkup()],
  ['a packed document', makeDocument()],
];

/** Messages of this many characters or bytes, one behind the other, from the start again at the end. */
export function* messagesOf(source: Source, length: number): Generator<Buffer, never> {
  for (let at = 0; ; at = (at + length) % source.length) yield pieceOf(source, at, length);
}

function pieceOf(source: Source, at: number, length: number): Buffer {
  const parts: Buffer[] = [];
  for (let left = length; left > 0;) {
    const size = Math.min(left, source.length - at);
    parts.push(Buffer.from(source.slice(at, at + size) as string));
    left -= size;
    at = 0;
  }
  return Buffer.concat(parts);
}
