import {
  checkBoolean,
  checkChoice,
  checkInteger,
  checkNumber,
  checkObject,
} from '../../lib/express/checks';
import { shown } from '../../lib/protocol/errors';
import { thrownBy } from './harness';

const RANGE = [undefined, 5, 7] as const;

const NO_INTEGERS: readonly unknown[] = [
  4,
  8,
  5.5,
  NaN,
  -Infinity,
  '5',
  '',
  true,
  [],
  {},
  5n,
  null,
];

describe('a number', () => {
  it.each([5, 6, 7, Infinity])('comes back as it was given: %p', (value) => {
    expect(checkNumber('x', value, RANGE)).toBe(value);
  });

  it.each(NO_INTEGERS)('is refused as %p', (value) => {
    const error = thrownBy(() => checkNumber('x', value, RANGE));
    expect(error).toBeInstanceOf(RangeError);
    expect([error.code, error.message]).toEqual([
      'ERR_WS_OUT_OF_RANGE',
      `x must be an integer from 5 to 7, or Infinity, got ${shown(value)}`,
    ]);
  });
});

describe('an integer', () => {
  it.each([5, 6, 7])('comes back as it was given: %p', (value) => {
    expect(checkInteger('x', value, RANGE)).toBe(value);
  });

  it.each([Infinity, ...NO_INTEGERS])('is refused as %p', (value) => {
    const error = thrownBy(() => checkInteger('x', value, RANGE));
    expect(error).toBeInstanceOf(RangeError);
    expect([error.code, error.message]).toEqual([
      'ERR_WS_OUT_OF_RANGE',
      `x must be an integer from 5 to 7, got ${shown(value)}`,
    ]);
  });
});

describe('a switch', () => {
  it.each([true, false])('comes back as it was given: %p', (value) => {
    expect(checkBoolean('x', value)).toBe(value);
  });

  it.each<unknown>([0, 1, 'true', '', null, {}])('is refused as %p', (value) => {
    const error = thrownBy(() => checkBoolean('x', value));
    expect(error).toBeInstanceOf(TypeError);
    expect([error.code, error.message]).toEqual([
      'ERR_WS_INVALID_ARGUMENT',
      `x must be true or false, got ${shown(value)}`,
    ]);
  });
});

describe('a word', () => {
  it('is one of those that there are', () => {
    expect(checkChoice('x', 'b', ['a', 'b'])).toBe('b');
  });

  it.each<unknown>(['c', 'A', '', 5, true, undefined])('is refused as %p', (value) => {
    const error = thrownBy(() => checkChoice('x', value, ['a', 'b']));
    expect(error).toBeInstanceOf(RangeError);
    expect([error.code, error.message]).toEqual([
      'ERR_WS_OUT_OF_RANGE',
      `x must be 'a' or 'b', got ${shown(value)}`,
    ]);
  });
});

describe('an object', () => {
  it.each([{}, { a: 1 }, { b: undefined, a: null }])('has known names: %j', (value) => {
    expect(() => checkObject('x', value, ['a', 'b'])).not.toThrow();
  });

  it.each<[unknown, string]>([
    [5, '5'],
    ['a', "'a'"],
    [true, 'true'],
    [null, 'null'],
    [undefined, 'undefined'],
    [{ a: 1, c: 2 }, "'c'"],
    [{ toString: 1 }, "'toString'"],
    [['a'], "'0'"],
  ])('is refused as %j', (value, got) => {
    const error = thrownBy(() => checkObject('x', value, ['a', 'b']));
    expect(error).toBeInstanceOf(TypeError);
    expect([error.code, error.message]).toEqual([
      'ERR_WS_INVALID_ARGUMENT',
      `x must be an object of a, b, got ${got}`,
    ]);
  });
});
