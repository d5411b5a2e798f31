import { MemoryStore } from 'express-session';
import type { WebSocket as WsClient } from 'ws';
import { build } from '../../examples/session-passport';
import { openClient } from '../scenarios/support/client';
import { afterTest, deferred, stopAll } from '../scenarios/support/server';
import { ask, cookieOf, ending, refusal, run, sayInVain, wallClock, type Site } from './support';

const PASSWORDS = { ann: 'correct horse battery', bob: 'staple of bob' };
const LOGGED_OUT = '4001 logged out';
const HALF_A_DAY_MS = 12 * 60 * 60 * 1000;

const site = (): Promise<Site> => run(build(PASSWORDS));

function tryToLogIn({ http }: Site, login: unknown): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  return fetch(`${http}/login`, { method: 'POST', headers, body: JSON.stringify(login) });
}

async function logIn(at: Site, username: keyof typeof PASSWORDS): Promise<string> {
  const response = await tryToLogIn(at, { username, password: PASSWORDS[username] });
  expect(response.status).toBe(204);
  return cookieOf(response);
}

async function logOut({ http }: Site, Cookie: string): Promise<void> {
  const response = await fetch(`${http}/logout`, { method: 'POST', headers: { Cookie } });
  expect(response.status).toBe(204);
}

const tab = ({ ws }: Site, Cookie: string): Promise<WsClient> =>
  openClient(ws, { headers: { Cookie } });

afterEach(stopAll);

describe('who has logged in', () => {
  it('is known on the socket', async () => {
    const at = await site();
    const [ann, bob] = [await logIn(at, 'ann'), await logIn(at, 'bob')];
    expect(await ask(await tab(at, bob), 'hello')).toBe('bob: hello');
    expect(await ask(await tab(at, ann), 'hello')).toBe('ann: hello');
  });

  it('has a cookie that no script sees and no form of another site sends', async () => {
    const login = { username: 'ann', password: PASSWORDS.ann };
    const response = await tryToLogIn(await site(), login);
    expect(response.headers.getSetCookie()).toEqual([
      expect.stringMatching(/^connect\.sid=s%3A[^;]+; Path=\/; .*HttpOnly; SameSite=Lax$/),
    ]);
  });

  it('has a session of their own, whatever id they came with', async () => {
    const at = await site();
    const before = await logIn(at, 'bob');
    const response = await fetch(`${at.http}/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', Cookie: before },
      body: JSON.stringify({ username: 'ann', password: PASSWORDS.ann }),
    });
    expect(cookieOf(response)).not.toBe(before);
    expect(await ask(await tab(at, cookieOf(response)), 'hello')).toBe('ann: hello');
    expect((await refusal(at, '/chat', { Cookie: before })).status).toBe(401);
  });

  it('is not let in from a page of another site', async () => {
    const at = await site();
    const headers = { Cookie: await logIn(at, 'ann'), Origin: 'https://other.example' };
    expect((await refusal(at, '/chat', headers)).status).toBe(403);
  });

  it('is closed when the session ends by itself', async () => {
    const clock = wallClock();
    const at = await site();
    const cookie = await logIn(at, 'ann');
    clock.advance(HALF_A_DAY_MS - 20);
    const end = ending(await tab(at, cookie));
    clock.advance(20);
    expect(await end).toBe('1008 authorisation expired');
  });

  it('is forgotten after half a day', async () => {
    const clock = wallClock();
    const at = await site();
    const Cookie = await logIn(at, 'ann');
    clock.advance(HALF_A_DAY_MS);
    expect((await refusal(at, '/chat', { Cookie })).status).toBe(401);
  });
});

describe('nobody is let in', () => {
  it.each<[what: string, login: unknown, status?: number]>([
    ['a wrong password', { username: 'ann', password: 'wrong' }],
    ['the password of somebody else', { username: 'ann', password: PASSWORDS.bob }],
    ['an unknown name', { username: 'eve', password: PASSWORDS.ann }],
    ['what every object has', { username: 'constructor', password: 'x' }],
    ['a number for a name', { username: 1, password: PASSWORDS.ann }],
    ['a number for a password', { username: 'ann', password: 1 }],
    ['an object for a name', { username: { $ne: '' }, password: PASSWORDS.ann }, 400],
    ['an object for a password', { username: 'ann', password: { length: 1 } }, 400],
    ['no password', { username: 'ann' }, 400],
  ])('with %s', async (_what, login, status = 401) => {
    const at = await site();
    const response = await tryToLogIn(at, login);
    expect(response.status).toBe(status);
    const answer = await refusal(at, '/chat', { Cookie: cookieOf(response) });
    expect([answer.status, answer.body]).toEqual([401, 'log in first']);
    expect(at.heard()).toBe('');
  });

  it.each(['', 'connect.sid=', 'connect.sid=s%3Amade-up.signature'])(
    'with the cookie %j',
    async (Cookie) => {
      expect((await refusal(await site(), '/chat', { Cookie })).status).toBe(401);
    },
  );

  it('with the cookie of another site', async () => {
    const [at, other] = [await site(), await site()];
    expect((await refusal(at, '/chat', { Cookie: await logIn(other, 'ann') })).status).toBe(401);
  });
});

describe('logging out', () => {
  it('closes every tab of this log-in, and no other', async () => {
    const at = await site();
    const [laptop, phone] = [await logIn(at, 'ann'), await logIn(at, 'ann')];
    const tabs = [await tab(at, laptop), await tab(at, laptop)];
    const elsewhere = await tab(at, phone);
    const ends = tabs.map(ending);
    await logOut(at, laptop);
    expect(await Promise.all(ends)).toEqual([LOGGED_OUT, LOGGED_OUT]);
    expect(await ask(elsewhere, 'hello')).toBe('ann: hello');
  });

  it('ends the session: its cookie opens nothing any more', async () => {
    const at = await site();
    const cookie = await logIn(at, 'ann');
    await logOut(at, cookie);
    expect((await refusal(at, '/chat', { Cookie: cookie })).status).toBe(401);
  });

  it('by somebody who was not logged in closes nobody', async () => {
    const at = await site();
    const client = await tab(at, await logIn(at, 'ann'));
    await logOut(at, '');
    expect(await ask(client, 'hello')).toBe('ann: hello');
  });

  it('reaches a socket that is just being opened', async () => {
    const at = await site();
    const cookie = await logIn(at, 'ann');
    const { held, release } = holdNextRead();
    const opening = tab(at, cookie);
    await held; // the session was read, and says that ann is logged in
    await logOut(at, cookie);
    release();
    const client = await opening;
    expect(await sayInVain(client, 'am I still here?')).toBe(LOGGED_OUT);
  });
});

/** Holds back what the store has read for the next request, until it is released. */
function holdNextRead(): { readonly held: Promise<void>; readonly release: () => void } {
  const [held, released] = [deferred(), deferred()];
  // Called on the store itself, as the session does.
  // eslint-disable-next-line @typescript-eslint/unbound-method -- see above
  const { get } = MemoryStore.prototype;
  const spy = jest.spyOn(MemoryStore.prototype, 'get').mockImplementationOnce(function (
    this: MemoryStore,
    id,
    callback,
  ) {
    get.call(this, id, (error, session) => {
      held.resolve();
      void released.promise.then(() => callback(error, session));
    });
  });
  afterTest(() => spy.mockRestore());
  return { held: held.promise, release: () => released.resolve() };
}

it('no password and no cookie is repeated, neither to clients nor by the process', async () => {
  const at = await site();
  const wrong = await tryToLogIn(at, { username: 'ann', password: 'a wrong one' });
  const cookie = await logIn(at, 'ann');
  const end = ending(await tab(at, cookie));
  await logOut(at, cookie);
  const { head, body } = await refusal(at, '/chat', { Cookie: cookie });
  const said = [await wrong.text(), head, body, await end, at.heard()].join('\n');
  for (const secret of ['a wrong one', PASSWORDS.ann, cookie.slice('connect.sid='.length)]) {
    expect(said).not.toContain(secret);
  }
});
