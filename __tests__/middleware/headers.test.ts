import cors, { type CorsOptions } from 'cors';
import helmet from 'helmet';
import { reject } from '../../lib/express/rejection';
import { open, refused } from '../express/harness';
import { get, ok, PLACES, setByMiddleware, startBehind } from './support';

describe.each(PLACES)('helmet before %s', (place) => {
  it('has the same fields on the 101 as on a page, and all of them', async () => {
    const use = helmet();
    const running = await startBehind(place, use, {
      prepare: (app) => app.disable('x-powered-by').get('/page', use, ok),
    });
    const onPage = setByMiddleware(await get(running, '/page'));
    const on101 = setByMiddleware((await open(running)).upgraded);
    expect(on101).toEqual(onPage);
    expect(on101).toMatchObject({
      'content-security-policy': expect.stringContaining("default-src 'self'"),
      'strict-transport-security': 'max-age=31536000; includeSubDomains',
      'x-frame-options': 'SAMEORIGIN',
    });
  });

  it('has them on a refusal, with the body of the refusal as it is', async () => {
    const use = helmet({ contentSecurityPolicy: { directives: { defaultSrc: ["'none'"] } } });
    const running = await startBehind(place, use, { auth: () => reject(401, { error: 'log in' }) });
    const answer = await refused(running);
    expect([answer.status, answer.body]).toEqual([401, '{"error":"log in"}']);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'content-security-policy': expect.stringContaining("default-src 'none'"),
      'x-content-type-options': 'nosniff',
    });
  });

  it('takes X-Powered-By off, which Express puts onto pages only', async () => {
    const running = await startBehind(place, helmet());
    expect((await open(running)).upgraded.headers).not.toHaveProperty('x-powered-by');
  });
});

describe.each(PLACES)('cors before %s', (place) => {
  const Origin = 'https://app.example.com';

  it.each<[string, CorsOptions, Record<string, string>]>([
    ['everybody', {}, { 'access-control-allow-origin': '*' }],
    [
      'one origin, with credentials',
      { origin: Origin, credentials: true },
      {
        'access-control-allow-origin': Origin,
        'access-control-allow-credentials': 'true',
        vary: 'Origin',
      },
    ],
    [
      'a list, and a field to expose',
      { origin: [Origin, /\.example\.org$/], exposedHeaders: 'X-Seat' },
      {
        'access-control-allow-origin': Origin,
        'access-control-expose-headers': 'X-Seat',
        vary: 'Origin',
      },
    ],
  ])('says of %s the same as on a page', async (_what, options, expected) => {
    const use = cors(options);
    const running = await startBehind(place, use, {
      origins: [Origin],
      prepare: (app) => app.disable('x-powered-by').get('/page', use, ok),
    });
    const headers = { Origin };
    expect(setByMiddleware((await open(running, { headers })).upgraded)).toEqual(expected);
    expect(setByMiddleware(await get(running, '/page', headers))).toEqual(expected);
  });

  it('lets no page in by itself: that is for the origins option to say', async () => {
    const running = await startBehind(place, cors());
    expect((await refused(running, { headers: { Origin } })).status).toBe(403);
  });

  it('that throws at an origin has refused it', async () => {
    const onError = jest.fn();
    const use = cors({
      origin: (_origin, done) => done(Object.assign(new Error('not you'), { status: 403 })),
    });
    const running = await startBehind(place, use, { origins: '*', onError });
    const answer = await refused(running, { headers: { Origin } });
    expect([answer.status, answer.body]).toEqual([403, 'Forbidden']);
    expect(onError).not.toHaveBeenCalled();
  });
});
