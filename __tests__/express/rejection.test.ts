import { reject, Rejection } from '../../lib/express/rejection';
import { route } from '../../lib/express/route';
import { refused, start, thrownBy } from './harness';
import { shown } from '../../lib/protocol/errors';

describe('reject', () => {
  it.each<[string, Rejection, unknown]>([
    ['a status alone', reject(401), { status: 401, body: '', headers: {} }],
    ['a string', reject(403, 'go away'), { status: 403, body: 'go away', headers: {} }],
    [
      'an object',
      reject(401, { error: 'log in' }),
      {
        status: 401,
        body: '{"error":"log in"}',
        headers: { 'Content-Type': 'application/json; charset=utf-8' },
      },
    ],
    [
      'null',
      reject(401, null),
      { status: 401, body: 'null', headers: { 'Content-Type': 'application/json; charset=utf-8' } },
    ],
    [
      'an object with its own type',
      reject(401, { a: 1 }, { 'Content-Type': 'application/problem+json' }),
      { status: 401, body: '{"a":1}', headers: { 'Content-Type': 'application/problem+json' } },
    ],
    [
      'headers',
      reject(302, undefined, { Location: '/login' }),
      { status: 302, body: '', headers: { Location: '/login' } },
    ],
  ])('with %s', (_what, rejection, expected) => {
    expect(rejection).toBeInstanceOf(Rejection);
    expect(rejection.refusal).toEqual(expected);
  });

  it.each([300, 599])('takes %d', (status) => {
    expect(reject(status).refusal.status).toBe(status);
  });

  it.each([299, 600, 200, 101, 0, -1, NaN, Infinity, 400.5, '401', undefined, null])(
    'refuses the status %p',
    (status) => {
      const error = thrownBy(() => reject(status as number));
      expect(error).toBeInstanceOf(RangeError);
      expect([error.code, error.message]).toEqual([
        'ERR_WS_OUT_OF_RANGE',
        `status must be an integer from 300 to 599, got ${shown(status)}`,
      ]);
    },
  );

  it.each<[string, Record<string, unknown>, string]>([
    ['a line break in a name', { 'X\r\nSet-Cookie': 'a' }, 'ERR_INVALID_HTTP_TOKEN'],
    ['a space in a name', { 'X Y': 'a' }, 'ERR_INVALID_HTTP_TOKEN'],
    ['no name', { '': 'a' }, 'ERR_INVALID_HTTP_TOKEN'],
    ['a line break in a value', { X: 'a\r\nSet-Cookie: b' }, 'ERR_INVALID_CHAR'],
    ['a NUL in a value', { X: 'a\0' }, 'ERR_INVALID_CHAR'],
    ['a character above Latin-1', { X: '\u0100' }, 'ERR_INVALID_CHAR'],
    ['no value', { X: undefined }, 'ERR_HTTP_INVALID_HEADER_VALUE'],
  ])('H-18 refuses %s', (_what, headers, code) => {
    const error = thrownBy(() => reject(401, '', headers as Record<string, string>));
    // Of Node's own realm, so no instanceof.
    expect([error.name, error.code]).toEqual(['TypeError', code]);
  });

  it.each<[string, unknown]>([
    ['a function', () => 1],
    ['a symbol', Symbol('x')],
    ['what says that it is nothing', { toJSON: () => undefined }],
    ['a BigInt', 1n],
  ])('refuses a body that JSON cannot say: %s', (_what, body) => {
    expect(thrownBy(() => reject(401, body))).toBeInstanceOf(TypeError);
  });
});

describe('on the wire', () => {
  it.each<[string, Rejection, Record<string, unknown>, string]>([
    [
      'a status alone is its own words',
      reject(401),
      { 'content-type': 'text/plain; charset=utf-8', 'content-length': '12' },
      'Unauthorized',
    ],
    ['a status without words has no body', reject(499), { 'content-length': '0' }, ''],
    ['a string is text', reject(402, 'pay €1'), { 'content-length': '8' }, 'pay €1'],
    [
      'an object is JSON',
      reject(401, { error: 'log in' }),
      { 'content-type': 'application/json; charset=utf-8' },
      '{"error":"log in"}',
    ],
    [
      'headers are its headers',
      reject(429, 'slow down', { 'Retry-After': '7', 'WWW-Authenticate': 'Bearer' }),
      { 'retry-after': '7', 'www-authenticate': 'Bearer' },
      'slow down',
    ],
    [
      'the headers that frame it are ours',
      reject(401, 'x', {
        'Transfer-Encoding': 'chunked',
        'Content-Length': '100',
        Connection: 'keep-alive',
      }),
      { 'content-length': '1', connection: 'close' },
      'x',
    ],
  ])('%s', async (_what, rejection, headers, body) => {
    const ways: (() => unknown)[] = [
      () => rejection,
      async () => rejection,
      // What is thrown is what was made, not an Error.
      () => Promise.reject(rejection),
    ];
    for (const auth of ways) {
      const running = await start([route('/ws', { auth }, () => undefined)]);
      const answer = await refused(running);
      expect(answer.status).toBe(rejection.refusal.status);
      expect(answer.headers).toMatchObject({ connection: 'close', ...headers });
      expect(answer.headers).not.toHaveProperty('transfer-encoding');
      expect(answer.headers['x-content-type-options']).toBe('nosniff');
      expect(answer.body).toBe(body);
    }
  });
});
