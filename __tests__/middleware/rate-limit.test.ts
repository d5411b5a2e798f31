import { rateLimit, type Options, type Store } from 'express-rate-limit';
import { route } from '../../lib/express/route';
import { catchStderr, eventually, open, refused, start } from '../express/harness';
import { get, ok, PLACES, startBehind } from './support';

function make(options: Partial<Options> = {}) {
  return rateLimit({
    windowMs: 3_600_000,
    limit: 2,
    standardHeaders: 'draft-7',
    legacyHeaders: false,
    ...options,
  });
}

describe.each(PLACES)('express-rate-limit before %s', (place) => {
  it('counts on the 101s, and answers 429 with its fields and body', async () => {
    const opened = jest.fn();
    const running = await startBehind(place, make({ message: { error: 'slow down' } }), {
      open: opened,
    });
    for (const remaining of [1, 0]) {
      const { upgraded } = await open(running);
      expect(upgraded.headers['ratelimit']).toMatch(
        new RegExp(`^limit=2, remaining=${remaining}, reset=\\d+$`),
      );
      expect(upgraded.headers['ratelimit-policy']).toBe('2;w=3600');
    }
    const answer = await refused(running);
    expect([answer.status, answer.body]).toEqual([429, '{"error":"slow down"}']);
    expect(answer.headers).toMatchObject({
      connection: 'close',
      'content-type': 'application/json; charset=utf-8',
      'retry-after': expect.stringMatching(/^\d+$/),
      ratelimit: expect.stringMatching(/^limit=2, remaining=0, reset=\d+$/),
    });
    expect(opened).toHaveBeenCalledTimes(2);
  });

  it('has a text of its own, and the older fields, where it is left to itself', async () => {
    const running = await startBehind(place, rateLimit({ limit: 1, windowMs: 3_600_000 }));
    const { upgraded } = await open(running);
    expect(upgraded.headers).toMatchObject({
      'x-ratelimit-limit': '1',
      'x-ratelimit-remaining': '0',
    });
    const answer = await refused(running);
    expect([answer.status, answer.body]).toEqual([
      429,
      'Too many requests, please try again later.',
    ]);
  });

  it('counts each address for itself, by word of a trusted proxy', async () => {
    const running = await startBehind(place, make({ limit: 1 }), {
      prepare: (app) => app.set('trust proxy', 1),
    });
    const from = (address: string) => ({ headers: { 'X-Forwarded-For': address } });
    await open(running, from('192.0.2.1'));
    expect((await refused(running, from('192.0.2.1'))).status).toBe(429);
    await open(running, from('192.0.2.2'));
  });

  it('counts pages and sockets together when it is the same one', async () => {
    const use = make({ limit: 2 });
    const running = await startBehind(place, use, {
      prepare: (app) => app.get('/page', use, ok),
    });
    expect((await get(running, '/page')).status).toBe(200);
    await open(running);
    expect((await get(running, '/page')).status).toBe(429);
    expect((await refused(running)).status).toBe(429);
  });

  it('takes no notice of successes when told so: a 101 is one', async () => {
    const running = await startBehind(place, make({ limit: 1, skipSuccessfulRequests: true }), {
      auth: (req) => req.query['in'] !== undefined && {},
    });
    for (let round = 0; round < 3; round++) await open(running, { path: '/ws?in' });
    expect((await refused(running)).status).toBe(403);
    expect((await refused(running, { path: '/ws?in' })).status).toBe(429);
  });

  it('takes no notice of failures when told so: a refusal is one', async () => {
    const running = await startBehind(place, make({ limit: 1, skipFailedRequests: true }), {
      auth: (req) => req.query['in'] !== undefined && {},
    });
    for (let round = 0; round < 3; round++) expect((await refused(running)).status).toBe(403);
    await open(running, { path: '/ws?in' });
    expect((await refused(running, { path: '/ws?in' })).status).toBe(429);
  });

  it('may answer in its own way', async () => {
    const running = await startBehind(
      place,
      make({ limit: 1, handler: (_req, res) => res.redirect('/slow-down') }),
    );
    await open(running);
    const answer = await refused(running);
    expect([answer.status, answer.headers['location']]).toEqual([302, '/slow-down']);
  });

  it('whose store rejects is a 500 without its words', async () => {
    const lines = catchStderr();
    const store: Store = {
      increment: () => Promise.reject(new Error('redis://secret')),
      decrement: () => undefined,
      resetKey: () => undefined,
    };
    const running = await startBehind(place, make({ store }));
    const answer = await refused(running);
    expect([answer.status, answer.body]).toEqual([500, 'Internal Server Error']);
    expect(lines.join('')).toContain('redis://secret');
  });
});

it('express-rate-limit counts routes apart, where each has its own', async () => {
  const running = await start([
    route('/a', { use: make({ limit: 1 }) }, () => undefined),
    route('/b', { use: make({ limit: 1 }) }, () => undefined),
  ]);
  await open(running, { path: '/a' });
  await open(running, { path: '/b' });
  expect((await refused(running, { path: '/a' })).status).toBe(429);
  await eventually(() => running.sockets.clients.size === 2);
});
