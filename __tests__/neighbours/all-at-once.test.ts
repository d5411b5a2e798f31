import express from 'express';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Server as SocketIo } from 'socket.io';
import { io } from 'socket.io-client';
import { WebSocketServer } from 'ws';
import { attachWebSocket, route } from '../../lib';
import { openClient, refusalOf } from '../scenarios/support/client';
import { afterTest, listen, stopAll } from '../scenarios/support/server';
import { WebSocket } from 'ws';
import { ask, expectOurs, ours } from './support';

afterEach(stopAll);

/** A second attach: another team's, with middleware and an app of its own. */
const second = route('/second', {
  message: (socket, data) => void socket.send(`second: ${String(data)}`),
});

async function startAll() {
  const app = express();
  const server = createServer(app);
  const [first, other] = [
    attachWebSocket(app, server, [ours], { exclusive: true, maxPayload: 16 }),
    attachWebSocket(express(), server, [second], {
      exclusive: true,
      use: (req, _res, next) => next(req.query['key'] === 'x' ? undefined : { status: 403 }),
    }),
  ];
  const withIo = new SocketIo(server, { destroyUpgrade: false });
  withIo.on('connection', (socket) => {
    socket.on('ask', (text: string, reply: (text: string) => void) => reply(`io: ${text}`));
  });
  const bare = new WebSocketServer({ noServer: true });
  server.on('upgrade', (req, socket, head) => {
    if (req.url !== '/bare') return;
    bare.handleUpgrade(req, socket, head, (client) => {
      client.on('message', (data: Buffer) => client.send(`bare: ${data.toString()}`));
    });
  });
  const port = await listen(server);
  afterTest(async () => {
    for (const client of bare.clients) client.terminate();
    await Promise.all([withIo.close(), first.close(), other.close()]);
  });
  return {
    app,
    server,
    first,
    other,
    port,
    url: (path: string) => `ws://127.0.0.1:${port}${path}`,
  };
}

describe('two attaches, socket.io and ws on one server', () => {
  it('have each their own', async () => {
    const { url, port } = await startAll();
    await expectOurs({ url });
    expect(await ask(await openClient(url('/second?key=x')), 'hello')).toBe('second: hello');
    expect(await ask(await openClient(url('/bare')), 'hello')).toBe('bare: hello');
    const client = io(`http://127.0.0.1:${port}`);
    afterTest(() => client.disconnect());
    expect(await client.emitWithAck('ask', 'hello')).toBe('io: hello');
  });

  it('keep options and middleware of one attach from the other', async () => {
    const { url } = await startAll();
    expect((await refusalOf(new WebSocket(url('/second')))).status).toBe(403);
    const our = await openClient(url('/ours'));
    const their = await openClient(url('/second?key=x'));
    const ended = once(our, 'close');
    our.send('x'.repeat(17));
    expect((await ended)[0]).toBe(1009);
    expect(await ask(their, 'x'.repeat(17))).toBe(`second: ${'x'.repeat(17)}`);
  });

  it('end one by one, and the others go on', async () => {
    const { url, first, other } = await startAll();
    const our = await openClient(url('/ours'));
    const their = await openClient(url('/second?key=x'));
    const bare = await openClient(url('/bare'));
    const ended = once(our, 'close');
    await first.close();
    expect((await ended)[0]).toBe(1001);
    expect((await refusalOf(new WebSocket(url('/ours')))).status).toBe(503);
    expect(await ask(their, 'still')).toBe('second: still');
    const endedToo = once(their, 'close');
    await other.close();
    expect((await endedToo)[0]).toBe(1001);
    expect(await ask(bare, 'still')).toBe('bare: still');
  });

  it('makes room on a path when its attach is closed, and not before', async () => {
    const { app, server, first, url } = await startAll();
    const attach = () => attachWebSocket(app, server, [ours], { exclusive: true });
    expect(attach).toThrow(expect.objectContaining({ code: 'ERR_WS_PATH_TAKEN' }));
    await first.close();
    const again = attach();
    await expectOurs({ url });
    await again.close();
  });
});
