import { once } from 'node:events';
import { CloseCode, route } from '../../lib';
import { clientFrame, hex } from '../support/bytes';
import { Child } from './support/child';
import { nextMessage, openClient } from './support/client';
import { handshake, Peer } from './support/peer';
import { deferred, echo, serve, stopAll, undecidedRoute } from './support/server';

afterEach(stopAll);

describe('sockets.close()', () => {
  it('closes every client with 1001, then server.close() completes', async () => {
    const { server, sockets, url } = await serve([echo]);
    const clients = await Promise.all(Array.from({ length: 20 }, () => openClient(url('/echo'))));
    const codes = clients.map(async (client) => ((await once(client, 'close')) as [number])[0]);
    const serverClosed = new Promise((resolve) => server.close(resolve));
    await sockets.close();
    await serverClosed;
    expect(await Promise.all(codes)).toEqual(Array(20).fill(CloseCode.GoingAway));
    expect([sockets.clients.size, server.listening]).toEqual([0, false]);
  });

  it('spreads the closes over jitter, and says the code it is told', async () => {
    const { sockets, url } = await serve([echo]);
    const clients = await Promise.all(Array.from({ length: 10 }, () => openClient(url('/echo'))));
    const ends = clients.map(async (client) => {
      const [code] = (await once(client, 'close')) as [number];
      return { code, at: performance.now() };
    });
    await sockets.close({ code: CloseCode.ServiceRestart, jitter: 200 });
    const seen = await Promise.all(ends);
    expect(new Set(seen.map(({ code }) => code))).toEqual(new Set([CloseCode.ServiceRestart]));
    const times = seen.map(({ at }) => at);
    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(10);
  });

  it('gives a client that does not answer until timeout, then ends it', async () => {
    const closed = deferred<number>();
    const { port, sockets } = await serve([
      route('/r', { close: (_socket, code) => closed.resolve(code) }),
    ]);
    const peer = await Peer.open(port, '/r');
    const begun = performance.now();
    await sockets.close({ timeout: 150 });
    expect(performance.now() - begun).toBeGreaterThanOrEqual(140);
    expect(performance.now() - begun).toBeLessThan(2000);
    await peer.expectClose(CloseCode.GoingAway);
    await peer.closed;
    // It never agreed; the server's own code is what its side ended with.
    expect(await closed.promise).toBe(CloseCode.GoingAway);
  });

  it('lets messages that were sent before leave first', async () => {
    const { port, sockets } = await serve([echo]);
    const peer = await Peer.open(port, '/echo');
    for (const socket of sockets.clients) for (let i = 0; i < 50; i++) socket.send(`last ${i}`);
    const closing = sockets.close({ timeout: 1000 });
    for (let i = 0; i < 50; i++)
      expect((await peer.readFrame()).payload.toString()).toBe(`last ${i}`);
    await peer.expectClose(CloseCode.GoingAway);
    peer.write(clientFrame({ first: 0x88, payload: hex('03e9') }));
    await closing;
  });

  it('answers upgrades with 503 from then on, and those whose auth is still at work', async () => {
    const { undecided, asked, aborted } = undecidedRoute('/slow');
    const { port, sockets } = await serve([echo, undecided]);
    const inFlight = await Peer.connect(port);
    inFlight.write(handshake('/slow'));
    await asked;
    const late = await Peer.connect(port);
    const closing = sockets.close();
    await aborted;
    late.write(handshake('/echo'));
    for (const peer of [inFlight, late]) {
      const { status, head } = await peer.readAnswer();
      expect([status, /^retry-after: \d+/im.test(head)]).toEqual([503, true]);
    }
    await closing;
  });

  it('may be called twice, and is what await using does', async () => {
    const { sockets, url } = await serve([echo]);
    const client = await openClient(url('/echo'));
    const seen = once(client, 'close');
    await Promise.all([sockets.close(), sockets.close(), sockets[Symbol.asyncDispose]()]);
    expect(((await seen) as [number])[0]).toBe(CloseCode.GoingAway);
  });

  it('calls each close hook exactly once', async () => {
    const closes: number[] = [];
    const { sockets, url } = await serve([
      route('/r', {
        close: (_socket, code) => {
          closes.push(code);
        },
      }),
    ]);
    const clients = await Promise.all(Array.from({ length: 5 }, () => openClient(url('/r'))));
    const ends = clients.map((client) => once(client, 'close'));
    await sockets.close();
    await Promise.all(ends);
    expect(closes).toEqual(Array(5).fill(CloseCode.GoingAway));
  });
});

describe('a process that closes down on SIGTERM', () => {
  it('ends by itself: every client saw 1001, nothing keeps it alive', async () => {
    const child = new Child('shutdown.mjs');
    const port = await child.says<number>('port');
    const url = (path: string): string => `ws://127.0.0.1:${port}${path}`;
    const clients = await Promise.all(
      ['/echo', '/echo', '/busy', '/busy'].map((path) => openClient(url(path))),
    );
    const ends = clients.map(async (client) => ((await once(client, 'close')) as [number])[0]);
    clients[0]?.send('hello');
    expect(await nextMessage(clients[0]!)).toBe('hello');
    // One in the middle of auth, one refused, one that does not answer the close.
    const inFlight = await Peer.connect(port);
    inFlight.write(handshake('/slow'));
    const refused = await Peer.connect(port);
    refused.write(handshake('/nowhere'));
    expect((await refused.readAnswer()).status).toBe(404);
    const silent = await Peer.open(port, '/echo');

    child.process.kill('SIGTERM');
    expect(await Promise.all(ends)).toEqual([1001, 1001, 1001, 1001]);
    expect((await inFlight.readAnswer()).status).toBe(503);
    await silent.expectClose(CloseCode.GoingAway);
    const { code, signal, stdout, stderr } = await child.ended;
    expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' });
    expect(stdout).toContain('left 0');
    expect(stdout).toContain('server closed');
  });
});
