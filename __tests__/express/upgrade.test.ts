import express, { Router, type Request, type RequestHandler } from 'express';
import { Rejection, reject } from '../../lib/express/rejection';
import { route, type AuthInfo } from '../../lib/express/route';
import { CloseCode } from '../../lib/protocol/close';
import { clientFrame } from '../support/bytes';
import {
  ACCEPT,
  catchStderr,
  Client,
  eventually,
  gate,
  handshake,
  KEY,
  knock,
  open,
  refused,
  start,
  type Answer,
  type Request as Knock,
} from './harness';

const pass: RequestHandler = (_req, _res, next) => next();
const plain = route('/ws', () => undefined);

describe('an upgrade', () => {
  it('goes through in the order of design §2.4.1', async () => {
    const steps: string[] = [];
    const step =
      (name: string): RequestHandler =>
      (_req, _res, next) => {
        steps.push(name);
        next();
      };
    const running = await start(
      [
        route(
          '/ws',
          {
            origins: () => steps.push('origin') > 0,
            use: [step('use of the route'), [step('and its second')]],
            protocols: ['a'],
            auth: async (_req, { signal }) => {
              await new Promise((resolve) => setImmediate(resolve));
              steps.push(`auth, ${signal.aborted ? 'aborted' : 'not aborted'}`);
            },
          },
          {
            open(socket) {
              steps.push(`open ${socket.protocol}`);
              socket.send('hi');
            },
            message: (_socket, data) => steps.push(`message ${String(data)}`),
          },
        ),
      ],
      { use: step('use of the attach') },
    );
    const headers = { 'Sec-WebSocket-Protocol': 'b, a', Origin: 'http://x' };
    const client = await open(running, { headers });
    steps.push('101');
    expect((await client.frame()).payload.toString()).toBe('hi');
    client.write(clientFrame({ first: 0x81, payload: 'm' }));
    await eventually(() => steps.includes('message m'));
    expect(steps).toEqual([
      'origin',
      'use of the attach',
      'use of the route',
      'and its second',
      'auth, not aborted',
      'open a',
      '101',
      'message m',
    ]);
  });

  it.each<[string, Knock, number]>([
    ['the handshake', { headers: { 'Sec-WebSocket-Version': '8', Origin: 'http://evil' } }, 426],
    ['the origin', { headers: { Origin: 'http://evil' } }, 403],
    ['the limits', {}, 503],
  ])('asks nobody when %s is wrong', async (_what, request, status) => {
    const asked = jest.fn();
    const running = await start([
      route('/ws', { use: asked, auth: asked, maxConnections: 1 }, () => undefined),
    ]);
    knock(running);
    await eventually(() => asked.mock.calls.length === 1);
    expect((await refused(running, request)).status).toBe(status);
    expect(asked).toHaveBeenCalledTimes(1);
  });

  it('asks for the subprotocol last: auth may refuse first', async () => {
    const headers = { 'Sec-WebSocket-Protocol': 'other' };
    const ask = async (auth: () => unknown): Promise<number> => {
      const running = await start([route('/ws', { protocols: ['a'], auth }, () => undefined)]);
      return (await refused(running, { headers })).status;
    };
    expect(await ask(() => false)).toBe(403);
    expect(await ask(() => ({}))).toBe(400);
  });

  it('without use and auth is answered before the event returns', async () => {
    const running = await start([plain]);
    const client = knock(running);
    await new Promise((resolve) => running.server.once('upgrade', resolve));
    expect(running.sockets.clients.size).toBe(1);
    const head = await client.head();
    expect(head.headers).toEqual({
      upgrade: 'websocket',
      connection: 'Upgrade',
      'sec-websocket-accept': ACCEPT,
    });
  });

  it('takes what comes right behind it', async () => {
    const got: unknown[] = [];
    const running = await start([route('/ws', { message: (_socket, data) => got.push(data) })]);
    const bytes = [Buffer.from(handshake()), clientFrame({ first: 0x81, payload: 'early' })];
    const client = new Client(running.port).write(Buffer.concat(bytes));
    expect((await client.head()).status).toBe(101);
    await eventually(() => got.length === 1);
    expect(got).toEqual(['early']);
  });
});

describe('the socket', () => {
  it('knows what it was opened with', async () => {
    const seen: unknown[] = [];
    const running = await start([
      route('/chat/:room', { protocols: ['v1'], auth: async () => ({ user: 'ann' }) }, (socket) =>
        seen.push([{ ...socket.params }, socket.context, socket.protocol, socket.url]),
      ),
    ]);
    const headers = { 'Sec-WebSocket-Protocol': 'v1' };
    await open(running, { path: '/chat/r?token=1', headers });
    expect(seen).toEqual([[{ room: 'r' }, { user: 'ann' }, 'v1', '/chat/r?token=1']]);
  });

  it('has no parameters, no context and no protocol where there are none', async () => {
    const seen: unknown[] = [];
    const running = await start([
      route('/ws', (socket) => seen.push([socket.params, socket.context, socket.protocol])),
    ]);
    await open(running);
    expect(seen).toEqual([[{}, undefined, '']]);
  });

  it('of a path without an open hook opens as well', async () => {
    const running = await start([route('/ws', {})]);
    await open(running);
    expect(running.sockets.clients.size).toBe(1);
  });
});

/** Every refusal, byte by byte but for the date (design §5, hardening §2 row 30). */
describe('every refusal', () => {
  const closing = async (): Promise<Answer> => {
    const { sockets, port } = await start([plain]);
    await sockets.close();
    return refused({ port });
  };
  const late = async (): Promise<Answer> =>
    refused(
      await start([
        route('/ws', { auth: () => new Promise(() => {}), handshakeTimeout: 50 }, () => undefined),
      ]),
    );
  const full = async (): Promise<Answer> => {
    const asked = jest.fn(() => new Promise(() => {}));
    const running = await start([route('/ws', { auth: asked }, () => undefined)], {
      maxPendingHandshakes: 1,
    });
    knock(running);
    await eventually(() => asked.mock.calls.length === 1);
    return refused(running);
  };
  const crowded = (limit: object) => async (): Promise<Answer> => {
    const running = await start([plain], limit);
    await open(running);
    return refused(running);
  };
  const auth = (decide: () => unknown) => async (): Promise<Answer> => {
    catchStderr();
    return refused(await start([route('/ws', { auth: decide }, () => undefined)]));
  };
  const asked = (request: Knock) => async (): Promise<Answer> =>
    refused(
      await start([route(['/ws', '/chat/:room'], { protocols: ['a', 'b'] }, () => undefined)]),
      request,
    );
  const header = (name: string, value: string | string[] | undefined) =>
    asked({ headers: { [name]: value } });
  const many = Object.fromEntries(Array.from({ length: 130 }, (_, index) => [`X-${index}`, '1']));

  it.each<[string, () => Promise<Answer>]>([
    ['a path that cannot be decoded', asked({ path: '/chat/%zz' })],
    ['a target with a fragment', asked({ path: '/ws#x' })],
    ['not GET', asked({ method: 'POST' })],
    ['HTTP/1.0', asked({ version: '1.0' })],
    ['no Host', header('Host', '')],
    ['a body', header('Content-Length', '5')],
    ['too many header fields', asked({ headers: many })],
    ['a field that came twice', header('Sec-WebSocket-Key', [KEY, KEY])],
    ['a malformed Connection', header('Connection', 'Upgrade, (x)')],
    ['a bad key', header('Sec-WebSocket-Key', 'x')],
    ['a bad version', header('Sec-WebSocket-Version', '8')],
    ['bad subprotocols', header('Sec-WebSocket-Protocol', 'a b')],
    ['bad extensions', header('Sec-WebSocket-Extensions', 'a; b="')],
    ['no common subprotocol', header('Sec-WebSocket-Protocol', 'c')],
    ['the origin', header('Origin', 'https://evil.com')],
    ['closing down', closing],
    ['too many handshakes', full],
    ['too many connections', crowded({ maxConnections: 1 })],
    ['too many connections of one address', crowded({ maxConnectionsPerIp: 1 })],
    ['auth says false', auth(() => false)],
    ['auth says null', auth(() => null)],
    ['auth throws', auth(() => Promise.reject(new Error('secret')))],
    ['the handshake takes too long', late],
  ])('is a short and fixed answer: %s', async (_what, ask) => {
    const { headers, ...rest } = await ask();
    expect({ ...rest, headers: { ...headers, date: undefined } }).toMatchSnapshot();
    expect(headers).toMatchObject({
      connection: expect.stringMatching(/^close$/),
      'content-type': 'text/plain; charset=utf-8',
      'x-content-type-options': 'nosniff',
      'content-length': String(rest.body.length),
    });
    expect(rest.body.length).toBeLessThan(120);
    expect(headers['x-powered-by']).toBeUndefined();
  });
});

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

describe('§2.4.7 a client that leaves during auth', () => {
  const leaving: [string, (client: Client) => Client][] = [
    ['RST', (client) => client.reset()],
    ['FIN', (client) => client.fin()],
  ];

  it.each(leaving)(
    '%s aborts the signal, opens nothing and frees its place',
    async (_what, leave) => {
      let info: AuthInfo | undefined;
      const decided = gate<object>();
      const opened = jest.fn();
      const auth = jest.fn((_req: unknown, given: AuthInfo) => {
        info = given;
        return decided.promise;
      });
      const running = await start([route('/ws', { auth, maxConnections: 1 }, opened)], {
        maxPendingHandshakes: 1,
      });
      const client = knock(running);
      await eventually(() => auth.mock.calls.length === 1);
      const aborted = new Promise((resolve) => info?.signal.addEventListener('abort', resolve));
      leave(client);
      await aborted;
      decided.resolve({});
      await client.ended;
      expect(client.received.length).toBe(0);
      expect(opened).not.toHaveBeenCalled();
      expect(running.sockets.clients.size).toBe(0);
      // The place is free, among the connections and among the handshakes.
      await open(running);
      expect(opened).toHaveBeenCalledTimes(1);
    },
  );

  it.each(leaving)('%s and then an error is told of, and answered to nobody', async (_w, leave) => {
    const onError = jest.fn();
    const failed = gate<never>();
    let signal: AbortSignal | undefined;
    const auth = (_req: unknown, info: AuthInfo): Promise<never> => {
      ({ signal } = info);
      return failed.promise;
    };
    const running = await start([route('/ws', { auth }, () => undefined)], { onError });
    const client = knock(running);
    await eventually(() => signal !== undefined);
    leave(client);
    await eventually(() => signal?.aborted === true);
    failed.reject(new Error('too late'));
    await eventually(() => onError.mock.calls.length === 1);
  });

  it.each(leaving)('%s during use goes no further', async (_what, leave) => {
    let next: () => void = () => undefined;
    const use = jest.fn<void, Parameters<RequestHandler>>((_req, _res, given) => {
      next = given;
    });
    const auth = jest.fn();
    const opened = jest.fn();
    const running = await start([route('/ws', { use, auth, maxConnections: 1 }, opened)]);
    const client = knock(running);
    await eventually(() => use.mock.calls.length === 1);
    const [req] = use.mock.calls[0]!;
    const gone = new Promise((resolve) => req.socket.once('close', resolve));
    leave(client);
    await gone;
    next();
    const again = knock(running);
    await eventually(() => use.mock.calls.length === 2);
    next();
    expect((await again.head()).status).toBe(101);
    expect(auth).toHaveBeenCalledTimes(1);
    expect(opened).toHaveBeenCalledTimes(1);
  });

  it.each(leaving)('%s before anything was decided at all', async (_what, leave) => {
    const opened = jest.fn();
    const running = await start([route('/ws', { auth: () => ({}), maxConnections: 1 }, opened)]);
    for (let round = 0; round < 5; round++) leave(knock(running));
    await eventually(() => running.sockets.clients.size === 0);
    let status = 0;
    while (status !== 101) ({ status } = await knock(running).head());
  });
});

describe('§2.4.7 handshakeTimeout', () => {
  it('answers 503 and aborts the signal', async () => {
    let signal: AbortSignal | undefined;
    const late = gate<object>();
    const opened = jest.fn();
    const auth = (_req: unknown, info: AuthInfo): Promise<object> => {
      ({ signal } = info);
      return late.promise;
    };
    const running = await start([
      route('/ws', { auth, handshakeTimeout: 50, maxConnections: 1 }, opened),
    ]);
    const answer = await refused(running);
    expect([answer.status, answer.body]).toEqual([503, 'the handshake took too long']);
    expect(signal?.aborted).toBe(true);
    late.resolve({});
    await eventually(() => running.sockets.clients.size === 0);
    expect(opened).not.toHaveBeenCalled();
  });

  it('counts use as well', async () => {
    const running = await start([
      route('/ws', { use: () => undefined, handshakeTimeout: 50 }, () => undefined),
    ]);
    expect((await refused(running)).status).toBe(503);
  });

  it('does not end a socket that has opened', async () => {
    const running = await start([
      route('/ws', { auth: () => ({}), handshakeTimeout: 1 }, (socket) => {
        socket.on('message', (data) => socket.send(data));
      }),
      route('/late', { auth: () => new Promise(() => {}), handshakeTimeout: 100 }, () => undefined),
    ]);
    const client = await open(running);
    await refused(running, { path: '/late' });
    client.write(clientFrame({ first: 0x81, payload: 'x' }));
    expect((await client.frame()).payload.toString()).toBe('x');
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

describe('§2.4.8 subprotocols', () => {
  it.each<[string[] | undefined, string | string[] | undefined, string | undefined | number]>([
    [['b', 'a'], 'a, b', 'b'],
    [['b', 'a'], 'a', 'a'],
    [['b', 'a'], ['x', 'a', 'b'], 'b'],
    [['b', 'a'], undefined, undefined],
    [['b', 'a'], 'A', 400],
    [['b', 'a'], 'c, d', 400],
    [[], 'a', undefined],
    [undefined, 'a, b', undefined],
    [undefined, undefined, undefined],
  ])('of ours %j, the client offers %j: %j', async (protocols, offered, expected) => {
    const seen: string[] = [];
    const running = await start([
      route('/ws', { protocols }, (socket) => seen.push(socket.protocol)),
    ]);
    const headers = { 'Sec-WebSocket-Protocol': offered };
    if (typeof expected === 'number') {
      const answer = await refused(running, { headers });
      expect([answer.status, answer.body]).toEqual([
        expected,
        'no common subprotocol; spoken here: b, a',
      ]);
      return;
    }
    const { upgraded } = await open(running, { headers });
    expect(upgraded.headers['sec-websocket-protocol']).toBe(expected);
    expect(seen).toEqual([expected ?? '']);
  });
});

describe('use', () => {
  const failing = new Error('the secret');

  it.each<[string, RequestHandler, number]>([
    [
      'throws',
      () => {
        throw failing;
      },
      500,
    ],
    ['rejects', async () => Promise.reject(failing), 500],
    ['passes an error on', (_req, _res, next) => next(failing), 500],
    [
      'throws a status',
      async () => Promise.reject(Object.assign(new Error('x'), { status: 429 })),
      429,
    ],
    ['rejects with nothing', async () => Promise.reject(undefined), 500],
    ['rejects with null', async () => Promise.reject(null), 500],
    ['throws a rejection', async () => Promise.reject(reject(401)), 401],
    ['passes a rejection on', (_req, _res, next) => next(reject(401)), 401],
  ])('%s', async (_what, use, status) => {
    const onError = jest.fn();
    const opened = jest.fn();
    const auth = jest.fn();
    const running = await start([route('/ws', { use, auth }, opened)], { onError });
    const answer = await refused(running);
    expect(answer.status).toBe(status);
    expect(answer.body).not.toContain('secret');
    expect(onError).toHaveBeenCalledTimes(status === 500 ? 1 : 0);
    expect(auth).not.toHaveBeenCalled();
    expect(opened).not.toHaveBeenCalled();
  });

  it('changes the request for auth and open', async () => {
    const seen: unknown[] = [];
    const use: RequestHandler = (req, res, next) => {
      Object.assign(req, { user: 'ann' });
      res.locals['trace'] = 1;
      next();
    };
    const auth = (req: Request): object => ({ user: req.user });
    const running = await start([
      route('/ws', { use, auth }, (socket, req) => seen.push(socket.context, req.user)),
    ]);
    await open(running);
    expect(seen).toEqual([{ user: 'ann' }, 'ann']);
  });

  it('may be a router, which sees the parameters of the path', async () => {
    const seen: unknown[] = [];
    const router = Router({ mergeParams: true });
    router.use((req, _res, next) => {
      seen.push({ ...req.params }, req.originalUrl);
      next();
    });
    router.get('/chat/secret', (_req, res) => void res.status(404).send('no such room'));
    const running = await start([route('/chat/:room', { use: router }, () => undefined)]);
    await open(running, { path: '/chat/a?x' });
    expect(seen).toEqual([{ room: 'a' }, '/chat/a?x']);
    const answer = await refused(running, { path: '/chat/secret' });
    expect([answer.status, answer.body]).toEqual([404, 'no such room']);
  });

  it('leaves the parameters as they were', async () => {
    const seen: unknown[] = [];
    const router = Router().get('/:kind/:name', pass);
    const running = await start([
      route('/chat/:room', { use: [pass, router] }, (socket) => seen.push({ ...socket.params })),
    ]);
    await open(running, { path: '/chat/a' });
    expect(seen).toEqual([{ room: 'a' }]);
  });

  it('may handle errors, with four parameters', async () => {
    const onError = jest.fn();
    const handle = (error: Error, _req: Request, res: express.Response, _next: unknown): void => {
      res.status(418).send(error.message);
    };
    const throwing: RequestHandler = () => {
      throw new Error('teapot');
    };
    const running = await start(
      [
        route('/ws', { use: [throwing, handle as never] }, () => undefined),
        route('/fine', { use: [pass, handle as never] }, () => undefined),
      ],
      { onError },
    );
    const answer = await refused(running);
    expect([answer.status, answer.body]).toEqual([418, 'teapot']);
    expect(onError).not.toHaveBeenCalled();
    await open(running, { path: '/fine' });
  });

  it('that leaves the router has not let anybody in', async () => {
    const opened = jest.fn();
    const leave: RequestHandler = (_req, _res, next) => next('router');
    const guard: RequestHandler = (_req, res) => void res.sendStatus(403);
    const running = await start([route('/ws', { use: [leave, guard] }, opened)]);
    const { status } = await knock(running).head();
    expect(status).not.toBe(101);
    expect(opened).not.toHaveBeenCalled();
  });

  it('that answers at the attach keeps the route from running', async () => {
    const own = jest.fn();
    const running = await start([route('/ws', { use: own, auth: own }, own)], {
      use: (_req, res) => void res.sendStatus(401),
    });
    expect((await refused(running)).status).toBe(401);
    expect(own).not.toHaveBeenCalled();
  });
});

describe('maxPendingHandshakes', () => {
  it('T-2 answers the one above at once, and frees its place afterwards', async () => {
    const asked = jest.fn(() => new Promise(() => {}));
    const running = await start(
      [
        route('/slow', { auth: asked, maxConnections: 6 }, () => undefined),
        route('/fast', () => undefined),
      ],
      { maxPendingHandshakes: 5 },
    );
    const waiting = Array.from({ length: 5 }, () => knock(running, { path: '/slow' }));
    await eventually(() => asked.mock.calls.length === 5);
    for (let round = 0; round < 3; round++) {
      const answer = await refused(running, { path: '/slow' });
      expect([answer.status, answer.body, answer.headers['retry-after']]).toEqual([
        503,
        'too many handshakes',
        '1',
      ]);
    }
    // What needs nobody's answer does not wait for anybody.
    await open(running, { path: '/fast' });
    for (const client of waiting) client.reset();
    for (const expected of [6, 7, 8, 9, 10]) {
      await eventually(() => {
        if (asked.mock.calls.length < expected) knock(running, { path: '/slow' });
        return asked.mock.calls.length >= expected;
      });
    }
  });
});

describe('an upgrade that closing down overtakes', () => {
  it('is answered with 503 while auth decides', async () => {
    const asked = gate<AbortSignal>();
    const opened = jest.fn();
    const auth = (_req: unknown, { signal }: AuthInfo): Promise<object> => {
      asked.resolve(signal);
      return new Promise(() => {});
    };
    const running = await start([route('/ws', { auth }, opened)]);
    const client = knock(running);
    const signal = await asked.promise;
    await running.sockets.close();
    const answer = await client.lastAnswer();
    expect([answer.status, answer.body, answer.headers['retry-after']]).toEqual([
      503,
      'closing',
      '5',
    ]);
    expect(signal.aborted).toBe(true);
    expect(opened).not.toHaveBeenCalled();
  });

  it('is closed with 1001 when its 101 was on the way already', async () => {
    const use: RequestHandler = (_req, res, next) => {
      const end = res.end.bind(res);
      res.end = (() => {
        void running.sockets.close();
        setImmediate(() => end());
        return res;
      }) as never;
      next();
    };
    const closed: number[] = [];
    const running = await start([
      route('/ws', { use }, { close: (_socket, code) => closed.push(code) }),
    ]);
    const client = await open(running);
    expect(await client.closeCode()).toBe(CloseCode.GoingAway);
    client.fin();
    await eventually(() => closed.length === 1);
    expect(closed).toEqual([1001]);
  });
});
