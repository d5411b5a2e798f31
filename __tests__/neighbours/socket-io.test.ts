import { once } from 'node:events';
import type { Server } from 'node:http';
import { Server as SocketIo } from 'socket.io';
import { io, type ManagerOptions, type SocketOptions } from 'socket.io-client';
import { openClient } from '../scenarios/support/client';
import { load } from '../scenarios/support/page';
import { handshake, Peer } from '../scenarios/support/peer';
import { afterTest, stopAll } from '../scenarios/support/server';
import { ask, expectOurs, fate, ORDERS, slowRoute, startStreet, type Street } from './support';

// Its second of patience is waited for.
jest.setTimeout(60_000);

afterEach(stopAll);

/** Socket.io with its default options; it cuts upgrades off that are silent for a second. */
function socketIo(server: Server): SocketIo {
  const theirs = new SocketIo(server);
  theirs.on('connection', (socket) => {
    socket.on('ask', (text: string, reply: (text: string) => void) => reply(`theirs: ${text}`));
  });
  afterTest(() => theirs.close());
  return theirs;
}

/** Its own client: connected, and what it answers. */
async function askTheirs(
  { port }: Street,
  options: Partial<ManagerOptions & SocketOptions> = {},
): Promise<{ answer: string; transport: string }> {
  const client = io(`http://127.0.0.1:${port}`, { forceNew: true, ...options });
  afterTest(() => client.disconnect());
  await new Promise<void>((resolve, reject) => {
    client.on('connect', resolve).on('connect_error', reject);
  });
  const { engine } = client.io;
  // By default it starts with polling, and goes over to a WebSocket.
  if (engine.transport.name === 'polling')
    await new Promise((done) => engine.once('upgrade', done));
  const answer = (await client.emitWithAck('ask', 'hello')) as string;
  return { answer, transport: engine.transport.name };
}

describe.each(ORDERS)('socket.io with its default options, there %s', (order) => {
  const start = (plan: object = {}): Promise<Street> =>
    startStreet(order, { neighbour: socketIo, exclusive: true, ...plan });

  it('has its client by polling and then by WebSocket, and we have ours', async () => {
    const street = await start();
    await expectOurs(street);
    expect(await askTheirs(street)).toEqual({ answer: 'theirs: hello', transport: 'websocket' });
    await expectOurs(street);
    expect((await load(`http://127.0.0.1:${street.port}/page`)).body).toBe('a page');
  });

  it('has its client by WebSocket from the first', async () => {
    const street = await start();
    const options = { transports: ['websocket'] };
    expect(await askTheirs(street, options)).toEqual({
      answer: 'theirs: hello',
      transport: 'websocket',
    });
  });

  it('does not cut off a handshake of ours that takes longer than its second', async () => {
    const { slow, asked, decide } = slowRoute();
    const street = await start({ routes: [slow] });
    const opening = expectOurs(street, '/slow');
    await asked;
    // One that came later, for nobody: when it has been cut off, ours would have been as well.
    expect(await fate(street.url('/nobody'))).toBe('cut off');
    decide();
    await opening;
  });

  it('does not cut off a silent socket of ours', async () => {
    const street = await start();
    const client = await openClient(street.url('/ours'));
    expect(await fate(street.url('/nobody'))).toBe('cut off');
    expect(await ask(client, 'still')).toBe('ours: still');
  });

  it('goes on when our sockets are closed', async () => {
    const street = await start();
    const client = io(`http://127.0.0.1:${street.port}`, { transports: ['websocket'] });
    afterTest(() => client.disconnect());
    await new Promise<void>((resolve) => client.on('connect', resolve));
    const our = await openClient(street.url('/ours'));
    const ended = once(our, 'close');
    await street.sockets.close();
    expect((await ended)[0]).toBe(1001);
    expect(await client.emitWithAck('ask', 'still')).toBe('theirs: still');
  });

  it('has its answer first when an upgrade of ours is pipelined behind its polling', async () => {
    const { port } = await start();
    const peer = await Peer.connect(port);
    peer.write(
      'GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: server.example.com\r\n\r\n',
      handshake('/ours'),
    );
    const first = await peer.readAnswer();
    expect([first.status, first.body]).toEqual([200, expect.stringMatching(/^0\{"sid":/)]);
    expect(await peer.readHead()).toMatch(/^HTTP\/1\.1 101 /);
  });
});
