import type { Request } from 'express';
import { reject, Rejection } from '../../../lib/express/rejection';
import { route, type AuthInfo } from '../../../lib/express/route';
import { CloseCode } from '../../../lib/protocol/close';
import { catchStderr, open, refused, start } from '../harness';

describe('§2.4.7 auth', () => {
  it.each<[string, unknown]>([
    ['an object', { user: 1 }],
    ['a promise of one', Promise.resolve({ user: 1 })],
    ['a word', 'ann'],
    ['zero', 0],
    ['nothing', undefined],
    ['true', true],
    ['an empty word', ''],
  ])('returns %s, which is the context', async (_what, context) => {
    const seen: unknown[] = [];
    const running = await start([
      route('/ws', { auth: () => context }, (socket) => seen.push(socket.context)),
    ]);
    await open(running);
    expect(seen).toEqual([await context]);
  });

  it('gets a true request with its parameters, and a signal', async () => {
    const auth = jest.fn((_req: Request<{ room: string }>, _info: AuthInfo) => ({}));
    const running = await start([route('/chat/:room', { auth }, () => undefined)]);
    await open(running, { path: '/chat/a?x=1' });
    const [req, info] = auth.mock.calls[0]!;
    expect({ ...req.params }).toEqual({ room: 'a' });
    expect([req.ip, req.query, req.app]).toEqual(['127.0.0.1', { x: '1' }, running.app]);
    expect(info.signal).toBeInstanceOf(AbortSignal);
    expect(info.signal.aborted).toBe(false);
  });

  class HttpError extends Error {
    constructor(fields: object) {
      super('the secret');
      Object.assign(this, fields);
    }
  }

  it.each<[string, () => unknown, number, string]>([
    ['returns reject', () => reject(401, 'log in'), 401, 'log in'],
    ['promises reject', async () => reject(401, 'log in'), 401, 'log in'],
    [
      'throws reject',
      () => {
        throw reject(402);
      },
      402,
      'Payment Required',
    ],
    ['rejects with reject', () => Promise.reject(reject(302)), 302, 'Found'],
    ['promises false', async () => false, 403, 'Forbidden'],
    ['promises null', async () => null, 403, 'Forbidden'],
    [
      'throws',
      () => {
        throw new Error('the secret');
      },
      500,
      'Internal Server Error',
    ],
    ['throws undefined', () => Promise.reject(undefined), 500, 'Internal Server Error'],
    ['throws null', () => Promise.reject(null), 500, 'Internal Server Error'],
    ['throws a word', () => Promise.reject('secret'), 500, 'Internal Server Error'],
    ['throws a status', () => Promise.reject(new HttpError({ status: 404 })), 404, 'Not Found'],
    [
      'throws a statusCode',
      () => Promise.reject(new HttpError({ statusCode: 402 })),
      402,
      'Payment Required',
    ],
    [
      'throws both',
      () => Promise.reject(new HttpError({ status: 'x', statusCode: 503 })),
      503,
      'Service Unavailable',
    ],
    [
      'throws a status without words',
      () => Promise.reject(new HttpError({ status: 499 })),
      499,
      '',
    ],
    ...[200, 101, 399, 600, 404.5, '404', NaN].map(
      (status): [string, () => unknown, number, string] => [
        `throws the status ${String(status)}`,
        () => Promise.reject(new HttpError({ status })),
        500,
        'Internal Server Error',
      ],
    ),
    [
      'throws what cannot be looked at',
      () =>
        Promise.reject(
          Object.defineProperty(new Error('the secret'), 'status', {
            get() {
              throw new Error('the other secret');
            },
          }),
        ),
      500,
      'Internal Server Error',
    ],
  ])('%s', async (_what, auth, status, body) => {
    const lines = catchStderr();
    const opened = jest.fn();
    const running = await start([route('/ws', { auth }, opened)]);
    const answer = await refused(running);
    expect([answer.status, answer.body]).toEqual([status, body]);
    expect(opened).not.toHaveBeenCalled();
    // What the client did wrong is no news.
    expect(lines).toHaveLength(status >= 500 ? 1 : 0);
  });

  it('is not fooled by what looks like a rejection', async () => {
    const seen: unknown[] = [];
    const auth = (): object => ({ refusal: { status: 401, headers: {}, body: '' } });
    const running = await start([route('/ws', { auth }, (socket) => seen.push(socket.context))]);
    await open(running);
    expect(seen).toHaveLength(1);
    expect(seen[0]).not.toBeInstanceOf(Rejection);
  });
});

describe('§2.4.7 expiresAt', () => {
  it.each<[string, () => unknown]>([
    ['milliseconds', () => Date.now() + 30],
    ['a Date', () => new Date(Date.now() + 30)],
    ['a time that has passed', () => 0],
  ])('A-1 closes with 1008 then: %s', async (_what, time) => {
    const auth = (): object => ({ expiresAt: time() });
    const running = await start([route('/ws', { auth }, () => undefined)]);
    const client = await open(running);
    expect(await client.closeCode()).toBe(CloseCode.PolicyViolation);
  });

  it.each([undefined, null, Infinity, Date.now() + 1e9])(
    '%p closes nothing yet',
    async (expiresAt) => {
      const auth = (): object => ({ expiresAt });
      const running = await start([
        route('/ws', { auth }, (socket) => {
          socket.send('open');
        }),
      ]);
      expect((await (await open(running)).frame()).payload.toString()).toBe('open');
    },
  );

  it.each([NaN, 'tomorrow', {}, new Date('tomorrow'), true])(
    'refuses %p with 500',
    async (expiresAt) => {
      const onError = jest.fn();
      const opened = jest.fn();
      const auth = (): object => ({ expiresAt });
      const running = await start([route('/ws', { auth }, opened)], { onError });
      expect((await refused(running)).status).toBe(500);
      expect(onError).toHaveBeenCalledTimes(1);
      expect((onError.mock.calls[0] as [Error])[0]).toMatchObject({
        code: 'ERR_WS_INVALID_ARGUMENT',
        message: 'expiresAt in the context must be a Date or milliseconds since the epoch',
      });
      expect(opened).not.toHaveBeenCalled();
    },
  );
});
