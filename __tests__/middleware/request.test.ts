import express, { type Express, type Request, type RequestHandler, type Response } from 'express';
import { route, type Path } from '../../lib/express/route';
import { eventually, knock, open, refused, start, type Running } from '../express/harness';
import { get, type Fields } from './support';

/** Which fields are told apart between the two: the rest of the request must be the same. */
const OF_AN_UPGRADE = ['connection', 'upgrade', 'sec-websocket-key', 'sec-websocket-version'];

/** All that Express knows of a request. */
function describeRequest(req: Request, res: Response): Record<string, unknown> {
  const { ip, ips, protocol, secure, hostname, subdomains, path, xhr, fresh } = req;
  const headers = Object.entries(req.headers).filter(([name]) => !OF_AN_UPGRADE.includes(name));
  return {
    ...{ ip, ips, protocol, secure, hostname, subdomains, path, xhr, fresh },
    ...{ url: req.url, originalUrl: req.originalUrl, baseUrl: req.baseUrl, method: req.method },
    params: { ...req.params },
    query: JSON.parse(JSON.stringify(req.query)) as unknown,
    headers: Object.fromEntries(headers),
    host: req.get('Host'),
    referrer: req.get('referrer'),
    accepts: [req.accepts('json', 'html'), req.acceptsLanguages('de', 'en')],
    title: (req.app.locals as { title?: unknown }).title,
    setting: req.app.get('a setting'),
    locals: { ...res.locals },
    isLinked: req.res === res && res.req === req && req.next !== undefined,
    isExpress: typeof res.cookie === 'function' && res.app === req.app,
  };
}

/** The same path for a page and a socket, with the same middleware before each. */
async function startPair(
  prepare: (app: Express) => unknown = () => undefined,
  path = '/room/:room',
): Promise<{ running: Running; seen: Record<string, unknown>[] }> {
  const seen: Record<string, unknown>[] = [];
  const use: RequestHandler = (req, res, next) => {
    res.locals['trace'] = 'abc';
    seen.push(describeRequest(req, res));
    next();
  };
  const running = await start([route(path as '/room/:room', { use }, () => undefined)], {
    prepare(app) {
      app.locals['title'] = 'a title';
      app.set('a setting', { of: 'the app' });
      prepare(app);
      app.get(path, use, (_req, res) => void res.end('a page'));
    },
  });
  return { running, seen };
}

/** What a page and a socket were asked with, which is the same. */
async function askBoth(
  { running, seen }: Awaited<ReturnType<typeof startPair>>,
  path: string,
  fields: Fields = {},
): Promise<Record<string, unknown>> {
  expect((await get(running, path, fields)).body).toBe('a page');
  await open(running, { path, headers: fields });
  await eventually(() => seen.length === 2);
  const [page, socket] = seen;
  expect(socket).toEqual(page);
  return socket!;
}

const FORWARDED = {
  'X-Forwarded-For': '192.0.2.9, 198.51.100.7',
  'X-Forwarded-Proto': 'https',
  'X-Forwarded-Host': 'chat.example.com',
};

describe('the request before the 101 is the one a page is asked with', () => {
  it('when nothing is set', async () => {
    const asked = await askBoth(await startPair(), '/room/a%20b?x=1&x=2&y=z', {
      'Accept-Language': 'en;q=0.5, de',
      Accept: 'text/html',
      Referer: 'http://localhost/page',
      'X-Requested-With': 'XMLHttpRequest',
    });
    expect(asked).toMatchObject({
      ip: '127.0.0.1',
      hostname: 'localhost',
      params: { room: 'a b' },
      query: { x: ['1', '2'], y: 'z' },
      originalUrl: '/room/a%20b?x=1&x=2&y=z',
      referrer: 'http://localhost/page',
      accepts: ['html', 'de'],
      title: 'a title',
      setting: { of: 'the app' },
      locals: { trace: 'abc' },
      isLinked: true,
      isExpress: true,
    });
  });

  it.each<[string, unknown, object]>([
    ['no proxy', false, { ip: '127.0.0.1', ips: [], protocol: 'http', hostname: 'localhost' }],
    [
      'every proxy',
      true,
      { ip: '192.0.2.9', ips: ['192.0.2.9', '198.51.100.7'], protocol: 'https', secure: true },
    ],
    ['one hop', 1, { ip: '198.51.100.7', ips: ['198.51.100.7'], hostname: 'chat.example.com' }],
    ['two hops', 2, { ip: '192.0.2.9', ips: ['192.0.2.9', '198.51.100.7'] }],
    ['loopback', 'loopback', { ip: '198.51.100.7', subdomains: ['chat'] }],
    ['a list', ['loopback', '198.51.100.0/24'], { ip: '192.0.2.9' }],
    ['another network', '10.0.0.0/8', { ip: '127.0.0.1', protocol: 'http', secure: false }],
    ['a function', (address: string) => address === '127.0.0.1', { ip: '198.51.100.7' }],
  ])('under trust proxy for %s', async (_what, trust, expected) => {
    const pair = await startPair((app) => app.set('trust proxy', trust));
    expect(await askBoth(pair, '/room/a', FORWARDED)).toMatchObject(expected);
  });

  const nested = '/room/a?user[name]=ann&user[tags][]=x&user[tags][]=y&a.b=c';
  it.each<[string, unknown, object]>([
    ['extended', 'extended', { user: { name: 'ann', tags: ['x', 'y'] }, 'a.b': 'c' }],
    ['simple', 'simple', { 'user[name]': 'ann', 'user[tags][]': ['x', 'y'], 'a.b': 'c' }],
    ['off', false, {}],
    ['a function', (text: string) => ({ length: text.length }), { length: nested.length - 8 }],
  ])('with the query parser %s', async (_what, parser, query) => {
    const pair = await startPair((app) => app.set('query parser', parser));
    expect((await askBoth(pair, nested))['query']).toEqual(query);
  });

  it('with the query parser that this Express has by itself', async () => {
    const asked = await askBoth(await startPair(), nested);
    expect(asked['query']).toEqual(
      express().get('query parser') === 'extended'
        ? { user: { name: 'ann', tags: ['x', 'y'] }, 'a.b': 'c' }
        : { 'user[name]': 'ann', 'user[tags][]': ['x', 'y'], 'a.b': 'c' },
    );
  });

  it.each([
    ['/room/%F0%9F%98%80', { room: '😀' }],
    ['/room/a%2Fb', { room: 'a/b' }],
    ['/room/a+b;c=d', { room: 'a+b;c=d' }],
    ['/room/__proto__', {}],
  ])('with the parameters of %s', async (path, expected) => {
    const { params } = await askBoth(await startPair(), path);
    expect(params).toEqual(expect.objectContaining(expected));
  });

  it('and what Express adds later is there: the prototype of the app is asked', async () => {
    const pair = await startPair((app) => {
      Object.defineProperty(app.request, 'shout', { get: () => 'HELLO' });
      app.set('subdomain offset', 1);
    });
    expect(await askBoth(pair, '/room/a', { Host: 'a.b.localhost' })).toMatchObject({
      subdomains: ['b', 'a'],
      host: 'a.b.localhost',
    });
  });
});

describe('a path matches a socket where it matches a page', () => {
  const paths = ['/chat', '/chat/', '/Chat', '/CHAT/', '/chat/x', '/cha', '/ch%61t', '/chat?x'];
  const settings = [
    {},
    { 'case sensitive routing': true },
    { 'strict routing': true },
    { 'case sensitive routing': true, 'strict routing': true },
  ];
  const routes: Path[] = ['/chat', '/chat/', '/Chat', '/:name', /^\/chat$/, ['/cha', '/chat/x']];

  it.each(settings)('with %j', async (each) => {
    for (const path of routes) {
      const running = await start([route(path as '/', () => undefined)], {
        prepare: (app) => {
          for (const [name, value] of Object.entries(each)) app.set(name, value);
          app.get(path as string, (_req, res) => void res.status(200).end());
        },
      });
      for (const asked of paths) {
        // A path that only the page takes would be answered by the app, with 200.
        const isPage = (await get(running, asked)).status === 200;
        const { status } = await knock(running, { path: asked }).head();
        expect([path, asked, status]).toEqual([path, asked, isPage ? 101 : 404]);
      }
    }
  });

  it.each(['/room/%', '/room/%zz', '/room/%E0%A4%A', '/room/%ff'])(
    'and %s is a 400 for either',
    async (path) => {
      const { running, seen } = await startPair((app) => app.set('env', 'test'));
      expect((await get(running, path)).status).toBe(400);
      const answer = await refused(running, { path });
      expect(answer.status).toBe(400);
      expect(answer.headers['connection']).toBe('close');
      expect(seen).toEqual([]);
    },
  );
});
