import { randomBytes } from 'node:crypto';
import { build } from '../../examples/first-message';
import { stopAll, until } from '../scenarios/support/server';
import { WhatwgClient } from '../scenarios/support/whatwg';
import { run, type Site } from './support';

const ANN = randomBytes(32).toString('base64url');
const BOB = randomBytes(32).toString('base64url');

/** Longer than any test. */
const NEVER = 600_000;

const site = (deadline = NEVER, tokens = { ann: ANN, bob: BOB }): Promise<Site> =>
  run(build(tokens, deadline));

const auth = (token: unknown) => ({ type: 'auth', token });
const say = (text: string) => ({ type: 'say', text });

function tell({ socket }: WhatwgClient, ...messages: readonly unknown[]): void {
  for (const message of messages) socket.send(JSON.stringify(message));
}

async function heard(client: WhatwgClient): Promise<unknown> {
  return JSON.parse(String((await client.next('message')).data));
}

async function member(at: Site, token: string): Promise<WhatwgClient> {
  const client = await WhatwgClient.open(at.ws);
  tell(client, auth(token));
  expect(await heard(client)).toMatchObject({ type: 'welcome' });
  return client;
}

afterEach(async () => {
  await stopAll();
  jest.restoreAllMocks();
});

describe('a token in the first message', () => {
  it('says who it is, and what comes after it is said by them', async () => {
    const client = await WhatwgClient.open((await site()).ws);
    tell(client, auth(BOB), say('one'), say('two'));
    expect(await heard(client)).toEqual({ type: 'welcome', name: 'bob' });
    expect(await heard(client)).toEqual({ type: 'said', from: 'bob', text: 'one' });
    expect(await heard(client)).toEqual({ type: 'said', from: 'bob', text: 'two' });
  });

  it('is of this socket only', async () => {
    const at = await site();
    const [ann, bob] = [await member(at, ANN), await member(at, BOB)];
    tell(ann, say('hello'));
    expect(await heard(bob)).toEqual({ type: 'said', from: 'ann', text: 'hello' });
    const nobody = await WhatwgClient.open(at.ws);
    tell(nobody, say('me too'));
    expect(await nobody.ending()).toMatchObject({ code: 4401, reason: 'a token comes first' });
  });

  it.each<[string, unknown]>([
    ['another token', auth(randomBytes(32).toString('base64url'))],
    ['a part of a token', auth(ANN.slice(0, -1))],
    ['a token and more', auth(`${ANN}A`)],
    ['the name of a user', auth('ann')],
    ['what every object has', auth('constructor')],
  ])('is refused at once: %s', async (_what, message) => {
    const client = await WhatwgClient.open((await site()).ws);
    tell(client, message, say('hello'));
    expect(await client.ending()).toMatchObject({ code: 4401, reason: 'no valid token' });
    expect(client.types).not.toContain('message');
  });

  it.each<[string, unknown, number]>([
    ['something else', say('hello'), 4401],
    ['no string', auth(1), 1008],
    ['nothing', auth(''), 1008],
    ['more than it may be', auth(ANN.repeat(100)), 1009],
    ['not JSON', undefined, 1007],
  ])('is never asked for twice: %s closes, and a token behind it is too late', async (...row) => {
    const [, message, code] = row;
    const at = await site();
    const others = await member(at, BOB);
    const client = await WhatwgClient.open(at.ws);
    tell(client, message, auth(ANN), say('let me in'));
    expect((await client.ending()).code).toBe(code);
    tell(others, say('only this'));
    expect(await heard(others)).toEqual({ type: 'said', from: 'bob', text: 'only this' });
    expect(client.types).not.toContain('message');
  });

  it('is no way to become somebody else', async () => {
    const client = await member(await site(), ANN);
    tell(client, auth(BOB));
    expect(await client.ending()).toMatchObject({ code: 4401, reason: 'logged in already' });
  });

  it('is no empty one, even where that of a user is empty by mistake', async () => {
    const client = await WhatwgClient.open((await site(NEVER, { ann: '', bob: BOB })).ws);
    tell(client, auth(''));
    expect((await client.ending()).code).toBe(1008);
  });
});

describe('the deadline', () => {
  it('closes who says nothing', async () => {
    const client = await WhatwgClient.open((await site(20)).ws);
    expect(await client.ending()).toMatchObject({ code: 4401, reason: 'no token in time' });
  });

  it('is five seconds when nothing else is said', async () => {
    const later = jest.spyOn(global, 'setTimeout');
    const at = await run(build({ ann: ANN }));
    await WhatwgClient.open(at.ws);
    await at.hasOpen(1);
    expect(later.mock.calls.map(([, ms]) => ms)).toContain(5000);
  });

  it.each<[string, (client: WhatwgClient, at: Site) => Promise<void>]>([
    [
      'somebody has said who they are',
      async (client) => {
        tell(client, auth(ANN));
        await heard(client);
      },
    ],
    [
      'the socket has gone',
      async (client, at) => {
        client.socket.close();
        await at.hasOpen(0);
      },
    ],
  ])('is called off when %s', async (_when, act) => {
    const deadline = 599_123; // a number that nobody else uses
    const begun = jest.spyOn(global, 'setTimeout');
    const ended = jest.spyOn(global, 'clearTimeout');
    const at = await site(deadline);
    const client = await WhatwgClient.open(at.ws);
    await at.hasOpen(1);
    const index = begun.mock.calls.findIndex(([, ms]) => ms === deadline);
    const timer: unknown = begun.mock.results[index]?.value;
    expect(timer).toBeDefined();
    await act(client, at);
    await until(() => ended.mock.calls.some(([each]) => each === timer));
  });
});

it('who has not said who they are hears nothing of what members say', async () => {
  const at = await site();
  const [ann, bob] = [await member(at, ANN), await member(at, BOB)];
  const nobody = await WhatwgClient.open(at.ws);
  tell(ann, say('among us'));
  await heard(bob);
  // Had it been sent to this one, too, it would come before the welcome.
  tell(nobody, auth(ANN));
  expect(await heard(nobody)).toEqual({ type: 'welcome', name: 'ann' });
});

it('no token is repeated, neither to clients nor by the process', async () => {
  const at = await site();
  const client = await WhatwgClient.open(at.ws);
  tell(client, auth(ANN), auth(BOB));
  expect(JSON.stringify(await heard(client))).not.toContain(ANN);
  const { reason } = await client.ending();
  expect(reason + at.heard()).not.toContain(BOB);
  expect(reason + at.heard()).not.toContain(ANN);
});
