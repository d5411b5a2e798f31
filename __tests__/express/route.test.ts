import { z } from 'zod';
import { route } from '../../lib/express/route';
import { reject } from '../../lib/express/rejection';
import { thrownBy } from './harness';
import { shown } from '../../lib/protocol/errors';

/** What it throws at arguments that the types would not let through. */
function thrown(...args: readonly unknown[]): Error & { code?: string } {
  return thrownBy(() => Reflect.apply(route, undefined, args));
}

describe('route', () => {
  it('takes a function, which is open', () => {
    const open = (): void => undefined;
    expect(route('/ws', open)).toEqual({ path: '/ws', options: {}, handlers: { open } });
  });

  it('takes hooks, as they are', () => {
    const handlers = {
      open() {},
      message() {},
      close() {},
      drain() {},
      invalid() {},
      error() {},
    };
    expect(route('/ws', handlers).handlers).toBe(handlers);
    expect(route('/ws', { open: undefined as never }).handlers).toEqual({});
  });

  it('takes options between path and handler', () => {
    const options = {
      use: [],
      origins: '*' as const,
      protocols: ['b', 'a'],
      auth: () => reject(401),
      receive: z.string(),
      send: z.string(),
      maxPayload: 5,
    };
    const declared = route(/x/, options, () => undefined);
    expect(declared.path).toEqual(/x/);
    expect(declared.options).toBe(options);
  });

  it('takes options that are undefined', () => {
    const options = {
      use: undefined,
      protocols: undefined,
      auth: undefined,
      receive: undefined,
      send: undefined,
      origins: undefined,
    };
    expect(() => route('/ws', options, () => undefined)).not.toThrow();
  });

  it.each<[string, unknown[], string]>([
    ['no handler', ['/ws'], 'handler must be a function or an object of hooks, got undefined'],
    [
      'options without a handler',
      ['/ws', {}, undefined],
      'handler must be a function or an object of hooks, got undefined',
    ],
    [
      'null for a handler',
      ['/ws', {}, null],
      'handler must be a function or an object of hooks, got object',
    ],
    [
      'a word for a handler',
      ['/ws', 'echo'],
      'handler must be a function or an object of hooks, got string',
    ],
    [
      'handler and options exchanged',
      ['/ws', () => undefined, {}],
      'options of a route must be an object, got function',
    ],
    [
      'null for options',
      ['/ws', null, () => undefined],
      'options of a route must be an object, got object',
    ],
    [
      'a hook that there is not',
      ['/ws', { onMessage() {} }],
      "unknown hook 'onMessage'; known are open, message, close, drain, invalid, error",
    ],
    [
      'options in the place of hooks',
      ['/ws', { maxPayload: 5 }],
      "unknown hook 'maxPayload'; known are open, message, close, drain, invalid, error",
    ],
    ['a hook that is none', ['/ws', { message: 'hi' }], "hook 'message' must be a function"],
    ['null for a hook', ['/ws', { close: null }], "hook 'close' must be a function"],
    ['auth that is none', ['/ws', { auth: true }, {}], 'auth must be a function'],
    [
      'receive that is no schema',
      ['/ws', { receive: { type: 'string' } }, {}],
      'receive must be a Standard Schema (zod, valibot, arktype …)',
    ],
    [
      'send that is no schema',
      ['/ws', { send: String }, {}],
      'send must be a Standard Schema (zod, valibot, arktype …)',
    ],
    ...(
      [
        ['a,b'],
        'chat',
        [''],
        ['a b'],
        ['a', 'a'],
        ['a\r\nb'],
        ['é'],
        [5],
        [null],
        [['a']],
        { a: 1 },
        5,
        true,
      ] as unknown[]
    ).map((protocols): [string, unknown[], string] => [
      `protocols ${shown(protocols)}`,
      ['/ws', { protocols }, {}],
      `protocols must be a list of different tokens (RFC 6455 §4.1), got ${shown(protocols)}`,
    ]),
  ])('refuses %s', (_what, args, message) => {
    const error = thrown(...args);
    expect(error).toBeInstanceOf(TypeError);
    expect([error.code, error.message]).toEqual(['ERR_WS_INVALID_ARGUMENT', message]);
  });

  it('refuses an option that it does not know, and lists what it knows', () => {
    const error = thrown('/ws', { protocol: ['a'] }, {});
    expect(error.code).toBe('ERR_WS_INVALID_ARGUMENT');
    expect(error.message).toMatch(/^unknown option 'protocol' of a route; known are auth, /);
    expect(error.message).toContain('protocols');
    expect(thrown('/ws', { maxPendingHandshakes: 5 }, {}).message).toMatch(
      /^unknown option 'maxPendingHandshakes' of a route; /,
    );
  });

  it.each(['toString', 'constructor', '__proto__'])('H-4 does not take %s for a hook', (name) => {
    const handlers = Object.defineProperty({}, name, { value: () => 1, enumerable: true });
    expect(thrown('/ws', handlers).message).toMatch(`unknown hook '${name}'`);
  });
});
