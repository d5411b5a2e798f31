import { route } from '../../lib/express/route';
import { wsRouter } from '../../lib/express/ws-router';
import { Child } from '../scenarios/support/child';
import { Peer } from '../scenarios/support/peer';
import { stopAll } from '../scenarios/support/server';
import { clientFrame } from '../support/bytes';
import { hear } from './channels';
import {
  CLOSE,
  eventually,
  knock,
  refused,
  start,
  type Request,
  type StartOptions,
} from './harness';

afterEach(stopAll);

const never = (): Promise<never> => new Promise(() => {});
const plain = route('/ws/:id', () => undefined);
const PATH = { path: '/ws/1' };

describe('the limit channel', () => {
  const waiting = route('/ws/:id', { auth: never }, () => undefined);
  const api = wsRouter();
  api.use(() => undefined);
  api.ws('/chat', () => undefined);
  const inRouter: StartOptions = { prepare: (app) => app.use('/api', api) };
  const IN_ROUTER = { path: '/api/chat' };
  const onRoute = '/ws/:id';

  it.each<[string, readonly unknown[], StartOptions, Request, string | undefined]>([
    ['handshakeTimeout', [waiting], { handshakeTimeout: 1 }, PATH, onRoute],
    ['handshakeTimeout', [api], { ...inRouter, handshakeTimeout: 1 }, IN_ROUTER, undefined],
    ['maxConnections', [plain], { maxConnections: 1 }, PATH, onRoute],
    ['maxConnectionsPerIp', [plain], { maxConnectionsPerIp: 1 }, PATH, onRoute],
    ['maxPendingHandshakes', [waiting], { maxPendingHandshakes: 1 }, PATH, onRoute],
    ['maxPendingHandshakes', [api], { ...inRouter, maxPendingHandshakes: 1 }, IN_ROUTER, undefined],
  ])('tells of %s', async (name, routes, options, asked, path) => {
    const heard = hear('limit');
    const running = await start(routes as never, options);
    const first = knock(running, asked);
    const { sockets } = running;
    const isIn = (): boolean => sockets.metrics().pendingHandshakes + sockets.clients.size === 1;
    if (name !== 'handshakeTimeout') {
      await eventually(isIn);
      await refused(running, asked);
    }
    await eventually(() => heard.length === 1);
    expect(heard[0]?.then).toEqual({ name, path, socket: undefined });
    first.reset();
  });
});

describe('a subscriber that throws', () => {
  it('breaks nothing of ours: Node throws it again, later', async () => {
    const child = new Child('../../express/children/throwing-subscriber.mjs');
    const peer = await Peer.open(await child.says<number>('port'), '/echo');
    peer.write(clientFrame({ first: 0x81, payload: 'x' }));
    expect((await peer.readFrame()).payload.toString()).toBe('x');
    peer.write(CLOSE);
    await peer.expectClose(1000);
    expect(await child.says('seen')).toEqual({
      seen: ['handshake:start', 'handshake:end', 'open', 'message', 'message', 'close', 'error'],
      metrics: {
        pendingHandshakes: 0,
        routes: [expect.objectContaining({ path: '/echo', closes: { '1000': 1 } })],
      },
    });
  });
});
