import { stopAll } from '../../scenarios/support/server';
import { FRAMING } from './1-framing';
import { PINGS } from './2-pings';
import { OPCODES, RESERVED_BITS } from './3-4-bits-and-opcodes';
import { FRAGMENTATION } from './5-fragmentation';
import { UTF8 } from './6-utf8';
import { CLOSING } from './7-closing';
import { LIMITS } from './9-limits';
import { MISC } from './10-misc';
import { COMPRESSION, NEGOTIATED_COMPRESSION } from './12-13-compression';
import { titled } from './case';

afterEach(stopAll);

/** How many cases each section of the catalogue has. */
const SECTIONS: Readonly<Record<string, number>> = {
  ...{ '1.1': 8, '1.2': 8, '2': 11, '3': 7, '4.1': 5, '4.2': 5, '5': 20 },
  ...{ '6.1': 3, '6.2': 4, '6.3': 2, '6.4': 4, '6.5': 5, '6.6': 11, '6.7': 4, '6.8': 2 },
  ...{ '6.9': 4, '6.10': 3, '6.11': 5, '6.12': 8, '6.13': 5, '6.14': 10, '6.15': 1, '6.16': 3 },
  ...{ '6.17': 5, '6.18': 5, '6.19': 5, '6.20': 7, '6.21': 8, '6.22': 34, '6.23': 7 },
  ...{ '7.1': 6, '7.3': 6, '7.5': 1, '7.7': 13, '7.9': 9, '7.13': 2 },
  ...{ '9.1': 6, '9.2': 6, '9.3': 9, '9.4': 9, '9.5': 6, '9.6': 6, '9.7': 6, '9.8': 6, '10.1': 1 },
  ...{ '12.1': 18, '12.2': 18, '12.3': 18, '12.4': 18, '12.5': 18 },
  ...{ '13.1': 18, '13.2': 18, '13.3': 18, '13.4': 18, '13.5': 18, '13.6': 18, '13.7': 18 },
};

const CASES = [
  ...FRAMING,
  ...PINGS,
  ...RESERVED_BITS,
  ...OPCODES,
  ...FRAGMENTATION,
  ...UTF8,
  ...CLOSING,
  ...LIMITS,
  ...MISC,
  ...COMPRESSION,
  ...NEGOTIATED_COMPRESSION,
];

describe('all of it', () => {
  const ids = CASES.map(({ id }) => id);

  it('has 517 cases, each once', () => {
    expect(ids).toHaveLength(517);
    expect(new Set(ids).size).toBe(517);
  });

  it('has every case of every section', () => {
    const expected = Object.entries(SECTIONS).flatMap(([section, count]) =>
      Array.from({ length: count }, (_, i) => `${section}.${i + 1}`),
    );
    expect([...ids].sort()).toEqual(expected.sort());
  });
});

describe('1 framing', () => {
  it.each(titled(FRAMING))('%s', (_title, { run }) => run());
});

describe('2 pings and pongs', () => {
  it.each(titled(PINGS))('%s', (_title, { run }) => run());
});

describe('3 reserved bits', () => {
  it.each(titled(RESERVED_BITS))('%s', (_title, { run }) => run());
});

describe('4 opcodes', () => {
  it.each(titled(OPCODES))('%s', (_title, { run }) => run());
});

describe('5 fragmentation', () => {
  it.each(titled(FRAGMENTATION))('%s', (_title, { run }) => run());
});

describe('7 close handling', () => {
  it.each(titled(CLOSING))('%s', (_title, { run }) => run());
});

describe('9 limits and performance', () => {
  it.each(titled(LIMITS))('%s', (_title, { run }) => run());
});

describe('10 miscellaneous', () => {
  it.each(titled(MISC))('%s', (_title, { run }) => run());
});
