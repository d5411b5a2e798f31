import type { RequestHandler } from 'express';
import { route, type AuthInfo } from '../../lib/express/route';
import {
  catchStderr,
  Client,
  eventually,
  handshake,
  knock,
  open,
  refused,
  start,
  type Request,
} from '../express/harness';
import { connectionsFallTo, counting, echo, expectAlive } from './handshake-attack';

describe('H-15 a client that leaves while auth is under way', () => {
  const delays = [0, 1, 10, 19, 20, 21, 40];
  const ways = ['reset', 'fin'] as const;

  it.each(delays.flatMap((delay) => ways.map((way) => [way, delay] as const)))(
    '%s after %d ms of 20',
    async (way, delay) => {
      const signals: AbortSignal[] = [];
      let opened = 0;
      let closed = 0;
      const auth = async (_req: unknown, { signal }: AuthInfo): Promise<object> => {
        signals.push(signal);
        await new Promise((resolve) => setTimeout(resolve, 20));
        return {};
      };
      const running = await start([
        route('/ws', { auth, maxConnections: 1 }, { open: () => opened++, close: () => closed++ }),
      ]);
      const client = knock(running);
      await eventually(() => signals.length === 1);
      await new Promise((resolve) => setTimeout(resolve, delay));
      client[way]();
      await eventually(() => signals[0]!.aborted || (opened === 1 && closed === 1));
      // Either it never opened and the signal fired, or it opened and closed once.
      expect(signals[0]!.aborted).toBe(opened === 0);
      expect(running.sockets.clients.size).toBe(0);
      await open(running);
      expect([opened - closed, signals.length]).toEqual([1, 2]);
    },
  );
});

describe('H-16 the guards of the app', () => {
  it('refuse an upgrade with their own status, body and headers', async () => {
    const guard: RequestHandler = (req, res, next) => {
      if (req.get('Authorization') === 'Bearer good') {
        next();
        return;
      }
      res.status(401).set('WWW-Authenticate', 'Bearer').json({ error: 'log in' });
    };
    const opened = jest.fn();
    const running = await start([route('/ws', opened)], {
      use: guard,
      prepare: (app) => app.use(guard),
    });
    for (const path of ['/ws', '/none']) {
      const answer = await refused(running, { path });
      expect([answer.status, answer.body]).toEqual([401, '{"error":"log in"}']);
      expect(answer.headers['www-authenticate']).toBe('Bearer');
    }
    expect(opened).not.toHaveBeenCalled();
    await open(running, { headers: { Authorization: 'Bearer good' } });
  });

  it('count upgrades', async () => {
    let left = 3;
    const limiter: RequestHandler = (_req, res, next) => {
      res.set('RateLimit-Remaining', String(--left));
      if (left >= 0) next();
      else res.set('Retry-After', '60').sendStatus(429);
    };
    const running = await start([
      route('/ws', { use: limiter, auth: () => false }, () => undefined),
    ]);
    const seen: unknown[] = [];
    for (let count = 0; count < 4; count++) {
      const { status, headers } = await refused(running);
      seen.push([status, headers['ratelimit-remaining']]);
    }
    expect(seen).toEqual([
      [403, '2'],
      [403, '1'],
      [403, '0'],
      [429, '-1'],
    ]);
  });
});

describe('H-18 what could split an answer', () => {
  it.each<[string, RequestHandler]>([
    ['a header by middleware', (_req, res) => void res.setHeader('X', 'a\r\nSet-Cookie: b')],
    ['a name by middleware', (_req, res) => void res.setHeader('X\r\nY', 'a')],
    ['a header above Latin-1', (_req, res) => void res.setHeader('X', '\u0100')],
    ['a header by reject', () => Promise.reject(new Error('a\r\nSet-Cookie: b'))],
  ])('%s does not get on the wire', async (_what, use) => {
    const lines = catchStderr();
    const running = await start([echo, route('/use', { use }, () => undefined)]);
    const answer = await refused(running, { path: '/use' });
    expect([answer.status, answer.body]).toEqual([500, 'Internal Server Error']);
    expect(Object.keys(answer.headers)).not.toContain('set-cookie');
    expect(lines).toHaveLength(1);
    await expectAlive(running);
  });

  it('the words of an error are not the words of the status', async () => {
    catchStderr();
    const error = Object.assign(new Error('x'), { status: 404, statusMessage: 'a\r\nb: c' });
    const auth = (): Promise<never> => Promise.reject(error);
    const running = await start([route('/ws', { auth }, () => undefined)]);
    const answer = await refused(running);
    expect([answer.status, answer.statusText]).toEqual([404, 'Not Found']);
    expect(answer.headers['b']).toBeUndefined();
  });
});

describe('O-3 a refusal is the end of the connection', () => {
  const smuggled = 'GET /admin HTTP/1.1\r\nHost: localhost\r\n\r\n';

  it.each<[string, Request, number]>([
    ['a version', { headers: { 'Sec-WebSocket-Version': '777' } }, 426],
    ['a key', { headers: { 'Sec-WebSocket-Key': 'x' } }, 400],
    ['an origin', { headers: { Origin: 'https://evil.com' } }, 403],
    ['a method', { method: 'POST' }, 405],
    ['a body', { headers: { 'Content-Length': '41' } }, 400],
    ['a target', { path: '//ws' }, 400],
    ['a path', { path: '/none' }, 404],
    ['auth', { path: '/auth' }, 403],
    ['use', { path: '/use' }, 401],
  ])('%s: what follows is no request', async (_what, request, status) => {
    const { seen, prepare } = counting();
    const running = await start(
      [
        echo,
        route('/auth', { auth: async () => false }, () => undefined),
        route('/use', { use: (_req, res) => void res.sendStatus(401) }, () => undefined),
      ],
      { prepare },
    );
    const client = new Client(running.port, { allowHalfOpen: true });
    client.write(handshake(request) + smuggled);
    const answer = await client.answer();
    expect([answer.status, answer.headers.connection]).toEqual([status, 'close']);
    client.write(smuggled);
    await client.ended;
    client.write(smuggled);
    expect(client.received.toString()).toBe('');
    expect(seen.filter((line) => line.includes('admin'))).toEqual([]);
    await expectAlive(running);
  });

  it('what follows a 101 is no request either', async () => {
    const { seen, prepare } = counting();
    const running = await start([echo], { prepare });
    const client = new Client(running.port).write(handshake() + smuggled);
    expect((await client.head()).status).toBe(101);
    expect(await client.closeCode()).toBe(1002);
    await client.ended;
    expect(seen).toEqual([]);
  });
});

it('T-2 half-open upgrades above the limit are answered at once, the rest in time', async () => {
  const signals: AbortSignal[] = [];
  const auth = (_req: unknown, { signal }: AuthInfo): Promise<object> => {
    signals.push(signal);
    return new Promise(() => {});
  };
  const running = await start([echo, route('/slow', { auth }, () => undefined)], {
    maxPendingHandshakes: 100,
    handshakeTimeout: 300,
  });
  const answers = await Promise.all(
    Array.from({ length: 150 }, () => refused(running, { path: '/slow' })),
  );
  const bodies = answers.map(({ status, body }) => `${status} ${body}`).sort();
  expect(bodies).toEqual([
    ...Array<string>(100).fill('503 the handshake took too long'),
    ...Array<string>(50).fill('503 too many handshakes'),
  ]);
  expect(signals.filter(({ aborted }) => aborted)).toHaveLength(100);
  await connectionsFallTo(0, running);
  const again = await refused(running, { path: '/slow' });
  expect(again.body).toBe('the handshake took too long');
  await expectAlive(running);
});
