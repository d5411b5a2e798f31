import express, {
  type ErrorRequestHandler,
  type Request,
  type RequestHandler,
  type Response,
} from 'express';
import compression from 'compression';
import session from 'express-session';
import helmet from 'helmet';
import type { App } from '../../lib/express/app';
import { attachWebSocket } from '../../lib/express/attach';
import { reject } from '../../lib/express/rejection';
import { route } from '../../lib/express/route';
import {
  after,
  catchStderr,
  eventually,
  gate,
  knock,
  mark,
  open,
  plain,
  refused,
  start,
} from './harness';

const answerErrors: ErrorRequestHandler = (error: Error, _req, res, _next) => {
  res.status(418).send(`the app says: ${error.message}`);
};

describe("pipeline 'app'", () => {
  it('runs what was registered before the attach, then the route, and not what came later', async () => {
    const running = await start(
      [
        route(
          '/ws',
          { use: mark('4'), auth: (req) => void req.res?.append('X-Mark', '5') },
          () => {},
        ),
      ],
      {
        pipeline: 'app',
        use: mark('3'),
        prepare: (app) => app.use(mark('1')).use('/ws', mark('2')).use('/other', mark('no')),
      },
    );
    running.app.use(mark('never'));
    const { upgraded } = await open(running);
    expect(upgraded.headers['x-mark']).toEqual(['1', '2', '3', '4', '5']);
  });

  it('opens a route that has neither use nor auth behind the app', async () => {
    const running = await start([plain], { pipeline: 'app', prepare: (app) => app.use(mark('1')) });
    expect((await open(running)).upgraded.headers['x-mark']).toBe('1');
  });

  it('takes a session of the app along: into auth, and its cookie onto the 101', async () => {
    const seen: unknown[] = [];
    const running = await start(
      [
        route('/ws', { auth: (req) => ({ visits: (req.session as { n?: number }).n }) }, (socket) =>
          seen.push(socket.context),
        ),
      ],
      {
        pipeline: 'app',
        prepare: (app) =>
          app
            .use(helmet(), compression())
            .use(session({ secret: 'x', resave: false, saveUninitialized: true }))
            .use((req, _res, next) => {
              const visits = req.session as { n?: number };
              visits.n = (visits.n ?? 0) + 1;
              next();
            }),
      },
    );
    const { upgraded } = await open(running);
    expect(upgraded.headers['x-content-type-options']).toBe('nosniff');
    const [cookie = ''] = [upgraded.headers['set-cookie'] ?? ''].flat();
    await open(running, { headers: { Cookie: cookie.split(';', 1)[0] } });
    expect(seen).toEqual([{ visits: 1 }, { visits: 2 }]);
  });

  it.each([undefined, 'routes'] as const)('is not what %p means', async (pipeline) => {
    const ran = jest.fn<void, Parameters<RequestHandler>>((_req, _res, next) => next());
    const running = await start([plain], { pipeline, prepare: (app) => app.use(ran) });
    await open(running);
    expect(ran).not.toHaveBeenCalled();
  });

  it('gives the route its own parameters, whatever the app did to them', async () => {
    const seen: unknown[] = [];
    const look = (req: Request): void => void seen.push({ ...req.params }, req.baseUrl, req.url);
    const running = await start(
      [
        route(
          '/chat/:room',
          { auth: look },
          (socket, req) => (look(req), seen.push(socket.params)),
        ),
      ],
      { pipeline: 'app', prepare: (app) => app.use('/chat/:else', (_req, _res, next) => next()) },
    );
    await open(running, { path: '/chat/a?x=1' });
    const here = [{ room: 'a' }, '', '/chat/a?x=1'];
    expect(seen).toEqual([...here, ...here, { room: 'a' }]);
  });

  it('answers what a middleware answers, and takes no place for it', async () => {
    const opened = jest.fn();
    const running = await start([route('/ws', opened)], {
      pipeline: 'app',
      maxConnections: 1,
      prepare: (app) =>
        app.use((req, res, next) => {
          if (req.query['in'] === undefined) res.redirect(302, '/login');
          else next();
        }),
    });
    for (let times = 2; times > 0; times--) {
      const answer = await refused(running);
      expect([answer.status, answer.headers['location']]).toEqual([302, '/login']);
    }
    expect(opened).not.toHaveBeenCalled();
    await open(running, { path: '/ws?in' });
  });

  it('checks handshake, origin and limits before the app hears of anything', async () => {
    const ran = jest.fn<void, Parameters<RequestHandler>>((_req, _res, next) => next());
    const running = await start([plain], {
      pipeline: 'app',
      maxConnections: 1,
      prepare: (app) => app.use(ran),
    });
    const bad = { 'Sec-WebSocket-Version': '8' };
    expect((await refused(running, { headers: bad })).status).toBe(426);
    const alien = { Origin: 'https://evil.example' };
    expect((await refused(running, { headers: alien })).status).toBe(403);
    expect(ran).not.toHaveBeenCalled();
    await open(running);
    expect((await refused(running)).status).toBe(503);
    expect(ran).toHaveBeenCalledTimes(1);
  });

  it('lets plain requests and unmatched upgrades pass through the attach untouched', async () => {
    const running = await start([plain], { pipeline: 'app' });
    running.app.use((req, res) => void res.send(`behind ${req.url}`));
    const page = await fetch(`http://${running.host}/ws`);
    expect([page.status, await page.text()]).toEqual([200, 'behind /ws']);
    expect((await refused(running, { path: '/x' })).body).toBe('behind /x');
  });

  it.each<[string, string, number]>([
    ['to another route', '/chat/lobby', 101],
    ['to nothing', '/gone', 404],
    ['to what cannot be decoded', '/chat/%zz', 400],
  ])('a URL that the app rewrites %s', async (_what, url, status) => {
    const seen: unknown[] = [];
    const running = await start(
      [route('/chat/:room', (socket) => seen.push(socket.params, socket.url))],
      {
        pipeline: 'app',
        prepare: (app) => app.use((req, _res, next) => ((req.url = url), next())),
      },
    );
    expect((await knock(running, { path: '/chat/a' }).head()).status).toBe(status);
    expect(seen).toEqual(status === 101 ? [{ room: 'lobby' }, '/chat/a'] : []);
  });

  it('is taken by its own attach only: what stands between two of them guards the second', async () => {
    const running = await start([plain], { pipeline: 'app' });
    running.app.use((_req, res) => void res.status(401).send('between'));
    const later = attachWebSocket(running.app, running.server, [route('/later', () => {})], {
      pipeline: 'app',
    });
    after(() => later.close());
    await open(running);
    expect((await refused(running, { path: '/later' })).body).toBe('between');
  });
});

describe('what a route throws behind the app', () => {
  const throwing = (error: unknown) => (): never => {
    throw error;
  };

  it.each<[string, Parameters<typeof route>[1]]>([
    ['use', { use: throwing(new Error('broken')) }],
    ['auth', { auth: throwing(new Error('broken')) }],
    ['an asynchronous auth', { auth: async () => throwing(new Error('broken'))() }],
  ])('in %s is answered by its error handlers, and reported', async (_where, options) => {
    const onError = jest.fn();
    const running = await start([route('/ws', options as object, () => {})], {
      pipeline: 'app',
      onError,
    });
    running.app.use(answerErrors);
    const answer = await refused(running);
    expect([answer.status, answer.body]).toEqual([418, 'the app says: broken']);
    expect(onError.mock.calls).toEqual([
      [expect.objectContaining({ message: 'broken' }), expect.anything()],
    ]);
  });

  it('reaches them by req.next, too, as what res.render fails with', async () => {
    const auth = (req: Request): Promise<void> =>
      new Promise(() => req.next?.(new Error('no such view')));
    const running = await start([route('/ws', { auth }, () => {})], { pipeline: 'app' });
    running.app.use(answerErrors);
    expect((await refused(running)).body).toBe('the app says: no such view');
  });

  it('with a status below 500 is no fault to report', async () => {
    const onError = jest.fn();
    const auth = throwing(Object.assign(new Error('no'), { status: 401 }));
    const running = await start([route('/ws', { auth }, () => {})], { pipeline: 'app', onError });
    expect((await refused(running)).status).toBe(401);
    expect(onError).not.toHaveBeenCalled();
  });

  it.each([undefined, null, 0, 'router', 'route'])('is an error when it is %p', async (thrown) => {
    const opened = jest.fn();
    const running = await start([route('/ws', { auth: throwing(thrown) }, opened)], {
      pipeline: 'app',
      onError: () => {},
    });
    expect((await refused(running)).status).toBe(500);
    expect(opened).not.toHaveBeenCalled();
  });

  it.each<[string, () => unknown, number]>([
    ['returned', () => reject(429, 'slow down'), 429],
    ['thrown', throwing(reject(429, 'slow down')), 429],
    ['false', () => false, 403],
    ['null', () => null, 403],
  ])('is not asked about a rejection that is %s', async (_how, auth, status) => {
    const running = await start([route('/ws', { auth }, () => {})], { pipeline: 'app' });
    running.app.use(answerErrors);
    expect((await refused(running)).status).toBe(status);
  });

  it("and what leaves by next('router') meets the app's own 404", async () => {
    const running = await start(
      [route('/ws', { use: (_q, _s, next) => next('router') }, () => {})],
      {
        pipeline: 'app',
      },
    );
    running.app.use((_req, res) => void res.status(404).send('nothing here'));
    expect((await refused(running)).body).toBe('nothing here');
  });

  it('is refused by us when the response cannot be written by anybody', async () => {
    const onError = jest.fn();
    const running = await start([route('/ws', { auth: throwing(new Error('first')) }, () => {})], {
      pipeline: 'app',
      onError,
      handler: connect((_req, res, next) => {
        res.end = throwing(new Error('second'));
        next();
      }),
    });
    const client = knock(running);
    await client.ended;
    expect(onError).toHaveBeenCalledWith(
      expect.objectContaining({ message: 'first' }),
      expect.anything(),
    );
    await eventually(() => onError.mock.calls.length > 1);
  });

  it('after the time is up is nobody’s to answer any more', async () => {
    const failing = gate<never>();
    const onError = jest.fn();
    const handled = jest.fn();
    const running = await start(
      [route('/ws', { auth: () => failing.promise, handshakeTimeout: 100 }, () => {})],
      { pipeline: 'app', onError },
    );
    running.app.use(((_error, _req, _res, _next) => void handled()) satisfies ErrorRequestHandler);
    expect((await refused(running)).status).toBe(503);
    failing.reject(new Error('late'));
    await eventually(() => onError.mock.calls.length === 1);
    expect(handled).not.toHaveBeenCalled();
  });
});

describe('while the app waits', () => {
  const hold = (): { held: Promise<() => void>; middleware: RequestHandler } => {
    const arrived = gate<() => void>();
    return {
      held: arrived.promise,
      middleware: (_req, _res, next) => arrived.resolve(() => next()),
    };
  };

  it('the time of the handshake runs: 503, and who passes on late passes on nothing', async () => {
    const { held, middleware } = hold();
    const opened = jest.fn();
    const behind = jest.fn();
    const running = await start([route('/ws', { handshakeTimeout: 100 }, opened)], {
      pipeline: 'app',
      prepare: (app) => app.use(middleware),
    });
    running.app.use((_req, _res, next) => (behind(), next()));
    expect((await refused(running)).status).toBe(503);
    (await held)();
    expect(opened).not.toHaveBeenCalled();
    expect(behind).not.toHaveBeenCalled();
  });

  it.each(['reset', 'fin'] as const)(
    'the client may go (%s), and its place is free',
    async (way) => {
      const { held, middleware } = hold();
      const opened = jest.fn();
      const left = jest.fn();
      const running = await start([route('/ws', opened)], {
        pipeline: 'app',
        maxPendingHandshakes: 1,
        maxConnections: 1,
        prepare: (app) =>
          app.use('/ws', (req, res, next) => {
            if (req.query['hold'] === undefined) next();
            else middleware(req.once('close', left), res, next);
          }),
      });
      const client = knock(running, { path: '/ws?hold' });
      const pass = await held;
      expect((await refused(running)).status).toBe(503);
      client[way]();
      await eventually(() => left.mock.calls.length > 0);
      pass();
      await open(running);
      expect(opened).toHaveBeenCalledTimes(1);
    },
  );

  it.each<[string, (res: Response) => unknown]>([
    ['res.json', (res) => res.status(200).cookie('a', 'b').json({})],
    ['res.redirect', (res) => res.redirect('/login')],
    ['res.writeHead', (res) => res.writeHead(200, { 'X-Late': '1' }).end('late')],
  ])('and who answers late, with %s, throws nothing where nobody catches', async (_how, answer) => {
    const { held, middleware } = hold();
    const running = await start([route('/ws', { handshakeTimeout: 100 }, () => {})], {
      pipeline: 'app',
      prepare: (app) => app.use((req, res) => middleware(req, res, () => answer(res))),
    });
    const client = knock(running);
    const late = await held;
    const first = await client.answer();
    expect(first.status).toBe(503);
    expect(late).not.toThrow();
    await client.ended;
    expect(client.received.length).toBe(0);
  });

  it('what the client sends already is kept for the socket', async () => {
    const { held, middleware } = hold();
    const messages: unknown[] = [];
    const running = await start(
      [route('/ws', { auth: async () => ({}) }, { message: (_s, data) => messages.push(data) })],
      {
        pipeline: 'app',
        prepare: (app) => app.use(middleware),
      },
    );
    const client = knock(running);
    const pass = await held;
    client.write(Buffer.from('818537fa213d7f9f4d5158', 'hex'));
    pass();
    expect((await client.head()).status).toBe(101);
    await eventually(() => messages.length === 1);
    expect(messages).toEqual(['Hello']);
  });

  it('closing refuses it', async () => {
    const { held, middleware } = hold();
    const running = await start([plain], {
      pipeline: 'app',
      prepare: (app) => app.use(middleware),
    });
    const client = knock(running);
    await held;
    const closed = running.sockets.close();
    expect((await client.lastAnswer()).status).toBe(503);
    await closed;
  });
});

describe('an app', () => {
  it('without use is told what to do', async () => {
    const handler: App = (_req, res) => res.end();
    await expect(start([plain], { pipeline: 'app', handler })).rejects.toThrow(
      expect.objectContaining({
        name: 'TypeError',
        code: 'ERR_WS_INVALID_ARGUMENT',
        message: expect.stringMatching(/^pipeline: 'app' needs an app with `use`.*or put/),
      }),
    );
  });

  it('is left as it was by an attach that fails', async () => {
    const app = express();
    const use = jest.spyOn(app, 'use');
    await expect(
      start([plain, route('/ws', () => {})], { pipeline: 'app', handler: app }),
    ).rejects.toThrow('/ws');
    expect(use).not.toHaveBeenCalled();
  });

  it('of Connect, with use and handle, does as well', async () => {
    const running = await start([route('/ws', { auth: () => ({ id: 1 }) }, () => {})], {
      pipeline: 'app',
      handler: connect((_req, res, next) => (res.setHeader('X-Mark', 'connect'), next())),
    });
    expect((await open(running)).upgraded.headers['x-mark']).toBe('connect');
    expect((await refused(running, { path: '/x' })).status).toBe(404);
  });

  it('of Connect answers what a route throws', async () => {
    const auth = async (): Promise<never> => Promise.reject(new Error('x'));
    const lines = catchStderr();
    const running = await start([route('/ws', { auth }, () => {})], {
      pipeline: 'app',
      handler: connect(),
    });
    const answer = await refused(running);
    expect([answer.status, answer.body]).toEqual([500, 'connect: x']);
    expect(lines.join('')).toMatch('error in /ws: Error: x');
  });

  it('that is a function with use is refused for as it passes on, or throws', async () => {
    const only = (run: App): App => Object.assign(run, { use: () => undefined });
    const passing = await start([plain], {
      pipeline: 'app',
      handler: only((_req, _res, next) => next()),
    });
    expect((await refused(passing)).status).toBe(404);
    const throwing = await start([plain], {
      pipeline: 'app',
      handler: only(() => {
        throw new Error('x');
      }),
    });
    expect((await refused(throwing)).status).toBe(500);
  });

  it('of Connect that throws on its own has failed, and ends nothing', async () => {
    const broken: RequestHandler = () => {
      throw new Error('x');
    };
    const running = await start([plain], { pipeline: 'app', handler: connect(broken) });
    expect((await refused(running)).status).toBe(500);
    expect((await refused(running, { path: '/x' })).status).toBe(500);
  });

  it('knows no other pipeline', async () => {
    await expect(start([plain], { pipeline: 'all' as 'app' })).rejects.toThrow(
      expect.objectContaining({
        code: 'ERR_WS_OUT_OF_RANGE',
        message: expect.stringMatching("'routes' or 'app'"),
      }),
    );
  });
});

/** The least that is an app in the manner of Connect. */
function connect(...first: RequestHandler[]): App {
  const stack: RequestHandler[] = [...first];
  const handle: App = (req, res) => {
    let at = 0;
    const next = (error?: unknown): void => {
      const layer = stack[at++];
      if (error === undefined && layer !== undefined) {
        void layer(req, res, next);
        return;
      }
      res.statusCode = error === undefined ? 404 : 500;
      res.end(error === undefined ? 'connect: nothing' : `connect: ${(error as Error).message}`);
    };
    next();
  };
  return Object.assign((...args: Parameters<App>) => handle(...args), {
    handle,
    use: (layer: RequestHandler) => stack.push(layer),
  });
}
