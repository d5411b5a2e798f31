import cookieParser from 'cookie-parser';
import cookieSession from 'cookie-session';
import type { Request } from 'express';
import { open, refused } from '../express/harness';
import { cookieAfter, get, PLACES, setCookies, startBehind } from './support';

/** What cookie-session puts onto the request; its own types do not go with those of express-session. */
type Jar = Record<string, unknown> | null;

function jarOf(req: Request): Record<string, unknown> {
  return (req as unknown as { session: Record<string, unknown> }).session;
}

function setJar(req: Request, jar: Jar): void {
  Object.assign(req, { session: jar });
}

describe.each(PLACES)('cookie-parser before %s', (place) => {
  const cookiesOf = (req: Request): unknown => ({
    cookies: { ...(req.cookies as object) },
    signed: { ...(req.signedCookies as object) },
  });

  it('gives auth and open the cookies, signed ones and JSON among them', async () => {
    const seen: unknown[] = [];
    const parser = cookieParser('a secret');
    const running = await startBehind(place, parser, {
      auth: cookiesOf,
      open: ({ context }, req) => seen.push(context, cookiesOf(req)),
      prepare: (app) =>
        app.get('/in', parser, (_req, res) => {
          res.cookie('user', 'ann', { signed: true }).cookie('theme', 'dark');
          res.cookie('cart', { items: 2 }).end();
        }),
    });
    const Cookie = cookieAfter(await get(running, '/in'));
    await open(running, { headers: { Cookie } });
    const expected = { cookies: { theme: 'dark', cart: { items: 2 } }, signed: { user: 'ann' } };
    expect(seen).toEqual([expected, expected]);
  });

  it('does not believe a cookie whose signature is another one', async () => {
    const running = await startBehind(place, cookieParser('a secret'), {
      auth: (req) => (req.signedCookies as { user?: string }).user === 'ann' && {},
    });
    // 'ann', and a signature that is none.
    const headers = { Cookie: 'user=s%3Aann.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' };
    expect((await refused(running, { headers })).status).toBe(403);
    expect((await refused(running)).status).toBe(403);
  });

  it('lets cookies be set in answer, signed with its secret', async () => {
    const seen: unknown[] = [];
    const running = await startBehind(place, cookieParser('a secret'), {
      auth(req) {
        seen.push({ ...(req.signedCookies as object) });
        req.res?.cookie('seat', '7', { signed: true, httpOnly: true });
        return {};
      },
    });
    const { upgraded } = await open(running);
    expect(setCookies(upgraded)).toEqual([
      expect.stringMatching(/^seat=s%3A7\.[^;]+; Path=\/; HttpOnly$/),
    ]);
    await open(running, { headers: { Cookie: cookieAfter(upgraded) } });
    expect(seen).toEqual([{}, { seat: '7' }]);
  });
});

describe.each(PLACES)('cookie-session before %s', (place) => {
  const make = (): ReturnType<typeof cookieSession> => cookieSession({ keys: ['a key'] });

  it('has its whole session in cookies of the 101, and takes it from the next handshake', async () => {
    const running = await startBehind(place, make(), {
      auth(req) {
        const jar = jarOf(req);
        jar['views'] = Number(jar['views'] ?? 0) + 1;
        return { views: jar['views'] };
      },
    });
    const first = await open(running);
    expect(setCookies(first.upgraded)).toEqual([
      // {"views":1} in base64, and its signature beside it.
      expect.stringMatching(/^session=eyJ2aWV3cyI6MX0=; path=\/; httponly$/),
      expect.stringMatching(/^session\.sig=[\w-]+; path=\/; httponly$/),
    ]);
    await open(running, { headers: { Cookie: cookieAfter(first.upgraded) } });
    const contexts = [...running.sockets.clients].map(({ context }) => context);
    expect(contexts).toEqual([{ views: 1 }, { views: 2 }]);
  });

  it('starts afresh when the cookie was tampered with', async () => {
    const running = await startBehind(place, make(), { auth: (req) => ({ ...jarOf(req) }) });
    // {"views":9}, signed by nobody.
    const Cookie = 'session=eyJ2aWV3cyI6OX0=; session.sig=forged';
    const { upgraded } = await open(running, { headers: { Cookie } });
    const [socket] = running.sockets.clients;
    expect(socket?.context).toEqual({});
    expect(setCookies(upgraded)[0]).toMatch(/^session\.sig=; path=\/; expires=Thu, 01 Jan 1970/);
  });

  it('sends nothing when nothing has changed, and an expired cookie when the session was ended', async () => {
    const use = make();
    const running = await startBehind(place, use, {
      auth(req) {
        if (req.query['out'] !== undefined) setJar(req, null);
        return {};
      },
      prepare: (app) =>
        app.get('/in', use, (req, res) => {
          jarOf(req)['user'] = 'ann';
          res.end();
        }),
    });
    const headers = { Cookie: cookieAfter(await get(running, '/in')) };
    expect(setCookies((await open(running, { headers })).upgraded)).toEqual([]);
    const out = await open(running, { path: '/ws?out', headers });
    expect(setCookies(out.upgraded)[0]).toMatch(
      /^session=; path=\/; expires=Thu, 01 Jan 1970 00:00:00 GMT; httponly$/,
    );
  });

  it('is set on a refusal as well', async () => {
    const running = await startBehind(place, make(), {
      auth(req) {
        jarOf(req)['from'] = req.originalUrl;
        return false;
      },
    });
    const answer = await refused(running);
    expect([answer.status, setCookies(answer).length]).toEqual([403, 2]);
  });
});
