import type { RequestHandler } from 'express';
import { route } from '../../../lib/express/route';
import { clientFrame } from '../../support/bytes';
import {
  ACCEPT,
  Client,
  eventually,
  handshake,
  knock,
  open,
  plain,
  refused,
  start,
  type Request as Knock,
} from '../harness';

describe('an upgrade', () => {
  it('goes through in the order of design §2.4.1', async () => {
    const steps: string[] = [];
    const step =
      (name: string): RequestHandler =>
      (_req, _res, next) => {
        steps.push(name);
        next();
      };
    const running = await start(
      [
        route(
          '/ws',
          {
            origins: () => steps.push('origin') > 0,
            use: [step('use of the route'), [step('and its second')]],
            protocols: ['a'],
            auth: async (_req, { signal }) => {
              await new Promise((resolve) => setImmediate(resolve));
              steps.push(`auth, ${signal.aborted ? 'aborted' : 'not aborted'}`);
            },
          },
          {
            open(socket) {
              steps.push(`open ${socket.protocol}`);
              socket.send('hi');
            },
            message: (_socket, data) => steps.push(`message ${String(data)}`),
          },
        ),
      ],
      { use: step('use of the attach') },
    );
    const headers = { 'Sec-WebSocket-Protocol': 'b, a', Origin: 'http://x' };
    const client = await open(running, { headers });
    steps.push('101');
    expect((await client.frame()).payload.toString()).toBe('hi');
    client.write(clientFrame({ first: 0x81, payload: 'm' }));
    await eventually(() => steps.includes('message m'));
    expect(steps).toEqual([
      'origin',
      'use of the attach',
      'use of the route',
      'and its second',
      'auth, not aborted',
      'open a',
      '101',
      'message m',
    ]);
  });

  it.each<[string, Knock, number]>([
    ['the handshake', { headers: { 'Sec-WebSocket-Version': '8', Origin: 'http://evil' } }, 426],
    ['the origin', { headers: { Origin: 'http://evil' } }, 403],
    ['the limits', {}, 503],
  ])('asks nobody when %s is wrong', async (_what, request, status) => {
    const asked = jest.fn();
    const running = await start([
      route('/ws', { use: asked, auth: asked, maxConnections: 1 }, () => undefined),
    ]);
    knock(running);
    await eventually(() => asked.mock.calls.length === 1);
    expect((await refused(running, request)).status).toBe(status);
    expect(asked).toHaveBeenCalledTimes(1);
  });

  it('asks for the subprotocol last: auth may refuse first', async () => {
    const headers = { 'Sec-WebSocket-Protocol': 'other' };
    const ask = async (auth: () => unknown): Promise<number> => {
      const running = await start([route('/ws', { protocols: ['a'], auth }, () => undefined)]);
      return (await refused(running, { headers })).status;
    };
    expect(await ask(() => false)).toBe(403);
    expect(await ask(() => ({}))).toBe(400);
  });

  it('without use and auth is answered before the event returns', async () => {
    const running = await start([plain]);
    const client = knock(running);
    await new Promise((resolve) => running.server.once('upgrade', resolve));
    expect(running.sockets.clients.size).toBe(1);
    const head = await client.head();
    expect(head.headers).toEqual({
      upgrade: 'websocket',
      connection: 'Upgrade',
      'sec-websocket-accept': ACCEPT,
    });
  });

  it('takes what comes right behind it', async () => {
    const got: unknown[] = [];
    const running = await start([route('/ws', { message: (_socket, data) => got.push(data) })]);
    const bytes = [Buffer.from(handshake()), clientFrame({ first: 0x81, payload: 'early' })];
    const client = new Client(running.port).write(Buffer.concat(bytes));
    expect((await client.head()).status).toBe(101);
    await eventually(() => got.length === 1);
    expect(got).toEqual(['early']);
  });
});

describe('the socket', () => {
  it('knows what it was opened with', async () => {
    const seen: unknown[] = [];
    const running = await start([
      route('/chat/:room', { protocols: ['v1'], auth: async () => ({ user: 'ann' }) }, (socket) =>
        seen.push([{ ...socket.params }, socket.context, socket.protocol, socket.url]),
      ),
    ]);
    const headers = { 'Sec-WebSocket-Protocol': 'v1' };
    await open(running, { path: '/chat/r?token=1', headers });
    expect(seen).toEqual([[{ room: 'r' }, { user: 'ann' }, 'v1', '/chat/r?token=1']]);
  });

  it('has no parameters, no context and no protocol where there are none', async () => {
    const seen: unknown[] = [];
    const running = await start([
      route('/ws', (socket) => seen.push([socket.params, socket.context, socket.protocol])),
    ]);
    await open(running);
    expect(seen).toEqual([[{}, undefined, '']]);
  });

  it('of a path without an open hook opens as well', async () => {
    const running = await start([route('/ws', {})]);
    await open(running);
    expect(running.sockets.clients.size).toBe(1);
  });
});

describe('§2.4.8 subprotocols', () => {
  it.each<[string[] | undefined, string | string[] | undefined, string | undefined | number]>([
    [['b', 'a'], 'a, b', 'b'],
    [['b', 'a'], 'a', 'a'],
    [['b', 'a'], ['x', 'a', 'b'], 'b'],
    [['b', 'a'], undefined, undefined],
    [['b', 'a'], 'A', 400],
    [['b', 'a'], 'c, d', 400],
    [[], 'a', undefined],
    [undefined, 'a, b', undefined],
    [undefined, undefined, undefined],
  ])('of ours %j, the client offers %j: %j', async (protocols, offered, expected) => {
    const seen: string[] = [];
    const running = await start([
      route('/ws', { protocols }, (socket) => seen.push(socket.protocol)),
    ]);
    const headers = { 'Sec-WebSocket-Protocol': offered };
    if (typeof expected === 'number') {
      const answer = await refused(running, { headers });
      expect([answer.status, answer.body]).toEqual([
        expected,
        'no common subprotocol; spoken here: b, a',
      ]);
      return;
    }
    const { upgraded } = await open(running, { headers });
    expect(upgraded.headers['sec-websocket-protocol']).toBe(expected);
    expect(seen).toEqual([expected ?? '']);
  });
});
