import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { catchStderr, eventually, gate, knock, open, refused } from '../express/harness';
import { get, PLACES, setCookies, startBehind } from './support';

const SECRET = 'postgres://secret';

function failure(fields: object = {}): Error {
  return Object.assign(new Error(SECRET), fields);
}

describe.each(PLACES)('middleware before %s', (place) => {
  it('that redirects has redirected, with the cookies it set', async () => {
    const opened = jest.fn();
    const use: RequestHandler = (req, res) => {
      res.cookie('return-to', req.originalUrl).redirect(303, '/sign-in');
    };
    const running = await startBehind(place, use, { open: opened });
    const answer = await refused(running, { path: '/ws?room=1' });
    expect([answer.status, answer.headers['location']]).toEqual([303, '/sign-in']);
    expect(setCookies(answer)).toEqual(['return-to=%2Fws%3Froom%3D1; Path=/']);
    expect(opened).not.toHaveBeenCalled();
  });

  it('that streams a 403 is read to its end, pause by pause', async () => {
    const steps = [gate(), gate()];
    const use: RequestHandler = async (_req, res) => {
      const source = Readable.from(
        (async function* () {
          yield 'not ';
          await steps[0]!.promise;
          yield 'for ';
          await steps[1]!.promise;
          yield 'you';
        })(),
      );
      await pipeline(source, res.status(403).type('text/plain'));
    };
    const running = await startBehind(place, use);
    const client = knock(running);
    for (const [at, step] of steps.entries()) {
      const word = ['not ', 'for '][at]!;
      await eventually(() => client.received.includes(word));
      step.resolve();
    }
    const answer = await client.lastAnswer();
    expect([answer.status, answer.body]).toEqual([403, 'not for you']);
    expect(answer.headers['connection']).toBe('close');
  });

  it('that streams learns that the client has left', async () => {
    const ended = gate<unknown>();
    const use: RequestHandler = (_req, res) => {
      const source = new Readable({ read: () => undefined });
      source.push('a beginning');
      pipeline(source, res.status(403)).catch(ended.resolve);
    };
    const running = await startBehind(place, use);
    const client = knock(running);
    await eventually(() => client.received.includes('a beginning'));
    client.reset();
    expect(await ended.promise).toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
    await eventually(() => running.sockets.clients.size === 0);
  });

  it.each<[string, RequestHandler, number, string]>([
    [
      'throws',
      () => {
        throw failure();
      },
      500,
      'Internal Server Error',
    ],
    ['rejects', () => Promise.reject(failure()), 500, 'Internal Server Error'],
    [
      'rejects later',
      async () => {
        await new Promise(setImmediate);
        throw failure();
      },
      500,
      'Internal Server Error',
    ],
    [
      'rejects with a status',
      async () => Promise.reject(failure({ status: 402 })),
      402,
      'Payment Required',
    ],
    ['passes a statusCode on', (_q, _s, next) => next(failure({ statusCode: 410 })), 410, 'Gone'],
  ])('that %s opens nothing, and says nothing of why', async (_what, use, status, body) => {
    const lines = catchStderr();
    const opened = jest.fn();
    const running = await startBehind(place, use, { open: opened });
    for (let round = 0; round < 2; round++) {
      const answer = await refused(running);
      expect([answer.status, answer.body]).toEqual([status, body]);
    }
    expect(opened).not.toHaveBeenCalled();
    expect(lines.filter((line) => line.includes(SECRET))).toHaveLength(status === 500 ? 2 : 0);
  });

  it('that never answers is answered for, with 503, and the next one is not the worse for it', async () => {
    const opened = jest.fn();
    let left = 1;
    const use: RequestHandler = (_req, _res, next) => {
      if (left-- <= 0) next();
    };
    const running = await startBehind(place, use, {
      open: opened,
      handshakeTimeout: 100,
      maxConnections: 1,
    });
    const answer = await refused(running);
    expect([answer.status, answer.body]).toEqual([503, 'the handshake took too long']);
    await open(running);
    expect(opened).toHaveBeenCalledTimes(1);
  });

  it.each<[string, (res: Response, next: NextFunction) => unknown]>([
    ['passes on', (_res, next) => next()],
    ['answers', (res) => res.status(200).send('late')],
    ['passes an error on', (_res, next) => next(failure())],
    ['writes', (res) => res.write('late')],
  ])('that %s when the time is up changes nothing any more', async (_what, act) => {
    catchStderr();
    const opened = jest.fn();
    let late: (() => unknown) | undefined;
    const use: RequestHandler = (req: Request, res, next) => {
      if (req.query['slow'] === undefined) next();
      else late = () => act(res, next);
    };
    const running = await startBehind(place, use, { open: opened, handshakeTimeout: 100 });
    const answer = await refused(running, { path: '/ws?slow' });
    expect(answer.status).toBe(503);
    // Express refuses to set fields on what was sent; that is for the middleware to hear.
    expect(() => late?.()).not.toThrow(SECRET);
    await open(running);
    expect(opened).toHaveBeenCalledTimes(1);
    expect((await get(running, '/none')).status).toBe(404);
  });
});
