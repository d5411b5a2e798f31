import {
  checkNames,
  resolveConnectionLimits,
  resolveLimits,
  type LimitOptions,
} from '../../lib/express/options';
import { shown } from '../../lib/protocol/errors';
import { thrownBy } from './harness';

const MAX_SIZE = Number.MAX_SAFE_INTEGER;
const MAX_TIME = 2 ** 31 - 1;

/** Name, default, least and greatest value (design §4). */
const NUMBERS = [
  ['maxPayload', 1_048_576, 1, MAX_SIZE],
  ['maxFragments', 65_536, 1, MAX_SIZE],
  ['highWaterMark', 65_536, 0, MAX_SIZE],
  ['maxBackpressure', 1_048_576, 0, MAX_SIZE],
  ['handshakeTimeout', 10_000, 1, MAX_TIME],
  ['closeTimeout', 10_000, 1, MAX_TIME],
  ['pingInterval', 25_000, 1, MAX_TIME],
  ['pingTimeout', 20_000, 1, MAX_TIME],
  ['idleTimeout', Infinity, 1, MAX_TIME],
  ['maxRooms', 128, 1, MAX_SIZE],
  ['maxRoomNameLength', 255, 1, MAX_SIZE],
] as const;

const CONNECTIONS = [
  ['maxConnections', Infinity, 1, MAX_SIZE],
  ['maxConnectionsPerIp', Infinity, 1, MAX_SIZE],
] as const;

const WRONG: readonly unknown[] = [
  NaN,
  -1,
  1.5,
  -Infinity,
  '10',
  '',
  true,
  [],
  {},
  10n,
  2 ** 53,
  Symbol('1'),
];

describe('defaults', () => {
  it('are those of the table', () => {
    expect(resolveLimits({}, {})).toEqual({
      ...Object.fromEntries(NUMBERS),
      onBackpressure: 'close',
      messageRate: undefined,
      perMessageDeflate: undefined,
      origins: 'same-origin',
    });
    expect(resolveConnectionLimits({})).toEqual({
      maxConnections: Infinity,
      maxConnectionsPerIp: Infinity,
    });
  });

  it('fill in for undefined', () => {
    const none: LimitOptions = {
      maxPayload: undefined,
      origins: undefined,
      onBackpressure: undefined,
    };
    expect(resolveLimits(none, none)).toEqual(resolveLimits({}, {}));
  });

  it.each([
    [1, 1024],
    [16_384, 1024],
    [16_400, 1025],
    [Infinity, Infinity],
  ])('of maxFragments follow maxPayload: %d gives %d', (maxPayload, maxFragments) => {
    expect(resolveLimits({ maxPayload }, {}).maxFragments).toBe(maxFragments);
  });

  it('of maxFragments give way to what was asked for', () => {
    expect(resolveLimits({ maxFragments: 7 }, { maxPayload: 1e9 }).maxFragments).toBe(7);
  });
});

describe('the options of a route', () => {
  it.each(NUMBERS)('win over those of the attach: %s', (name) => {
    expect(resolveLimits({ [name]: 11 }, { [name]: 22 })[name]).toBe(11);
    expect(resolveLimits({}, { [name]: 22 })[name]).toBe(22);
  });

  it('win with words, rates and origins', () => {
    const own: LimitOptions = {
      onBackpressure: 'drop',
      messageRate: { messages: 1 },
      origins: '*',
    };
    const shared: LimitOptions = {
      onBackpressure: 'close',
      messageRate: { messages: 2 },
      origins: [],
    };
    expect(resolveLimits(own, shared)).toMatchObject({
      onBackpressure: 'drop',
      messageRate: { messages: 1, bytes: Infinity, per: 1000 },
      origins: '*',
    });
  });

  it('count connections for themselves', () => {
    expect(resolveConnectionLimits({ maxConnections: 3 }).maxConnections).toBe(3);
  });
});

describe('a number', () => {
  const resolve = (options: LimitOptions): unknown => [
    resolveLimits(options, {}),
    resolveConnectionLimits(options),
  ];

  describe.each([...NUMBERS, ...CONNECTIONS])('%s', (name, _fallback, min, max) => {
    it.each([...WRONG, min - 1, max + 1])('is refused as %p', (value) => {
      const error = thrownBy(() => resolve({ [name]: value }));
      expect(error).toBeInstanceOf(RangeError);
      expect([error.code, error.message]).toEqual([
        'ERR_WS_OUT_OF_RANGE',
        `${name} must be an integer from ${min} to ${max}, or Infinity, got ${shown(value)}`,
      ]);
    });

    it.each([min, max, Infinity])('is taken as %p', (value) => {
      expect(() => resolve({ [name]: value })).not.toThrow();
    });
  });

  describe.each([
    ['messages', MAX_SIZE],
    ['bytes', MAX_SIZE],
    ['per', MAX_TIME],
  ])('messageRate.%s', (name, max) => {
    it.each([...WRONG, 0, max + 1])('is refused as %p', (value) => {
      const error = thrownBy(() => resolve({ messageRate: { [name]: value } }));
      expect(error).toBeInstanceOf(RangeError);
      expect([error.code, error.message]).toEqual([
        'ERR_WS_OUT_OF_RANGE',
        `messageRate.${name} must be an integer from 1 to ${max}, or Infinity, got ${shown(value)}`,
      ]);
    });
  });
});

describe('a rate', () => {
  it('has no limit that is not given', () => {
    expect(resolveLimits({ messageRate: {} }, {}).messageRate).toEqual({
      messages: Infinity,
      bytes: Infinity,
      per: 1000,
    });
    const rate = { messages: 1, bytes: 2, per: 3 };
    expect(resolveLimits({ messageRate: rate }, {}).messageRate).toEqual(rate);
  });

  it.each([[5], ['10'], [true], [[10]], [{ message: 10 }]])(
    'is refused as %j, which would be no limit',
    (messageRate) => {
      const error = thrownBy(() => resolveLimits({ messageRate: messageRate as never }, {}));
      expect(error.code).toMatch(/^ERR_WS_(INVALID_ARGUMENT|OUT_OF_RANGE)$/);
      expect(error.message).toContain('messageRate');
    },
  );
});

describe('a word', () => {
  it.each(['open', '', 5, true])('is refused as %j', (value) => {
    const error = thrownBy(() => resolveLimits({ onBackpressure: value as never }, {}));
    expect(error).toBeInstanceOf(RangeError);
    expect([error.code, error.message]).toEqual([
      'ERR_WS_OUT_OF_RANGE',
      `onBackpressure must be 'close' or 'drop', got ${shown(value)}`,
    ]);
  });
});

describe('origins', () => {
  const same = (): boolean => true;

  it.each<[unknown]>([
    ['same-origin'],
    ['*'],
    [same],
    [[]],
    [['https://example.com', 'http://localhost:3000', 'app://name', 'http://[::1]:80']],
  ])('may be %p', (origins) => {
    expect(resolveLimits({ origins: origins as never }, {}).origins).toBe(origins);
  });

  it.each<[unknown]>([
    ['https://example.com'],
    [true],
    [5],
    [{}],
    [/example/],
    [['example.com']],
    [['*']],
    [['null']],
    [['https://example.com/']],
    [['https://example.com/path']],
    [['https://']],
    [['https:example.com']],
    [['https://a//b']],
    [['/ws://x']],
    [['https://example.com', 5]],
    [['']],
  ])('may not be %j', (origins) => {
    const error = thrownBy(() => resolveLimits({ origins: origins as never }, {}));
    expect(error).toBeInstanceOf(TypeError);
    expect([error.code, error.message]).toEqual([
      'ERR_WS_INVALID_ARGUMENT',
      "origins must be 'same-origin', '*', a function, or a list of origins such as " +
        `'https://example.com' without a path, got ${shown(origins)}`,
    ]);
  });
});

describe('a name that means nothing', () => {
  it.each(['maxpayload', 'maxPayLoad', 'constructor', 'toString', '0'])(
    'is refused: %s',
    (name) => {
      const error = thrownBy(() => checkNames('here', { [name]: undefined }, ['use']));
      expect(error).toBeInstanceOf(TypeError);
      expect(error.code).toBe('ERR_WS_INVALID_ARGUMENT');
      expect(error.message).toBe(
        `unknown option '${name}' of here; known are closeTimeout, handshakeTimeout, highWaterMark, ` +
          'idleTimeout, maxBackpressure, maxConnections, maxConnectionsPerIp, maxFragments, ' +
          'maxPayload, maxRoomNameLength, maxRooms, messageRate, onBackpressure, origins, ' +
          'perMessageDeflate, pingInterval, pingTimeout, use',
      );
    },
  );

  it('is not the name of a limit, nor one of the given', () => {
    expect(() => checkNames('here', { maxPayload: 1, use: [] }, ['use'])).not.toThrow();
  });
});
