import { randomBytes } from 'node:crypto';
import type { WebSocket as WsClient } from 'ws';
import { build } from '../../examples/kick';
import { openClient } from '../scenarios/support/client';
import { deferred, stopAll } from '../scenarios/support/server';
import {
  ask,
  bearer,
  cookieOf,
  ending,
  refusal,
  run,
  sayInVain,
  wallClock,
  type Site,
} from './support';

const KEYS = {
  ann: randomBytes(32).toString('base64url'),
  bob: randomBytes(32).toString('base64url'),
  admin: randomBytes(32).toString('base64url'),
};
const KICKED = '4001 logged out';
const HALF_A_DAY_MS = 12 * 60 * 60 * 1000;

const site = (...more: [((name: string) => Promise<boolean>)?]): Promise<Site> =>
  run(build(KEYS, ...more));

async function logIn({ http }: Site, name: keyof typeof KEYS): Promise<string> {
  const response = await fetch(`${http}/login`, { method: 'POST', headers: bearer(KEYS[name]) });
  expect(response.status).toBe(204);
  return cookieOf(response);
}

/** Ann logs in twice, and Bob. */
async function logInThree(at: Site): Promise<Record<'laptop' | 'phone' | 'bob', string>> {
  return {
    laptop: await logIn(at, 'ann'),
    phone: await logIn(at, 'ann'),
    bob: await logIn(at, 'bob'),
  };
}

async function logOut({ http }: Site, Cookie: string): Promise<unknown> {
  return (await fetch(`${http}/logout`, { method: 'POST', headers: { Cookie } })).json();
}

function revoke({ http }: Site, name: string, headers: Record<string, string>): Promise<Response> {
  return fetch(`${http}/logins/${name}`, { method: 'DELETE', headers });
}

const tab = ({ ws }: Site, Cookie: string, path = '/chat'): Promise<WsClient> =>
  openClient(ws.replace('/chat', path), { headers: { Cookie } });

afterEach(stopAll);

describe('logging out', () => {
  it('closes every tab of this log-in, on every route, and no other', async () => {
    const at = await site();
    const { laptop, phone, bob } = await logInThree(at);
    const tabs = [await tab(at, laptop), await tab(at, laptop), await tab(at, laptop, '/news')];
    const others = [await tab(at, phone), await tab(at, bob)];
    const ends = tabs.map(ending);
    expect(await logOut(at, laptop)).toEqual({ closed: 3 });
    expect(await Promise.all(ends)).toEqual([KICKED, KICKED, KICKED]);
    expect(await ask(others[0]!, 'hello')).toBe('ann: hello');
    expect(await ask(others[1]!, 'hello')).toBe('bob: hello');
  });

  it('ends the log-in: its cookie opens nothing any more', async () => {
    const at = await site();
    const cookie = await logIn(at, 'ann');
    await logOut(at, cookie);
    expect((await refusal(at, '/chat', { Cookie: cookie })).status).toBe(401);
    await tab(at, await logIn(at, 'ann'));
  });

  it.each(['', 'login=', 'login=made-up'])('without a log-in closes nobody: %j', async (cookie) => {
    const at = await site();
    const client = await tab(at, await logIn(at, 'ann'));
    expect(await logOut(at, cookie)).toEqual({ closed: 0 });
    expect(await ask(client, 'hello')).toBe('ann: hello');
  });
});

describe('revoking', () => {
  it('closes every socket of a user, of all log-ins, and of nobody else', async () => {
    const at = await site();
    const { laptop, phone, bob } = await logInThree(at);
    const stays = await tab(at, bob);
    const ends = [await tab(at, laptop), await tab(at, phone, '/news')].map(ending);
    const answer = await revoke(at, 'ann', bearer(KEYS.admin));
    expect(await answer.json()).toEqual({ closed: 2 });
    expect(await Promise.all(ends)).toEqual([KICKED, KICKED]);
    expect(await ask(stays, 'hello')).toBe('bob: hello');
    for (const Cookie of [laptop, phone]) {
      expect((await refusal(at, '/chat', { Cookie })).status).toBe(401);
    }
  });

  it.each<[string, Record<string, string>]>([
    ['without a key', {}],
    ["with a user's key", bearer(KEYS.bob)],
    ['with a part of the key', bearer(KEYS.admin.slice(0, -1))],
  ])('is refused %s, and nobody is closed', async (_what, headers) => {
    const at = await site();
    const client = await tab(at, await logIn(at, 'ann'));
    expect((await revoke(at, 'ann', headers)).status).toBe(401);
    expect(await ask(client, 'hello')).toBe('ann: hello');
  });

  it.each<[string, (at: Site, cookie: string) => Promise<unknown>]>([
    ['is revoked', (at) => revoke(at, 'ann', bearer(KEYS.admin))],
    ['logs out', logOut],
  ])('reaches who %s while auth is still waiting for something', async (_what, act) => {
    const asked = deferred();
    const answered = deferred<boolean>();
    const at = await site(() => {
      asked.resolve();
      return answered.promise;
    });
    const cookie = await logIn(at, 'ann');
    const opening = tab(at, cookie);
    await asked.promise;
    await act(at, cookie);
    answered.resolve(true);
    const client = await opening;
    expect(await sayInVain(client, 'am I still here?')).toBe(KICKED);
  });
});

describe('a log-in', () => {
  it('ends by itself after half a day', async () => {
    const clock = wallClock();
    const at = await site();
    const cookie = await logIn(at, 'ann');
    clock.advance(HALF_A_DAY_MS - 20);
    const client = await tab(at, cookie);
    const end = ending(client);
    clock.advance(20);
    expect(await end).toBe('1008 authorisation expired');
    expect((await refusal(at, '/chat', { Cookie: cookie })).status).toBe(401);
  });

  it.each<[string, Record<string, string>]>([
    ['no key', {}],
    ['another key', bearer(randomBytes(32).toString('base64url'))],
    ['a part of a key', bearer(KEYS.ann.slice(0, -1))],
  ])('is not made for %s', async (_what, headers) => {
    const { http } = await site();
    const response = await fetch(`${http}/login`, { method: 'POST', headers });
    expect([response.status, response.headers.getSetCookie()]).toEqual([401, []]);
  });

  it('is a cookie that no script sees and no other site sends', async () => {
    const { http } = await site();
    const headers = bearer(KEYS.ann);
    const response = await fetch(`${http}/login`, { method: 'POST', headers });
    expect(response.headers.getSetCookie()).toEqual([
      expect.stringMatching(
        /^login=[\w-]{43}; Max-Age=43200; Path=\/; .*HttpOnly; SameSite=Strict$/,
      ),
    ]);
  });
});

describe('a socket is refused', () => {
  it.each(['', 'login=', 'login=made-up', 'login=j%3A%7B%22toString%22%3A1%7D'])(
    'with the cookie %j',
    async (Cookie) => {
      const at = await site();
      await logIn(at, 'ann');
      expect((await refusal(at, '/chat', { Cookie })).status).toBe(401);
      expect((await refusal(at, '/news', { Cookie })).status).toBe(401);
      expect(at.heard()).toBe('');
    },
  );

  it('to who is known but may not enter', async () => {
    const at = await site((name) => Promise.resolve(name === 'bob'));
    await tab(at, await logIn(at, 'bob'));
    const Cookie = await logIn(at, 'ann');
    expect((await refusal(at, '/chat', { Cookie })).status).toBe(403);
  });

  it('to a page of another site, which the cookie might come along with', async () => {
    const at = await site();
    const headers = { Cookie: await logIn(at, 'ann'), Origin: 'https://other.example' };
    expect((await refusal(at, '/chat', headers)).status).toBe(403);
  });
});

it('no key and no cookie is repeated, neither to clients nor by the process', async () => {
  const at = await site();
  const cookie = await logIn(at, 'ann');
  const end = ending(await tab(at, cookie));
  const closed = JSON.stringify(await logOut(at, cookie));
  const { head, body } = await refusal(at, '/chat', { Cookie: cookie });
  const said = [closed, head, body, await end, at.heard()].join('\n');
  for (const secret of [KEYS.ann, cookie.slice('login='.length)]) {
    expect(said).not.toContain(secret);
  }
});
