import express, {
  Router,
  type ErrorRequestHandler,
  type Express,
  type RequestHandler,
} from 'express';
import { createServer, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { App } from '../../lib/express/app';
import { attachWebSocket } from '../../lib/express/attach';
import type { AttachOptions } from '../../lib/express/options';
import { reject } from '../../lib/express/rejection';
import { route, type AnyRoute } from '../../lib/express/route';
import { wsRouter, type AnyWsRouter, type Attachable } from '../../lib/express/ws-router';
import {
  after,
  eventually,
  gate,
  knock,
  listen,
  open,
  refused,
  start as startServer,
  type Running,
  type StartOptions,
  thrownBy,
} from './harness';

const nothing = (): void => undefined;
const mark =
  (name: string): RequestHandler =>
  (_req, res, next) => {
    res.append('X-Mark', name);
    next();
  };
const deny: RequestHandler = (_req, res) => {
  res.status(401).send('no key');
};
const answerErrors: ErrorRequestHandler = (error: Error, _req, res, _next) => {
  res.status(418).send(`the app says: ${error.message}`);
};
const BELOW_API = /^\/api\//;

function start(routes: readonly Attachable[], options: StartOptions): Promise<Running> {
  return startServer(routes as readonly AnyRoute[], options);
}

/** Starts a server whose app has a router on `/api/:version`. */
async function startOn(
  router: AnyWsRouter,
  { prepare, ...options }: AttachOptions & { prepare?: (app: Express) => void } = {},
): Promise<Running> {
  return start([router], {
    ...options,
    prepare: (app) => {
      prepare?.(app);
      app.use('/api/:version', router);
    },
  });
}

describe('a router', () => {
  it('opens sockets where it is mounted, with all parameters and the URL as it came', async () => {
    const seen: unknown[] = [];
    const api = wsRouter<{ version: string }>();
    const chat = api.ws('/chat/:room', (socket, req) => {
      seen.push({ ...socket.params }, socket.url, req.baseUrl, req.url, { ...req.params });
    });
    const running = await startOn(api);
    await open(running, { path: '/api/v1/chat/a%2Fb?x=1' });
    const params = { version: 'v1', room: 'a/b' };
    expect(seen).toEqual([params, '/api/v1/chat/a%2Fb?x=1', '/api/v1', '/chat/a%2Fb?x=1', params]);
    expect(running.sockets.of(chat).clients.size).toBe(1);
    expect([...running.sockets.clients].length).toBe(1);
  });

  it('is a router of Express: middleware, pages and params, for both kinds', async () => {
    const api = wsRouter();
    api.param('room', (_req, res, next, room) => {
      res.append('X-Mark', `param ${String(room)}`);
      next();
    });
    api.use(mark('router'));
    api.get('/page', (_req, res) => void res.send('page'));
    api.ws(
      '/chat/:room',
      { use: mark('use'), auth: (req) => void req.res?.append('X-Mark', 'auth') },
      nothing,
    );
    const running = await startOn(api, {
      use: mark('attach'),
      prepare: (app) => app.use(mark('app')),
    });
    const { upgraded } = await open(running, { path: '/api/v1/chat/a' });
    expect(upgraded.headers['x-mark']).toEqual([
      'app',
      'router',
      'param a',
      'attach',
      'use',
      'auth',
    ]);
    const page = await fetch(`http://${running.host}/api/v1/page`);
    expect([page.headers.get('x-mark'), await page.text()]).toEqual(['app, router', 'page']);
  });

  it('lets plain requests on the path of a socket pass', async () => {
    const api = wsRouter();
    api.ws('/chat', nothing);
    api.get('/chat', (_req, res) => void res.send('the page of the chat'));
    const running = await startOn(api);
    expect(await (await fetch(`http://${running.host}/api/v1/chat`)).text()).toBe(
      'the page of the chat',
    );
  });

  it('may be mounted twice, and on another router', async () => {
    const seen: unknown[] = [];
    const inner = wsRouter<{ outer: string }>();
    inner.ws('/ws', (socket) => seen.push({ ...socket.params }));
    const outer = wsRouter();
    outer.ws('/ws', () => seen.push('outer'));
    const between = Router({ mergeParams: true }).use('/between', inner);
    outer.use('/inner', inner).use(between);
    const running = await start([outer, inner], {
      prepare: (app) => app.use('/one/:outer', outer).use('/two/:outer', outer),
    });
    for (const path of ['/one/1/inner/ws', '/two/2/between/ws', '/one/1/ws'])
      await open(running, { path });
    expect(seen).toEqual([{ outer: '1' }, { outer: '2' }, 'outer']);
  });

  it('may be part of an app that is mounted on the app', async () => {
    const api = wsRouter<{ tenant: string }>();
    api.ws('/ws', nothing);
    const part = express().use('/:tenant', api);
    const running = await start([api], { prepare: (app) => app.use('/parts', part) });
    await open(running, { path: '/parts/a/ws' });
  });

  it('takes the options of Express', async () => {
    const seen: unknown[] = [];
    const api = wsRouter({ mergeParams: false, caseSensitive: true, strict: true });
    api.ws('/Chat/:room', (socket) => seen.push({ ...socket.params }));
    const running = await startOn(api);
    await open(running, { path: '/api/v1/Chat/a' });
    expect(seen).toEqual([{ room: 'a' }]);
    for (const path of ['/api/v1/chat/a', '/api/v1/Chat/a/']) {
      expect((await refused(running, { path })).status).toBe(404);
    }
  });

  it('stands behind the plain routes, which are matched first', async () => {
    const opened: string[] = [];
    const api = wsRouter();
    api.ws('/chat', () => opened.push('router'));
    const running = await start([api, route('/api/v1/chat', () => opened.push('plain'))], {
      pipeline: 'app',
      prepare: (app) => app.use('/api/:version', api),
    });
    await open(running, { path: '/api/v1/chat' });
    await open(running, { path: '/api/v2/chat' });
    expect(opened).toEqual(['plain', 'router']);
  });

  it('counts in the attach as any route does', async () => {
    const api = wsRouter();
    const limited = api.ws('/limited', { maxConnections: 1 }, nothing);
    api.ws('/open', nothing);
    const running = await startOn(api, { maxConnections: 2 });
    await open(running, { path: '/api/v1/limited' });
    expect((await refused(running, { path: '/api/v1/limited' })).status).toBe(503);
    await open(running, { path: '/api/v1/open' });
    expect((await refused(running, { path: '/api/v1/open' })).status).toBe(503);
    expect(running.sockets.of(limited).clients.size).toBe(1);
  });

  it('is of no use to an upgrade that it does not match: the app answers', async () => {
    const api = wsRouter();
    api.ws('/chat', nothing);
    const running = await startOn(api, {
      pipeline: 'app',
      prepare: (app) =>
        app
          .get('/old', (_req, res) => res.redirect(301, '/new'))
          .get('/page', (_q, res) => void res.send('page')),
    });
    const answer = await refused(running, { path: '/old' });
    expect([answer.status, answer.headers['location']]).toEqual([301, '/new']);
    expect((await refused(running, { path: '/page' })).body).toBe('page');
    expect((await refused(running, { path: '/api/v1/other' })).status).toBe(404);
  });
});

describe('before a route of a router opens', () => {
  it.each<[string, (app: Express, api: AnyWsRouter) => unknown]>([
    ['the app', (app) => app.use(deny)],
    ['the router', (_app, api) => api.use(deny)],
    ['a layer of the router', (_app, api) => api.use('/chat', deny)],
  ])('middleware of %s may refuse', async (_what, prepare) => {
    const opened = jest.fn();
    const api = wsRouter();
    const running = await start([api], {
      prepare: (app) => {
        prepare(app, api);
        api.ws('/chat', opened);
        app.use('/api', api);
      },
    });
    const answer = await refused(running, { path: '/api/chat' });
    expect([answer.status, answer.body]).toEqual([401, 'no key']);
    expect(opened).not.toHaveBeenCalled();
  });

  it('the handshake is checked before the app runs, the origin when the route is known', async () => {
    const ran = jest.fn<void, Parameters<RequestHandler>>((_req, _res, next) => next());
    const api = wsRouter();
    api.ws('/strict', nothing);
    api.ws('/open', { origins: '*' }, nothing);
    const running = await startOn(api, { prepare: (app) => app.use(ran) });
    const version = { 'Sec-WebSocket-Version': '8' };
    expect((await refused(running, { path: '/api/v1/open', headers: version })).status).toBe(426);
    const method = await refused(running, { path: '/api/v1/open', method: 'POST' });
    expect([method.status, (await refused(running, { path: '/a#b' })).status]).toEqual([405, 400]);
    expect(ran).not.toHaveBeenCalled();
    const headers = { Origin: 'https://other.example' };
    expect((await refused(running, { path: '/api/v1/strict', headers })).status).toBe(403);
    await open(running, { path: '/api/v1/open', headers });
    expect(ran).toHaveBeenCalledTimes(2);
  });

  it.each<[string, object]>([
    ['use', { use: async () => Promise.reject(new Error('broken')) }],
    ['auth', { auth: async () => Promise.reject(new Error('broken')) }],
    [
      'origins',
      {
        origins: () => {
          throw new Error('broken');
        },
      },
    ],
  ])(
    'what %s throws is answered by the error handlers there, and reported',
    async (_where, options) => {
      const onError = jest.fn();
      const opened = jest.fn();
      const api = wsRouter();
      api.ws('/chat', options, nothing);
      api.use(answerErrors, nothing);
      // Behind the error, an exit is not looked for any more.
      api.ws('/chat', opened);
      const running = await startOn(api, { onError });
      const answer = await refused(running, { path: '/api/v1/chat' });
      expect([answer.status, answer.body]).toEqual([418, 'the app says: broken']);
      expect(onError).toHaveBeenCalledTimes(1);
    },
  );

  it('an error handler that goes on leads to the 404, not to another route', async () => {
    const opened = jest.fn();
    const api = wsRouter();
    api.ws(
      '/chat',
      {
        auth: () => {
          throw new Error('x');
        },
      },
      opened,
    );
    api.use(((_error, _req, _res, next) => next()) satisfies ErrorRequestHandler);
    api.ws('/chat', opened);
    const running = await startOn(api, { onError: nothing });
    expect((await refused(running, { path: '/api/v1/chat' })).status).toBe(404);
    expect(opened).not.toHaveBeenCalled();
  });

  it('a rejection is the answer', async () => {
    const api = wsRouter();
    api.use(answerErrors);
    api.ws('/chat', { auth: () => reject(402, 'pay') }, nothing);
    const answer = await refused(await startOn(api), { path: '/api/v1/chat' });
    expect([answer.status, answer.body]).toEqual([402, 'pay']);
  });

  it('the URL may be rewritten: what counts is where it arrives', async () => {
    const seen: unknown[] = [];
    const api = wsRouter();
    api.ws('/chat/:room', (socket) => seen.push({ ...socket.params }, socket.url));
    const running = await start([api], {
      prepare: (app) =>
        app.use((req, _res, next) => ((req.url = '/new/chat/a'), next())).use('/new', api),
    });
    await open(running, { path: '/old' });
    expect(seen).toEqual([{ room: 'a' }, '/old']);
  });
});

describe('while the app waits', () => {
  const hold = (): { held: Promise<() => void>; middleware: RequestHandler; left: jest.Mock } => {
    const arrived = gate<() => void>();
    const left = jest.fn();
    const middleware: RequestHandler = (req, _res, next) => {
      req.once('close', left);
      arrived.resolve(() => next());
    };
    return { held: arrived.promise, middleware, left };
  };

  it('the time of the attach runs, and nothing comes of passing on late', async () => {
    const { held, middleware } = hold();
    const opened = jest.fn();
    const api = wsRouter();
    api.ws('/chat', opened);
    const running = await startOn(api, {
      handshakeTimeout: 100,
      prepare: (app) => app.use(middleware),
    });
    expect((await refused(running, { path: '/api/v1/chat' })).status).toBe(503);
    (await held)();
    expect(opened).not.toHaveBeenCalled();
  });

  it('the time of the route counts from the start', async () => {
    const { held, middleware } = hold();
    const api = wsRouter();
    const auth = jest.fn(() => new Promise(nothing));
    api.ws('/chat', { auth, handshakeTimeout: 60_000 }, nothing);
    const running = await startOn(api, { prepare: (app) => app.use(middleware) });
    const client = knock(running, { path: '/api/v1/chat' });
    const pass = await held;
    const began = performance.now();
    jest.spyOn(performance, 'now').mockReturnValue(began + 120_000);
    pass();
    jest.restoreAllMocks();
    await eventually(() => auth.mock.calls.length === 1);
    expect((await client.lastAnswer()).status).toBe(503);
  });

  it.each(['reset', 'fin'] as const)(
    'the client may go (%s), and its place is free',
    async (way) => {
      const { held, middleware, left } = hold();
      const opened = jest.fn();
      const api = wsRouter();
      api.use('/held', middleware);
      api.ws('/held', opened);
      api.ws('/chat', opened);
      const running = await startOn(api, { maxPendingHandshakes: 1 });
      const client = knock(running, { path: '/api/v1/held' });
      const pass = await held;
      expect((await refused(running, { path: '/api/v1/chat' })).body).toBe('too many handshakes');
      client[way]();
      await eventually(() => left.mock.calls.length > 0);
      pass();
      await open(running, { path: '/api/v1/chat' });
      expect(opened).toHaveBeenCalledTimes(1);
    },
  );

  it('closing refuses it, and whoever comes later', async () => {
    const { held, middleware } = hold();
    const api = wsRouter();
    api.ws('/chat', nothing);
    const running = await startOn(api, { prepare: (app) => app.use(middleware) });
    const client = knock(running, { path: '/api/v1/chat' });
    await held;
    const closed = running.sockets.close();
    expect((await client.lastAnswer()).status).toBe(503);
    await closed;
    expect((await refused(running, { path: '/api/v1/chat' })).body).toBe('closing');
  });

  it('middleware may answer late', async () => {
    const { held, middleware } = hold();
    const api = wsRouter();
    api.use((req, res, next) => middleware(req, res, () => deny(req, res, next)));
    api.ws('/chat', nothing);
    const client = knock(await startOn(api), { path: '/api/v1/chat' });
    (await held)();
    expect((await client.lastAnswer()).status).toBe(401);
  });
});

describe('among neighbours', () => {
  /** Another listener, which answers what it gets with a status of its own. */
  async function startAmong(
    routers: readonly AnyWsRouter[],
    options: AttachOptions,
    answer: 'answers' | 'listens' = 'answers',
  ): Promise<{ port: number; neighbour: jest.Mock }> {
    const app = express();
    for (const router of routers) app.use('/api', router);
    const server = createServer(app);
    const neighbour = jest.fn((_request: IncomingMessage, transport: Duplex) => {
      if (answer === 'answers')
        transport.end('HTTP/1.1 299 Neighbour\r\nContent-Length: 0\r\n\r\n');
    });
    server.on('upgrade', neighbour);
    const sockets = attachWebSocket(app, server, routers, options);
    after(() => sockets.close({ timeout: 1000 }));
    return { port: await listen(server), neighbour };
  }

  it('what a router claims is its own, and the rest is theirs', async () => {
    const api = wsRouter({ claims: BELOW_API });
    const params: unknown[] = [];
    api.ws('/chat', (socket) => params.push({ ...socket.params }));
    const running = await startAmong([wsRouter({ claims: '/none' }), api], { exclusive: true });
    await open(running, { path: '/api/chat' });
    expect((await refused(running, { path: '/api/other' })).status).toBe(404);
    expect(running.neighbour).not.toHaveBeenCalled();
    expect((await knock(running, { path: '/else' }).head()).status).toBe(299);
    expect(
      (await knock(running, { path: '/else', headers: { Upgrade: 'h2c' } }).head()).status,
    ).toBe(299);
    expect(params).toEqual([{}]);
  });

  it('they hear of it, too, unless it is exclusive', async () => {
    const api = wsRouter({ claims: BELOW_API });
    api.ws('/chat', nothing);
    const running = await startAmong([api], {}, 'listens');
    await open(running, { path: '/api/chat' });
    expect(running.neighbour).toHaveBeenCalledTimes(1);
  });

  it('without claims everything is left to them', async () => {
    const opened = jest.fn();
    const api = wsRouter();
    api.ws('/chat', opened);
    const running = await startAmong([api], { exclusive: true });
    expect((await knock(running, { path: '/api/chat' }).head()).status).toBe(299);
    expect(opened).not.toHaveBeenCalled();
  });

  it("unless the app answers what is unmatched: unmatched: 'app'", async () => {
    const api = wsRouter();
    api.ws('/chat', nothing);
    const running = await startAmong([api], { unmatched: 'app' }, 'listens');
    await open(running, { path: '/api/chat' });
  });

  it("and unmatched: 'ignore' asks for claims", async () => {
    const api = wsRouter();
    const error = await startAmong([api], { unmatched: 'ignore' }).catch(
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({
      code: 'ERR_WS_INVALID_ARGUMENT',
      message: expect.stringMatching('claims'),
    });
    const claiming = wsRouter({ claims: BELOW_API });
    claiming.ws('/chat', nothing);
    await open(await startAmong([claiming], { unmatched: 'ignore' }, 'listens'), {
      path: '/api/chat',
    });
  });
});

describe('several attaches on one server', () => {
  it('share the app: a route is found on whichever it is', async () => {
    const one = wsRouter();
    const chat = one.ws('/one', nothing);
    const two = wsRouter();
    const other = two.ws('/two', { auth: () => undefined }, nothing);
    const running = await start([], { prepare: (app) => app.use(one, two) });
    const first = attachWebSocket(running.app, running.server, [one]);
    after(() => first.close());
    const second = attachWebSocket(running.app, running.server, [two]);
    after(() => second.close());
    await open(running, { path: '/one' });
    await open(running, { path: '/two' });
    expect([first.of(chat).clients.size, second.of(other).clients.size]).toEqual([1, 1]);
    await first.close({ timeout: 0 });
    expect((await refused(running, { path: '/one' })).body).toBe('closing');
    await open(running, { path: '/two' });
  });

  it('take a router one at a time', async () => {
    const api = wsRouter();
    api.ws('/chat', nothing);
    const running = await start([api], { prepare: (app) => app.use(api) });
    const again = (): unknown => attachWebSocket(running.app, running.server, [api]);
    expect(thrownBy(again)).toMatchObject({
      code: 'ERR_WS_PATH_TAKEN',
      message: expect.stringMatching('router'),
    });
    await running.sockets.close();
    const sockets = attachWebSocket(running.app, running.server, [api]);
    after(() => sockets.close());
    await open(running, { path: '/chat' });
  });

  it('and on two servers each has its own sockets', async () => {
    const api = wsRouter();
    const chat = api.ws('/chat', nothing);
    const running = await start([api], { prepare: (app) => app.use(api) });
    const server = createServer(running.app);
    const sockets = attachWebSocket(running.app, server, [api]);
    after(() => sockets.close());
    await open({ port: await listen(server) }, { path: '/chat' });
    expect([running.sockets.of(chat).clients.size, sockets.of(chat).clients.size]).toEqual([0, 1]);
  });
});

describe('what is declared wrongly', () => {
  it.each<[string, () => unknown, RegExp]>([
    [
      'an option with a typo',
      () => wsRouter({ claim: '/x' } as object),
      /^options of wsRouter must be .*'claim'/,
    ],
    [
      'an option of the route with a typo',
      () => wsRouter().ws('/x', { origin: '*' } as object, nothing),
      /origin/,
    ],
    ['no handler', () => wsRouter().ws('/x', undefined as never), /handler must be/],
    [
      'a path that Express refuses',
      () => wsRouter().ws('/:(', nothing),
      /^Express refuses the path \/:\(: /,
    ],
    [
      'claims that Express refuses',
      () => attach([wsRouter({ claims: '/:(' })]),
      /^Express refuses/,
    ],
    [
      'a route instead of its router',
      () => attach([wsRouter().ws('/x', nothing)]),
      /^routes\[0\] is a router's/,
    ],
    [
      'a plain router',
      () => attach([Router() as never]),
      /^routes\[0\] must come from route\(\) or wsRouter\(\), got/,
    ],
  ])('%s is said', (_what, call, message) => {
    const error = thrownBy(call);
    expect([error.name, error.code]).toEqual(['TypeError', 'ERR_WS_INVALID_ARGUMENT']);
    expect(error.message).toMatch(message);
  });

  it('a route that comes too late is said', () => {
    const api = wsRouter();
    attach([api]);
    const error = thrownBy(() => api.ws('/late', nothing));
    expect(error.message).toBe('the route /late comes too late: declare it before attachWebSocket');
  });

  it('a router that was forgotten is said to whoever comes there', async () => {
    const forgotten = wsRouter();
    forgotten.ws('/chat', nothing);
    const running = await start([wsRouter()], { prepare: (app) => app.use(forgotten) });
    running.app.use(answerErrors);
    expect((await refused(running, { path: '/chat' })).body).toMatch(
      'the router of /chat is not attached',
    );
    expect((await fetch(`http://${running.host}/chat`)).status).toBe(404);
  });

  function attach(routes: Parameters<typeof attachWebSocket>[2]): unknown {
    const app: App = express();
    return attachWebSocket(app, createServer(), routes);
  }
});
