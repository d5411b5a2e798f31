import { randomBytes } from 'node:crypto';
import { build, Tickets } from '../../examples/ticket';
import { openClient } from '../scenarios/support/client';
import { stopAll, until } from '../scenarios/support/server';
import { WhatwgClient } from '../scenarios/support/whatwg';
import { ask, bearer, refusal, run, wallClock, type Site } from './support';

const ANN = randomBytes(32).toString('base64url');
const BOB = randomBytes(32).toString('base64url');

interface LoggedSite extends Site {
  readonly log: readonly string[];
}

async function site(keys = { ann: ANN, bob: BOB }): Promise<LoggedSite> {
  const log: string[] = [];
  const stream = { write: (line: string) => void log.push(line) };
  return { ...(await run(build(keys, stream))), log };
}

function ticketFor({ http }: Site, headers: Record<string, string>): Promise<Response> {
  return fetch(`${http}/ticket`, { method: 'POST', headers });
}

async function fetchTicket(at: Site, key = ANN): Promise<string> {
  const response = await ticketFor(at, bearer(key));
  expect(response.status).toBe(200);
  return ((await response.json()) as { ticket: string }).ticket;
}

afterEach(stopAll);

describe('a ticket', () => {
  it('opens a socket as its owner, from a page as well', async () => {
    const at = await site();
    const page = await WhatwgClient.open(`${at.ws}?ticket=${await fetchTicket(at, BOB)}`);
    page.socket.send('hello');
    expect((await page.next('message')).data).toBe('bob: hello');
    const client = await openClient(`${at.ws}?ticket=${await fetchTicket(at)}`);
    expect(await ask(client, 'hello')).toBe('ann: hello');
  });

  it('is good for one socket', async () => {
    const at = await site();
    const ticket = await fetchTicket(at);
    await openClient(`${at.ws}?ticket=${ticket}`);
    expect((await refusal(at, `/chat?ticket=${ticket}`)).status).toBe(401);
  });

  it('lets in one of two who come with it at once', async () => {
    const at = await site();
    const ticket = await fetchTicket(at);
    const both = [1, 2].map(() => openClient(`${at.ws}?ticket=${ticket}`));
    const results = await Promise.allSettled(both);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  it('is no other ticket: each is drawn anew, and none ends another', async () => {
    const at = await site();
    const [first, second] = [await fetchTicket(at), await fetchTicket(at)];
    expect(first).not.toBe(second);
    expect(Buffer.from(first, 'base64url')).toHaveLength(32);
    await openClient(`${at.ws}?ticket=${second}`);
    await openClient(`${at.ws}?ticket=${first}`);
  });

  it('is good up to its thirtieth second, and not in it', async () => {
    const clock = wallClock();
    const at = await site();
    const [early, late] = [await fetchTicket(at), await fetchTicket(at)];
    clock.advance(29_999);
    await openClient(`${at.ws}?ticket=${early}`);
    clock.advance(1);
    expect((await refusal(at, `/chat?ticket=${late}`)).status).toBe(401);
  });

  it('is not issued while too many wait; those that are too old make room', () => {
    const clock = wallClock();
    const tickets = new Tickets();
    const [first] = Array.from({ length: 10_000 }, () => tickets.issue('ann'));
    expect(tickets.issue('bob')).toBeUndefined();
    expect(tickets.redeem(first)).toBe('ann');
    expect(tickets.redeem(tickets.issue('bob'))).toBe('bob');
    clock.advance(30_000);
    const all = Array.from({ length: 100 }, () => tickets.issue('bob'));
    expect(all.includes(undefined)).toBe(false);
  });

  it.each<[string, Record<string, string>]>([
    ['no key', {}],
    ['another key', bearer(randomBytes(32).toString('base64url'))],
    ['a part of a key', bearer(ANN.slice(0, -1))],
    ['an empty key', bearer('')],
    ['a key of another scheme', { authorization: `Basic ${ANN}` }],
  ])('is not issued for %s', async (_what, headers) => {
    expect((await ticketFor(await site(), headers)).status).toBe(401);
  });

  it('is not issued for nothing where a key is empty by mistake', async () => {
    const at = await site({ ann: '', bob: '' });
    expect((await ticketFor(at, {})).status).toBe(401);
    expect((await ticketFor(at, bearer(''))).status).toBe(401);
  });

  it.each(['', '?ticket=', '?ticket=made-up', `?ticket=${ANN}`, '?ticket[]=a', '?ticket=%E0%A4%A'])(
    'is what it takes: nothing opens with %j',
    async (query) => {
      const at = await site();
      const { status, body } = await refusal(at, `/chat${query}`);
      expect([status, body]).toEqual([401, 'no valid ticket']);
    },
  );

  it('is one value, not a list of them', async () => {
    const at = await site();
    const ticket = await fetchTicket(at);
    const twice = `ticket=${ticket}&ticket=${ticket}`;
    expect((await refusal(at, `/chat?${twice}`)).status).toBe(401);
  });

  it('does not let a page of another site in', async () => {
    const at = await site();
    const query = `?ticket=${await fetchTicket(at)}`;
    const headers = { Origin: 'https://other.example' };
    expect((await refusal(at, `/chat${query}`, headers)).status).toBe(403);
  });

  it('is not to be kept by a cache', async () => {
    const response = await ticketFor(await site(), bearer(ANN));
    expect(response.headers.get('cache-control')).toBe('no-store');
  });
});

it('no line of the log, no answer and no error has a ticket or a key', async () => {
  const at = await site();
  const ticket = await fetchTicket(at);
  const client = await openClient(`${at.ws}?ticket=${ticket}`);
  const again = await refusal(at, `/chat?ticket=${ticket}`);
  const astray = await refusal(at, `/chatt?ticket=${ticket}`);
  const wrong = await refusal(at, `/chat?ticket=${ticket}`, { Origin: 'https://other.example' });
  expect([again, astray, wrong].map(({ status }) => status)).toEqual([401, 404, 403]);
  client.terminate();
  await at.hasOpen(0);
  await until(() => at.log.length >= 4);
  expect([...at.log].sort()).toEqual([
    'GET /chat 101\n',
    'GET /chat 401\n',
    'GET /chatt 404\n',
    'POST /ticket 200\n',
  ]);
  const answers = [again, astray, wrong].map(({ head, body }) => head + body);
  for (const secret of [ticket, ANN]) {
    expect([...at.log, ...answers, at.heard()].join('\n')).not.toContain(secret);
  }
});
