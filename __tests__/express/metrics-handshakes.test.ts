import type { RequestHandler } from 'express';
import type { RouteMetrics } from '../../lib/express/metrics';
import { reject } from '../../lib/express/rejection';
import { route } from '../../lib/express/route';
import { wsRouter } from '../../lib/express/ws-router';
import {
  catchStderr,
  eventually,
  gate,
  knock,
  open,
  plain,
  refused,
  start,
  type Request,
  type Running,
  type StartOptions,
} from './harness';

const never = (): Promise<never> => new Promise(() => {});

/** How the handshakes on a route have ended. */
function handshakesOf({ sockets }: Running, at = 0): RouteMetrics['handshakes'] {
  return sockets.metrics().routes[at]!.handshakes;
}

/** Waits until handshakes have ended like this; a client may have its answer before we know. */
async function ended(running: Running, expected: RouteMetrics['handshakes']): Promise<void> {
  const sum = (counts: object): number =>
    (Object.values(counts) as number[]).reduce((all, one) => all + one, 0);
  await eventually(() => sum(handshakesOf(running)) >= sum(expected));
  expect(handshakesOf(running)).toEqual(expected);
}

function throwing(error: unknown): () => never {
  return () => {
    throw error;
  };
}

describe('handshakes', () => {
  it('are counted by status when they are accepted', async () => {
    const running = await start([plain, route('/auth', { auth: async () => ({}) }, () => {})]);
    await open(running);
    await open(running);
    await open(running, { path: '/auth' });
    expect([handshakesOf(running, 0), handshakesOf(running, 1)]).toEqual([
      { '101': 2, aborted: 0 },
      { '101': 1, aborted: 0 },
    ]);
  });

  const header = (name: string, value: string): Request => ({ headers: { [name]: value } });
  const teapot: RequestHandler = (_req, res) => void res.status(418).send('no');
  const auth = (ask: () => unknown) => route('/ws', { auth: ask }, () => undefined);
  const use = (handler: RequestHandler) => route('/ws', { use: handler }, () => undefined);
  const inApp = { pipeline: 'app' } as const;

  it.each<[string, number, ReturnType<typeof route>, Request, StartOptions]>([
    ['a bad key', 400, plain, header('Sec-WebSocket-Key', 'x'), {}],
    ['a path that cannot be decoded', 400, route('/:x', () => {}), { path: '/%zz' }, {}],
    ['another method', 405, plain, { method: 'POST' }, {}],
    ['another version', 426, plain, header('Sec-WebSocket-Version', '8'), {}],
    ['the origin', 403, plain, header('Origin', 'https://evil.example'), {}],
    ['auth', 403, auth(() => false), {}, {}],
    ['reject', 401, auth(() => reject(401)), {}, {}],
    ['an error with a status', 404, auth(throwing({ status: 404 })), {}, {}],
    ['an error', 500, auth(throwing(new Error('thrown on purpose'))), {}, {}],
    ['an error of middleware', 500, use(throwing(new Error('thrown on purpose'))), {}, {}],
    ['middleware', 418, use(teapot), {}, {}],
    ['middleware that leaves', 404, use((_req, _res, next) => next('router')), {}, {}],
    ['time', 503, auth(never), {}, { handshakeTimeout: 1 }],
    ['the app', 418, plain, {}, { ...inApp, prepare: (app) => app.use(teapot) }],
    ["the app's own 404", 404, use((_req, _res, next) => next('router')), {}, inApp],
    ["the app's own 500", 500, auth(throwing(new Error('thrown on purpose'))), {}, inApp],
  ])('are counted by status when %s refuses: %d', async (_who, status, declared, ask, options) => {
    catchStderr();
    jest.spyOn(console, 'error').mockImplementation();
    const running = await start([declared], options);
    expect((await refused(running, ask)).status).toBe(status);
    await ended(running, { [status]: 1, aborted: 0 });
  });

  it.each([
    [503, { maxConnections: 1 }],
    [429, { maxConnectionsPerIp: 1 }],
  ])('are counted as %d where there is no place', async (status, limits) => {
    const running = await start([plain], limits);
    await open(running);
    expect((await refused(running)).status).toBe(status);
    await ended(running, { '101': 1, [status]: 1, aborted: 0 });
  });

  it('are counted as 503 when too many wait, and when everything closes', async () => {
    const running = await start([auth(never)], { maxPendingHandshakes: 1 });
    const waiting = knock(running);
    await eventually(() => running.sockets.metrics().pendingHandshakes === 1);
    await refused(running);
    await ended(running, { '503': 1, aborted: 0 });
    const closing = running.sockets.close();
    expect((await waiting.lastAnswer()).status).toBe(503);
    await closing;
    await ended(running, { '503': 2, aborted: 0 });
  });

  it("are counted on a router's route, and not where nobody takes them", async () => {
    const api = wsRouter();
    api.ws('/in/:id', () => undefined);
    const running = await start([api as never], { prepare: (app) => app.use('/api', api) });
    await open(running, { path: '/api/in/1' });
    expect((await refused(running, { path: '/api/out' })).status).toBe(404);
    expect(running.sockets.metrics().routes).toMatchObject([
      { path: '/in/:id', handshakes: { '101': 1, aborted: 0 } },
    ]);
  });

  it('on no route are not counted', async () => {
    const running = await start([plain]);
    expect((await refused(running, { path: '/none' })).status).toBe(404);
    expect(handshakesOf(running)).toEqual({ aborted: 0 });
  });
});

describe('aborted handshakes', () => {
  /** Middleware that keeps the answer back, and tells when there is one. */
  const holdingBack = (): { use: RequestHandler; held: Promise<void> } => {
    const held = gate();
    const use: RequestHandler = (_req, res, next) => {
      res.end = () => {
        held.resolve();
        return res;
      };
      next();
    };
    return { use, held: held.promise };
  };

  it.each(['fin', 'reset'] as const)('are those whose client leaves first: %s', async (leave) => {
    const asked = jest.fn(never);
    const running = await start([route('/ws', { auth: asked }, () => undefined)]);
    const client = knock(running);
    await eventually(() => asked.mock.calls.length === 1);
    client[leave]();
    await ended(running, { aborted: 1 });
    expect(running.sockets.metrics().pendingHandshakes).toBe(0);
  });

  it('are those that were refused, and whose client leaves before the refusal is out', async () => {
    const { use, held } = holdingBack();
    const running = await start([route('/ws', { use, auth: () => false }, () => undefined)]);
    const client = knock(running);
    await held;
    client.reset();
    await ended(running, { aborted: 1 });
  });

  it('are those whose 101 is held back while the client leaves', async () => {
    const { use, held } = holdingBack();
    const running = await start([route('/ws', { use }, () => undefined)]);
    const client = knock(running);
    await held;
    client.reset();
    await ended(running, { aborted: 1 });
  });

  it('are those of which hooks into the response keep every answer back', async () => {
    catchStderr();
    const broken: RequestHandler = (_req, res, next) => {
      res.writeHead = throwing(new Error('thrown on purpose'));
      next();
    };
    const running = await start([route('/ws', { use: broken }, () => undefined)]);
    await knock(running).ended;
    await ended(running, { aborted: 1 });
  });
});
