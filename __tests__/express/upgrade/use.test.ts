import express, { Router, type Request, type RequestHandler } from 'express';
import { reject } from '../../../lib/express/rejection';
import { route } from '../../../lib/express/route';
import { knock, open, refused, start } from '../harness';

const pass: RequestHandler = (_req, _res, next) => next();

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
