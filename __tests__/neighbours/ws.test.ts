import { once } from 'node:events';
import type { Server } from 'node:http';
import { WebSocketServer, type WebSocket } from 'ws';
import { openClient } from '../scenarios/support/client';
import { load } from '../scenarios/support/page';
import { afterTest, stopAll } from '../scenarios/support/server';
import { ask, expectOurs, fate, ORDERS, slowRoute, startStreet } from './support';

afterEach(stopAll);

function answer(socket: WebSocket): void {
  socket.on('message', (data: Buffer) => socket.send(`theirs: ${data.toString()}`));
}

/** A `ws` server that listens for upgrades itself, and refuses all but those of its path. */
function withPath(server: Server): WebSocketServer {
  const theirs = new WebSocketServer({ server, path: '/theirs' });
  theirs.on('connection', answer);
  afterTest(() => theirs.close());
  return theirs;
}

/** A `ws` server that gets what an upgrade listener of the user gives it. */
function withoutServer(server: Server): WebSocketServer {
  const theirs = new WebSocketServer({ noServer: true });
  theirs.on('connection', answer);
  server.on('upgrade', (request, socket, head) => {
    if (request.url !== '/theirs') return;
    theirs.handleUpgrade(request, socket, head, (client) => theirs.emit('connection', client));
  });
  afterTest(() => theirs.close());
  return theirs;
}

describe.each(ORDERS)('ws with { server, path } that was there %s', (order) => {
  it('has its path and we have ours, with exclusive', async () => {
    const street = await startStreet(order, { neighbour: withPath, exclusive: true });
    await expectOurs(street);
    expect(await ask(await openClient(street.url('/theirs')), 'hello')).toBe('theirs: hello');
    await expectOurs(street);
    expect((await load(`http://127.0.0.1:${street.port}/page`)).body).toBe('a page');
  });

  it('does not hear of our upgrades, however long auth takes', async () => {
    const { slow, asked, decide } = slowRoute();
    const street = await startStreet(order, {
      routes: [slow],
      neighbour: withPath,
      exclusive: true,
    });
    const opening = expectOurs(street, '/slow');
    await asked;
    expect(await ask(await openClient(street.url('/theirs')), 'hello')).toBe('theirs: hello');
    decide();
    await opening;
  });

  it('answers what is for nobody, as it does without us', async () => {
    const street = await startStreet(order, { neighbour: withPath, exclusive: true });
    expect(await fate(street.url('/nobody'))).toBe(400);
  });

  it('goes on when our sockets are closed, and we go on when it is closed', async () => {
    let theirs!: WebSocketServer;
    const street = await startStreet(order, {
      neighbour: (server) => (theirs = withPath(server)),
      exclusive: true,
    });
    const client = await openClient(street.url('/theirs'));
    const our = await openClient(street.url('/ours'));
    const closing = theirs.clients.size;
    theirs.close();
    expect([closing, await ask(our, 'still')]).toEqual([1, 'ours: still']);
    await expectOurs(street);
    const ended = once(our, 'close');
    await street.sockets.close();
    expect((await ended)[0]).toBe(1001);
    expect(await ask(client, 'still')).toBe('theirs: still');
  });
});

describe.each(ORDERS)('ws with noServer and a listener that was there %s', (order) => {
  it.each([true, false])('has its path and we have ours, with exclusive: %j', async (exclusive) => {
    const street = await startStreet(order, { neighbour: withoutServer, exclusive });
    await expectOurs(street);
    expect(await ask(await openClient(street.url('/theirs')), 'hello')).toBe('theirs: hello');
    await expectOurs(street);
  });

  it('leaves what is for nobody to us, who end it in time', async () => {
    const street = await startStreet(order, { neighbour: withoutServer, handshakeTimeout: 50 });
    expect(await fate(street.url('/nobody'))).toBe('cut off');
  });

  it('leaves it to the app where that is asked for, and keeps its own path', async () => {
    const street = await startStreet(order, {
      neighbour: (server) => {
        server.on('upgrade', () => undefined);
      },
      unmatched: 'app',
    });
    expect(await fate(street.url('/page'))).toBe(200);
    expect(await fate(street.url('/nobody'))).toBe(404);
  });

  it('keeps its sockets longer than an upgrade may take', async () => {
    const street = await startStreet(order, { neighbour: withoutServer, handshakeTimeout: 50 });
    const client = await openClient(street.url('/theirs'));
    // One that came later is ended for its age; the open socket is older, and stays.
    expect(await fate(street.url('/nobody'))).toBe('cut off');
    expect(await ask(client, 'still')).toBe('theirs: still');
  });
});
