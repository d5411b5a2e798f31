import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import {
  CloseCode,
  cutReason,
  isCloseCode,
  MAX_CONTROL_PAYLOAD,
  parseClose,
  serializeClose,
} from '../../lib/protocol/close';
import { ProtocolError } from '../../lib/protocol/errors';
import { hex } from '../support/bytes';
import { unicode } from './arbitraries';

const VALID = [
  1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
];
const INVALID = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535];

const codeHex = (number: number): string => number.toString(16).padStart(4, '0');

/** What a close body is refused with; fails when it is not. */
function refusalOf(body: Buffer): number {
  try {
    parseClose(body);
  } catch (error) {
    if (error instanceof ProtocolError) return error.closeCode;
    throw error;
  }
  throw new Error(`not refused: ${body.toString('hex')}`);
}

/** What a call ends in when it must throw. */
function thrownBy(code: number, reason: string): unknown {
  try {
    return serializeClose(code, reason);
  } catch (error) {
    return error;
  }
}

describe('§7.4.1 close codes by name', () => {
  it.each([
    ['Normal', 1000],
    ['GoingAway', 1001],
    ['ProtocolError', 1002],
    ['UnsupportedData', 1003],
    ['NoStatus', 1005],
    ['Abnormal', 1006],
    ['InvalidPayload', 1007],
    ['PolicyViolation', 1008],
    ['MessageTooBig', 1009],
    ['InternalError', 1011],
    ['ServiceRestart', 1012],
    ['TryAgainLater', 1013],
  ] as const)('%s is %i', (name, number) => {
    expect(CloseCode[name]).toBe(number);
  });

  it('calls by name no other', () => {
    expect(Object.keys(CloseCode)).toHaveLength(12);
  });
});

describe('§7.4 codes that may be sent', () => {
  it.each(VALID)('C-1 lets %i be sent', (number) => {
    expect(isCloseCode(number)).toBe(true);
  });

  it.each([...INVALID, -1, 65_536])('C-1 does not let %i be sent', (number) => {
    expect(isCloseCode(number)).toBe(false);
  });

  it('are these of all that fit in two bytes: 1000-1003, 1007-1014, 3000-4999', () => {
    const numbers = Array.from({ length: 65_536 }, (_, number) => number);
    const sendable = numbers.filter(isCloseCode);
    expect(sendable.slice(0, 12)).toEqual(VALID.slice(0, 12));
    expect(sendable.slice(12)).toEqual(Array.from({ length: 2000 }, (_, i) => 3000 + i));
  });
});

describe('§5.5.1 reading the body', () => {
  it('takes an empty one as "no code"', () => {
    expect(parseClose(hex(''))).toEqual({ code: 1005, reason: '' });
  });

  it.each(VALID)('C-1 takes code %i, with and without a reason', (number) => {
    expect(parseClose(hex(codeHex(number)))).toEqual({ code: number, reason: '' });
    expect(parseClose(hex(`${codeHex(number)} 627965`))).toEqual({ code: number, reason: 'bye' });
  });

  it.each(INVALID)('C-1 refuses code %i', (number) => {
    expect(refusalOf(hex(codeHex(number)))).toBe(1002);
    expect(refusalOf(hex(`${codeHex(number)} 627965`))).toBe(1002);
  });

  it('C-1 refuses a single byte', () => {
    expect(refusalOf(hex('03'))).toBe(1002);
  });

  it.each([
    ['a lead byte alone', 'ce'],
    ['a surrogate', 'eda080'],
    ['an over-long form', 'c080'],
    ['a character cut at the end', '6279 65e282'],
  ])('U-5 refuses a reason with %s', (_name, reason) => {
    expect(refusalOf(hex(`03e8 ${reason}`))).toBe(1007);
  });

  it('refuses the code before it looks at the reason', () => {
    expect(refusalOf(hex('03e7 ce'))).toBe(1002);
  });

  it('reads a reason of 123 bytes', () => {
    const reason = '€'.repeat(41);
    const body = Buffer.concat([hex('0bb8'), Buffer.from(reason)]);
    expect(body).toHaveLength(MAX_CONTROL_PAYLOAD);
    expect(parseClose(body)).toEqual({ code: 3000, reason });
  });

  it('reads a body that lies within other bytes', () => {
    expect(parseClose(hex('ffff 03e9 6f6b ffff').subarray(2, 6))).toEqual({
      code: 1001,
      reason: 'ok',
    });
  });
});

describe('§5.5.1 writing the body', () => {
  it.each([
    [1000, '', '03e8'],
    [1001, 'bye', '03e9 627965'],
    [4999, '€😀', '1387 e282ac f09f9880'],
  ])('writes %i %j', (number, reason, bytes) => {
    expect(serializeClose(number, reason)).toEqual(hex(bytes));
  });

  it.each([
    ['ASCII', 'x'.repeat(123)],
    ['three-byte characters', '€'.repeat(41)],
  ])('P-1 fits 123 bytes of UTF-8: %s', (_name, reason) => {
    expect(serializeClose(1000, reason)).toEqual(Buffer.concat([hex('03e8'), Buffer.from(reason)]));
  });

  it.each([
    ['ASCII', 'x'.repeat(124)],
    ['three-byte characters', '€'.repeat(42)],
    ['one too many in UTF-8 only', `${'x'.repeat(122)}é`],
  ])('P-1 refuses 124 bytes and more, at the call: %s', (_name, reason) => {
    expect(thrownBy(1000, reason)).toMatchObject({
      name: 'RangeError',
      code: 'ERR_WS_OUT_OF_RANGE',
    });
  });

  it.each(INVALID)('C-1 refuses code %i at the call, naming it', (number) => {
    expect(thrownBy(number, '')).toMatchObject({
      name: 'RangeError',
      code: 'ERR_WS_OUT_OF_RANGE',
      message: expect.stringContaining(String(number)),
    });
  });

  it('names in the fault what may be sent instead', () => {
    const words = '1000-1003, 1007-1014 or 3000-4999';
    expect(thrownBy(1005, '')).toMatchObject({ message: expect.stringContaining(words) });
    const long = expect.stringMatching(/124 .*123 /) as string;
    expect(thrownBy(1000, 'x'.repeat(124))).toMatchObject({ message: long });
  });

  it.each([
    ['a fraction', 1000.5],
    ['NaN', NaN],
    ['infinity', Infinity],
    ['a string', '1000'],
    ['undefined', undefined],
    ['null', null],
    ['an object', {}],
    ['an array', [1000]],
    ['a symbol', Symbol('x')],
    ['a bigint', 1000n],
  ])('P-1 refuses a code that is %s', (_name, value) => {
    expect(thrownBy(value as number, '')).toMatchObject({
      name: 'TypeError',
      code: 'ERR_WS_INVALID_ARGUMENT',
    });
  });

  it.each([
    ['a number', 20],
    ['bytes', new Uint8Array(20)],
    ['floats', new Float32Array(20)],
    ['a boolean', true],
    ['undefined', undefined],
    ['null', null],
    ['an object', { length: 3 }],
    ['a symbol', Symbol('x')],
  ])('P-1 refuses a reason that is %s, rather than send memory', (_name, value) => {
    expect(thrownBy(1000, value as string)).toMatchObject({
      name: 'TypeError',
      code: 'ERR_WS_INVALID_ARGUMENT',
    });
  });

  it('writes half a surrogate pair as U+FFFD, so that the peer can read it', () => {
    expect(serializeClose(1000, 'a\ud800')).toEqual(hex('03e8 61 efbfbd'));
  });

  it('is read back as it was meant', () => {
    const reason = unicode(30);
    fc.assert(
      fc.property(fc.constantFrom(...VALID), reason, (number, words) => {
        expect(parseClose(serializeClose(number, words))).toEqual({ code: number, reason: words });
      }),
    );
  });
});

describe('§5.5 a reason that is cut to what a close frame holds', () => {
  it('stays as it is up to 123 bytes of UTF-8', () => {
    for (const reason of ['', 'bye', 'x'.repeat(123), `${'é'.repeat(61)}x`, '€'.repeat(41)]) {
      expect(cutReason(reason)).toBe(reason);
    }
  });

  it.each([
    ['one byte each', 'x'.repeat(124), 'x'.repeat(123)],
    ['two bytes each', 'é'.repeat(62), 'é'.repeat(61)],
    ['three bytes each', '€'.repeat(42), '€'.repeat(41)],
    ['four bytes each', '😀'.repeat(31), '😀'.repeat(30)],
    ['a last one that ends at the limit', `${'x'.repeat(121)}éé`, `${'x'.repeat(121)}é`],
    ['a last one that crosses the limit', `${'x'.repeat(122)}éx`, 'x'.repeat(122)],
  ])('is cut between characters of %s', (_, reason, expected) => {
    expect(cutReason(reason)).toBe(expected);
  });

  it('is the longest start that fits, for any text', () => {
    fc.assert(
      fc.property(unicode(200), (reason) => {
        const characters = Array.from(reason);
        let expected = '';
        for (const character of characters) {
          if (Buffer.byteLength(expected + character) > 123) break;
          expected += character;
        }
        expect(cutReason(reason)).toBe(expected);
      }),
    );
  });
});

describe('the words of a refusal say what is wrong, and where it is written', () => {
  it.each([
    ['03', 'close body of one byte (§5.5.1)'],
    ['03ed', 'close code 1005 must not be sent (§7.4)'],
    ['03e8 ce', 'close reason is not UTF-8 (§5.5.1)'],
  ])('to the body %s: %s', (body, words) => {
    expect(() => parseClose(hex(body))).toThrow(new Error(words));
  });

  it.each([
    [1000.5, '', 'close code must be an integer, got 1000.5'],
    ['1000', '', 'close code must be an integer, got 1000'],
    [1000, 7, 'close reason must be a string, got number'],
    [1000, undefined, 'close reason must be a string, got undefined'],
  ])('to the call close(%p, %p): %s', (number, reason, words) => {
    const call = (): Buffer => serializeClose(number as number, reason as string);
    expect(call).toThrow(new TypeError(words));
  });
});
