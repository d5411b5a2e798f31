/** Whether the bytes are UTF-8 (RFC 3629 §4), and the bytes. */
export type Sequence = readonly [isValid: boolean, digits: string];

/** One table of the catalogue. */
export interface Table {
  readonly what: string;
  readonly sequences: readonly Sequence[];
}

const good = (...digits: readonly string[]): Sequence[] => digits.map((each) => [true, each]);
const bad = (...digits: readonly string[]): Sequence[] => digits.map((each) => [false, each]);

const byte = (value: number): string => value.toString(16).padStart(2, '0');

/** All bytes from the first to before the last, with this behind each. */
const run = (from: number, to: number, behind = ''): string =>
  Array.from({ length: to - from }, (_, i) => byte(from + i) + behind).join(' ');

const KOSME = 'ce ba e1 bd b9 cf 83 ce bc ce b5'.split(' ');
/** After so many bytes of it a character has ended. */
const ENDS = [2, 5, 7, 9, 11];
const PREFIXES = KOSME.map((_, i): Sequence => [
  ENDS.includes(i + 1),
  KOSME.slice(0, i + 1).join(' '),
]);

/** First byte of 2 to 6, with all but the last of what would follow. */
const INCOMPLETE = [
  ...['c0', 'e0 80', 'f0 80 80', 'f8 80 80 80', 'fc 80 80 80 80'],
  ...['df', 'ef bf', 'f7 bf bf', 'fb bf bf bf', 'fd bf bf bf bf'],
];

const SURROGATES = ['ed a0 80', 'ed ad bf', 'ed ae 80', 'ed af bf'];

/** The last two code points of each plane but the first: 1fffe, 1ffff, 2fffe ... 10ffff. */
const NONCHARACTERS = Array.from({ length: 16 }, (_, i) => i + 1).flatMap((plane) => {
  const lead = byte(0xf0 + (plane >> 2));
  const second = byte(0x8f + ((plane & 3) << 4));
  return [`${lead} ${second} bf be`, `${lead} ${second} bf bf`];
});

/** The tables 6.5 to 6.23, in their order. */
export const SEQUENCES: readonly Table[] = [
  {
    what: 'UTF-8 of each length',
    sequences: good(
      '68 65 6c 6c 6f 24 77 6f 72 6c 64',
      '68 65 6c 6c 6f c2 a2 77 6f 72 6c 64',
      '68 65 6c 6c 6f e2 82 ac 77 6f 72 6c 64',
      '68 65 6c 6c 6f f0 a4 ad a2 77 6f 72 6c 64',
      KOSME.join(' '),
    ),
  },
  { what: 'a beginning of κόσμε', sequences: PREFIXES },
  { what: 'the first of a length', sequences: good('00', 'c2 80', 'e0 a0 80', 'f0 90 80 80') },
  {
    what: 'the first of five and six bytes',
    sequences: bad('f8 88 80 80 80', 'fc 84 80 80 80 80'),
  },
  { what: 'the last of a length', sequences: good('7f', 'df bf', 'ef bf bf', 'f4 8f bf bf') },
  {
    what: 'the last of four, five and six bytes',
    sequences: bad('f7 bf bf bf', 'fb bf bf bf bf', 'fd bf bf bf bf bf'),
  },
  {
    what: 'a neighbour of a boundary',
    sequences: [...good('ed 9f bf', 'ee 80 80', 'ef bf bd', 'f4 8f bf bf'), ...bad('f4 90 80 80')],
  },
  {
    what: 'continuations of nothing',
    sequences: bad(
      ...['80', 'bf', '80 bf', '80 bf 80', '80 bf 80 bf', '80 bf 80 bf 80', '80 bf 80 bf 80 bf'],
      run(0x80, 0xbf),
    ),
  },
  {
    what: 'first bytes alone',
    sequences: bad(
      run(0xc0, 0xdf, '20'),
      run(0xe0, 0xef, '20'),
      run(0xf0, 0xf7, '20'),
      run(0xf8, 0xfb, '20'),
      run(0xfc, 0xfd, '20'),
    ),
  },
  { what: 'a sequence without its last byte', sequences: bad(...INCOMPLETE) },
  { what: 'such sequences in a row', sequences: bad(INCOMPLETE.join(' ')) },
  { what: 'bytes that never occur', sequences: bad('fe', 'ff', 'fe fe ff ff') },
  {
    what: 'a slash that is too long',
    sequences: bad('c0 af', 'e0 80 af', 'f0 80 80 af', 'f8 80 80 80 af', 'fc 80 80 80 80 af'),
  },
  {
    what: 'the last that is too long',
    sequences: bad(...['c1 bf', 'e0 9f bf', 'f0 8f bf bf', 'f8 87 bf bf bf', 'fc 83 bf bf bf bf']),
  },
  {
    what: 'a NUL that is too long',
    sequences: bad('c0 80', 'e0 80 80', 'f0 80 80 80', 'f8 80 80 80 80', 'fc 80 80 80 80 80'),
  },
  {
    what: 'half of a surrogate pair',
    sequences: bad(...SURROGATES, 'ed b0 80', 'ed be 80', 'ed bf bf'),
  },
  {
    what: 'a surrogate pair',
    sequences: bad(...SURROGATES.flatMap((high) => [`${high} ed b0 80`, `${high} ed bf bf`])),
  },
  { what: 'a noncharacter', sequences: good('ef bf be', 'ef bf bf', ...NONCHARACTERS) },
  {
    what: 'a special',
    sequences: good(
      ...['ef bf b9', 'ef bf ba', 'ef bf bb', 'ef bf bc', 'ef bf bd', 'ef bf be', 'ef bf bf'],
    ),
  },
];
