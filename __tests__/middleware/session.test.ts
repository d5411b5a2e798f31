import session, { MemoryStore, type SessionData, type SessionOptions } from 'express-session';
import { catchStderr, eventually, gate, knock, open, refused, start } from '../express/harness';
import { route } from '../../lib/express/route';
import { cookieAfter, get, PLACES, setCookies, startBehind } from './support';

declare module 'express-session' {
  interface SessionData {
    views: number;
  }
}

function make(options: Partial<SessionOptions> = {}) {
  return session({ secret: 'a secret', resave: false, saveUninitialized: false, ...options });
}

/** A store that takes its time, and says when it has done something. */
class SlowStore extends MemoryStore {
  readonly done: string[] = [];
  readonly released = gate();

  override set(sid: string, data: SessionData, callback?: (error?: unknown) => void): void {
    void this.released.promise.then(() => {
      this.done.push('saved');
      super.set(sid, data, callback);
    });
  }
}

/** Counts in the session, as a page counter does. */
const count = (req: { session: Partial<SessionData> }): object => {
  req.session.views = (req.session.views ?? 0) + 1;
  return { views: req.session.views };
};

describe.each(PLACES)('express-session before %s', (place) => {
  it('sets its cookie on the 101, and the next handshake has the session', async () => {
    const seen: unknown[] = [];
    const running = await startBehind(place, make(), {
      auth: count,
      open: ({ context }, req) => seen.push([context, req.session.views]),
    });
    const first = await open(running);
    expect(setCookies(first.upgraded)).toEqual([
      expect.stringMatching(/^connect\.sid=s%3A[^;]+; Path=\/; HttpOnly$/),
    ]);
    const second = await open(running, { headers: { Cookie: cookieAfter(first.upgraded) } });
    expect(setCookies(second.upgraded)).toEqual([]);
    expect(seen).toEqual([
      [{ views: 1 }, 1],
      [{ views: 2 }, 2],
    ]);
  });

  it('has saved before the client sees the 101, however slow the store is', async () => {
    const store = new SlowStore();
    const running = await startBehind(place, make({ store }), {
      auth: count,
      open: () => store.done.push('opened'),
    });
    const client = knock(running);
    const head = client.head().then(() => store.done.push('101'));
    await eventually(() => client.socket.bytesWritten > 0);
    // Another handshake comes through meanwhile: the first one would have had the time.
    expect((await get(running, '/none')).status).toBe(404);
    expect(store.done).toEqual([]);
    store.released.resolve();
    await head;
    expect(store.done).toEqual(['saved', 'opened', '101']);
  });

  it('is saved and set on a refusal as well', async () => {
    const store = new MemoryStore();
    const running = await startBehind(place, make({ store }), {
      auth(req) {
        count(req);
        return false;
      },
    });
    const first = await refused(running);
    const second = await refused(running, { headers: { Cookie: cookieAfter(first) } });
    expect([first.status, second.status]).toEqual([403, 403]);
    const views = Object.values(await sessionsOf(store)).map((each) => each.views);
    expect(views).toEqual([2]);
  });

  it('refreshes a rolling cookie on each 101, and leaves a fixed one alone', async () => {
    const cookie = { maxAge: 3_600_000 };
    const rolling = await startBehind(place, make({ rolling: true, cookie }), { auth: count });
    const fixed = make({ cookie });
    const views: unknown[] = [];
    const plain = await startBehind(place, fixed, {
      open: (_socket, req) => views.push(req.session.views),
      prepare: (app) => app.get('/in', fixed, (req, res) => void res.json(count(req))),
    });
    const { upgraded } = await open(rolling);
    const headers = { Cookie: cookieAfter(upgraded) };
    const again = await open(rolling, { headers });
    expect(cookieAfter(again.upgraded)).toBe(cookieAfter(upgraded));
    const [before = NaN, after = NaN] = [upgraded, again.upgraded].map(expiryOf);
    expect(after).toBeGreaterThanOrEqual(before);
    expect(after).toBeGreaterThan(Date.now());
    const login = await get(plain, '/in');
    const later = await open(plain, { headers: { Cookie: cookieAfter(login) } });
    expect(setCookies(later.upgraded)).toEqual([]);
    expect(views).toEqual([1]);
  });

  it('leaves no cookie behind when nothing was put into the session', async () => {
    const store = new MemoryStore();
    const running = await startBehind(place, make({ store }));
    const { upgraded } = await open(running);
    expect(setCookies(upgraded)).toEqual([]);
    expect(await sessionsOf(store)).toEqual({});
  });

  it('may give the session a new id, or end it, before the 101', async () => {
    const store = new MemoryStore();
    const running = await startBehind(place, make({ store }), {
      auth: async (req) => {
        await new Promise<void>((resolve, reject) => {
          const settle = (error?: unknown): void => (error ? reject(error) : resolve());
          if (req.query['out'] === undefined) req.session.regenerate(settle);
          else req.session.destroy(settle);
        });
        if (req.query['out'] === undefined) count(req);
        return {};
      },
    });
    const first = await open(running);
    const second = await open(running, { headers: { Cookie: cookieAfter(first.upgraded) } });
    expect(cookieAfter(second.upgraded)).toMatch(/^connect\.sid=/);
    expect(cookieAfter(second.upgraded)).not.toBe(cookieAfter(first.upgraded));
    expect(Object.keys(await sessionsOf(store))).toHaveLength(1);
    const headers = { Cookie: cookieAfter(second.upgraded) };
    expect(setCookies((await open(running, { path: '/ws?out', headers })).upgraded)).toEqual([]);
    expect(await sessionsOf(store)).toEqual({});
  });

  it('sets a secure cookie only where the request came by TLS, by word of a trusted proxy', async () => {
    const secure = make({ cookie: { secure: true } });
    const headers = { 'X-Forwarded-Proto': 'https' };
    const behindProxy = await startBehind(place, secure, {
      auth: count,
      prepare: (app) => app.set('trust proxy', 'loopback'),
    });
    expect(setCookies((await open(behindProxy, { headers })).upgraded)).toEqual([
      expect.stringContaining('; Secure'),
    ]);
    expect(setCookies((await open(behindProxy)).upgraded)).toEqual([]);
    const bare = await startBehind(place, secure, { auth: count });
    expect(setCookies((await open(bare, { headers })).upgraded)).toEqual([]);
  });

  it('whose store never answers ends in a 503 when the handshake took too long', async () => {
    class Stuck extends MemoryStore {
      override get(): void {}
    }
    const opened = jest.fn();
    const store = new Stuck();
    const running = await startBehind(place, make({ store }), {
      open: opened,
      handshakeTimeout: 50,
      prepare: (app) => app.get('/in', make(), (req, res) => void res.json(count(req))),
    });
    const Cookie = cookieAfter(await get(running, '/in'));
    const answer = await refused(running, { headers: { Cookie } });
    expect([answer.status, answer.body]).toEqual([503, 'the handshake took too long']);
    expect(opened).not.toHaveBeenCalled();
  });

  it('whose store fails is a 500 without its words', async () => {
    class Failing extends MemoryStore {
      override get(_sid: string, callback: (error: unknown) => void): void {
        callback(new Error('redis://secret'));
      }
    }
    const lines = catchStderr();
    const running = await startBehind(place, make({ store: new Failing() }), {
      prepare: (app) => app.get('/in', make(), (req, res) => void res.json(count(req))),
    });
    const Cookie = cookieAfter(await get(running, '/in'));
    const answer = await refused(running, { headers: { Cookie } });
    expect([answer.status, answer.body]).toEqual([500, 'Internal Server Error']);
    expect(lines.join('')).toContain('redis://secret');
  });
});

describe('express-session', () => {
  it('sets one cookie when it stands with the attach and with the route', async () => {
    const both = make();
    const running = await start([route('/ws', { use: both, auth: count }, () => undefined)], {
      use: both,
    });
    expect(setCookies((await open(running)).upgraded)).toHaveLength(1);
  });

  it('hands the handshake what a page put into it, and the page what the handshake did', async () => {
    const shared = make();
    const running = await startBehind('its route', shared, {
      auth: count,
      prepare: (app) => app.get('/page', shared, (req, res) => void res.json(count(req))),
    });
    const Cookie = cookieAfter(await get(running, '/page'));
    await open(running, { headers: { Cookie } });
    expect((await get(running, '/page', { Cookie })).body).toBe('{"views":3}');
  });

  it('may be saved from the open socket, for the next handshake', async () => {
    const saved = gate();
    const running = await startBehind('its route', make(), {
      auth: count,
      open(_socket, req) {
        req.session.views = 41;
        req.session.save(() => saved.resolve());
      },
    });
    const { upgraded } = await open(running);
    await saved.promise;
    await open(running, { headers: { Cookie: cookieAfter(upgraded) } });
    const contexts = [...running.sockets.clients].map(({ context }) => context);
    expect(contexts).toEqual([{ views: 1 }, { views: 42 }]);
  });
});

function expiryOf(answer: Parameters<typeof setCookies>[0]): number {
  return Date.parse(/Expires=([^;]+)/.exec(setCookies(answer)[0] ?? '')?.[1] ?? '');
}

function sessionsOf(store: MemoryStore): Promise<Record<string, SessionData>> {
  return new Promise((resolve, reject) => {
    store.all((error, found) => {
      if (error) reject(error as Error);
      else resolve(found ?? {});
    });
  });
}
