import { randomBytes } from 'node:crypto';
import type { WebSocket as WsClient } from 'ws';
import { build } from '../../examples/expiry';
import { openClient } from '../scenarios/support/client';
import { stopAll } from '../scenarios/support/server';
import { ask, bearer, ending, refusal, run, wallClock, type Site } from './support';

const ANN = randomBytes(32).toString('base64url');
const BOB = randomBytes(32).toString('base64url');
const QUARTER_MS = 15 * 60 * 1000;

const site = (keys = { ann: ANN, bob: BOB }): Promise<Site> => run(build(keys));

function tokenFor({ http }: Site, headers: Record<string, string>): Promise<Response> {
  return fetch(`${http}/token`, { method: 'POST', headers });
}

async function fetchToken(at: Site, key = ANN): Promise<string> {
  const response = await tokenFor(at, bearer(key));
  expect(response.status).toBe(200);
  return ((await response.json()) as { token: string }).token;
}

const openWith = ({ ws }: Site, token: string): Promise<WsClient> =>
  openClient(ws, { headers: bearer(token) });

const base64url = (text: string) => Buffer.from(text).toString('base64url');

afterEach(stopAll);

describe('a token that expires', () => {
  it('opens any number of sockets of its owner until then', async () => {
    const clock = wallClock();
    const at = await site();
    const token = await fetchToken(at, BOB);
    expect(await ask(await openWith(at, token), 'hello')).toBe('bob: hello');
    clock.advance(QUARTER_MS - 1000);
    expect(await ask(await openWith(at, token), 'hello')).toBe('bob: hello');
  });

  it('ends its sockets then, and no others', async () => {
    const clock = wallClock();
    const at = await site();
    const first = await fetchToken(at);
    clock.advance(QUARTER_MS - 20);
    const second = await fetchToken(at);
    // Opened 20 ms of the wall clock before the end, however long that takes.
    const [ends, stays] = [await openWith(at, first), await openWith(at, second)];
    expect(await ask(ends, 'still here')).toBe('ann: still here');
    const end = ending(ends);
    clock.advance(20);
    expect(await end).toBe('1008 authorisation expired');
    expect(await ask(stays, 'hello')).toBe('ann: hello');
    expect((await refusal(at, '/chat', bearer(first))).status).toBe(401);
  });

  it('is followed by another one, with which the same user comes back', async () => {
    const clock = wallClock();
    const at = await site();
    const token = await fetchToken(at);
    clock.advance(QUARTER_MS - 20);
    const end = ending(await openWith(at, token));
    clock.advance(20);
    expect(await end).toMatch(/^1008 /);
    expect(await ask(await openWith(at, await fetchToken(at)), 'again')).toBe('ann: again');
  });

  it.each<[string, Record<string, string>]>([
    ['no key', {}],
    ['another key', bearer(randomBytes(32).toString('base64url'))],
    ['a part of a key', bearer(ANN.slice(0, -1))],
    ['a key of another scheme', { authorization: `Basic ${ANN}` }],
  ])('is not issued for %s', async (_what, headers) => {
    expect((await tokenFor(await site(), headers)).status).toBe(401);
  });

  it('is not issued for another token, so none outlives the key', async () => {
    const at = await site();
    expect((await tokenFor(at, bearer(await fetchToken(at)))).status).toBe(401);
  });

  it('is not issued for nothing where a key is empty by mistake', async () => {
    expect((await tokenFor(await site({ ann: '', bob: BOB }), {})).status).toBe(401);
  });

  it('is not to be kept by a cache', async () => {
    const response = await tokenFor(await site(), bearer(ANN));
    expect(response.headers.get('cache-control')).toBe('no-store');
  });
});

describe('a socket is refused', () => {
  const claims = (name: string) => base64url(JSON.stringify({ name, expiresAt: 9e15 }));

  it.each<[string, (token: string) => string | undefined]>([
    ['without a token', () => undefined],
    ['with the key itself', () => ANN],
    ['without a signature', (token) => token.split('.')[0]],
    ['with an empty signature', (token) => `${String(token.split('.')[0])}.`],
    ['with the signature of other claims', (token) => `${claims('bob')}.${token.split('.')[1]!}`],
    ['with a signature of a character less', (token) => token.slice(0, -1)],
    ['with something behind the signature', (token) => `${token}.x`],
    ['with claims that are not JSON', () => `${base64url('{')}.${base64url('x')}`],
  ])('%s', async (_what, change) => {
    const at = await site();
    const token = change(await fetchToken(at));
    const answer = await refusal(at, '/chat', token === undefined ? {} : bearer(token));
    expect([answer.status, answer.body]).toEqual([401, 'no valid token']);
  });

  it('with a token that another process has signed', async () => {
    const [at, other] = [await site(), await site()];
    expect((await refusal(at, '/chat', bearer(await fetchToken(other)))).status).toBe(401);
  });

  it('to a page of another site', async () => {
    const at = await site();
    const headers = { ...bearer(await fetchToken(at)), Origin: 'https://other.example' };
    expect((await refusal(at, '/chat', headers)).status).toBe(403);
  });
});

it('no key and no token is repeated, neither to clients nor by the process', async () => {
  const at = await site();
  const token = await fetchToken(at);
  await openWith(at, token);
  const { head, body } = await refusal(at, '/chat', bearer(`${token}.x`));
  for (const secret of [ANN, token]) expect(head + body + at.heard()).not.toContain(secret);
});
