import { randomBytes } from 'node:crypto';
import { build } from '../../examples/bearer-subprotocol';
import { stopAll } from '../scenarios/support/server';
import { handshake, Peer } from '../scenarios/support/peer';
import { WhatwgClient } from '../scenarios/support/whatwg';
import { refusal, run, type Site } from './support';

const ANN = randomBytes(32).toString('base64url');
const BOB = randomBytes(32).toString('base64url');

const site = (tokens = { ann: ANN, bob: BOB }): Promise<Site> => run(build(tokens));

const offering = (value: string) => ({ 'Sec-WebSocket-Protocol': value });

afterEach(stopAll);

describe('a token among the subprotocols', () => {
  it.each([
    ['last', ['chat.v1', `bearer.${BOB}`]],
    ['first', [`bearer.${BOB}`, 'chat.v1']],
    ['among others', ['chat.v2', `bearer.${BOB}`, 'chat.v1']],
  ])('opens a socket of a page as its owner when it comes %s', async (_where, protocols) => {
    const page = await WhatwgClient.open((await site()).ws, protocols);
    expect(page.socket.protocol).toBe('chat.v1');
    page.socket.send('hello');
    expect((await page.next('message')).data).toBe('bob: hello');
  });

  it('does not come back: not in the 101, and not in what the process says', async () => {
    const at = await site();
    const peer = await Peer.connect(at.port);
    peer.write(handshake('/chat', offering(`bearer.${ANN}, chat.v1`)));
    const head = await peer.readHead();
    expect(head).toMatch(/^HTTP\/1\.1 101 /);
    expect(head).toContain('Sec-WebSocket-Protocol: chat.v1\r\n');
    expect(head + at.heard()).not.toContain(ANN);
  });

  it.each([
    ['no token', 'chat.v1'],
    ['an empty token', 'chat.v1, bearer.'],
    ['another token', `chat.v1, bearer.${randomBytes(32).toString('base64url')}`],
    ['a part of a token', `chat.v1, bearer.${ANN.slice(0, -1)}`],
    ['a token and more', `chat.v1, bearer.${ANN}A`],
    ['a token in capitals', `chat.v1, bearer.${ANN.toUpperCase()}`],
    ['a token without its prefix', `chat.v1, ${ANN}`],
    ['two tokens', `chat.v1, bearer.${ANN}, bearer.${BOB}`],
  ])('is refused: %s', async (_what, value) => {
    const at = await site();
    const { status, head, body } = await refusal(at, '/chat', offering(value));
    expect([status, body]).toEqual([401, expect.stringMatching(/^no valid token$/)]);
    expect(head + body + at.heard()).not.toContain(ANN);
  });

  it('is refused where the token of a user is empty by mistake', async () => {
    const at = await site({ ann: '', bob: BOB });
    expect((await refusal(at, '/chat', offering('chat.v1, bearer.'))).status).toBe(401);
    expect((await refusal(at, '/chat')).status).toBe(401);
  });

  it('is no subprotocol that is spoken here: alone it opens nothing', async () => {
    const at = await site();
    const { status, head, body } = await refusal(at, '/chat', offering(`bearer.${ANN}`));
    expect([status, body]).toEqual([400, 'no common subprotocol; spoken here: chat.v1']);
    expect(head + body + at.heard()).not.toContain(ANN);
  });

  it('does not let a page of another site in', async () => {
    const headers = {
      ...offering(`chat.v1, bearer.${ANN}`),
      Origin: 'https://other.example',
    };
    expect((await refusal(await site(), '/chat', headers)).status).toBe(403);
  });
});
