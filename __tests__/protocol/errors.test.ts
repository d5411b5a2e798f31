import { ProtocolError, rangeError, stateError, typeError, shown } from '../../lib/protocol/errors';

describe('§7.1.7 a fault of the peer', () => {
  it('carries the code for the close frame, and what was wrong', () => {
    const error = new ProtocolError('frame from a client is not masked (§5.1)', 1002);
    expect(error.closeCode).toBe(1002);
    expect(error.message).toBe('frame from a client is not masked (§5.1)');
  });

  it('is told apart by name and code, and is an error with a stack', () => {
    const error = new ProtocolError('text is not UTF-8 (§8.1)', 1007);
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: 'ProtocolError', code: 'ERR_WS_PROTOCOL' });
    expect(String(error)).toBe('ProtocolError: text is not UTF-8 (§8.1)');
    expect(error.stack).toContain('errors.test.ts');
  });
});

describe('a fault of our caller', () => {
  it.each([
    [
      'a value of the wrong kind',
      typeError('path must be a string, got number', 'ERR_WS_INVALID_ARGUMENT'),
      TypeError,
      'ERR_WS_INVALID_ARGUMENT',
      'path must be a string, got number',
    ],
    [
      'a value out of range',
      rangeError('close code 999 must not be sent'),
      RangeError,
      'ERR_WS_OUT_OF_RANGE',
      'close code 999 must not be sent',
    ],
    [
      'a call in the wrong state',
      stateError('the socket is closed', 'ERR_WS_NOT_OPEN'),
      Error,
      'ERR_WS_NOT_OPEN',
      'the socket is closed',
    ],
  ])('%s is an error of its class, with a code', (_name, error, type, code, message) => {
    expect(error.constructor).toBe(type);
    expect(error).toMatchObject({ code, message });
  });

  it('is never taken for a fault of the peer', () => {
    expect(typeError('x', 'ERR_WS_INVALID_DATA')).not.toBeInstanceOf(ProtocolError);
    expect(rangeError('x')).not.toBeInstanceOf(ProtocolError);
    expect(stateError('x', 'ERR_WS_NOT_OPEN')).not.toBeInstanceOf(ProtocolError);
  });
});

describe('shown', () => {
  it.each<[unknown, string]>([
    [5, '5'],
    [NaN, 'NaN'],
    [10n, '10'],
    [undefined, 'undefined'],
    [null, 'null'],
    [Symbol('x'), 'Symbol(x)'],
    ['10', "'10'"],
    [() => 1, 'a function'],
    [Object.create(null), 'an object'],
    [['a', [1, {}]], "['a', [1, an object]]"],
  ])('names %p without calling anything of it', (value, name) => {
    expect(shown(value)).toBe(name);
  });
});
