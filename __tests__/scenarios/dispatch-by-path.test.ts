import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { WebSocket as WsClient } from 'ws';
import { attachWebSocket, route } from '../../lib';
import { nextMessage } from './support/client';
import { load } from './support/page';
import { handshake, Peer } from './support/peer';
import { afterTest, deferred, listen, serve, stopAll } from './support/server';

/*
 * An http server that sends upgrades of one path to its WebSocket side and answers everything else
 * itself; the socket speaks first. By hand, that is an `upgrade` listener with a `switch`.
 */

afterEach(stopAll);

/** Not open yet: who is greeted must listen before. */
function connect(url: string): WsClient {
  const client = new WsClient(url);
  afterTest(() => client.terminate());
  return client;
}

const greeting = (url: string): Promise<string | Buffer> => nextMessage(connect(url));

describe('a server that greets on one path', () => {
  it('says hello first, and prints what it receives', async () => {
    const printed: unknown[] = [];
    const got = deferred();
    const { url } = await serve([
      route('/greet', (socket) => {
        socket.send('hello world');
        socket.on('message', (data) => {
          printed.push(data);
          got.resolve();
        });
      }),
    ]);
    const client = connect(url('/greet'));
    expect(await nextMessage(client)).toBe('hello world');
    client.send('thank you');
    await got.promise;
    // Text comes as a string, not as a Buffer.
    expect(printed).toEqual(['thank you']);
  });

  it('has extra headers on its 101', async () => {
    const { url } = await serve([
      route(
        '/greet',
        {
          use(_req, res, next) {
            res.setHeader('X-Served-By', 'node-1');
            res.append('Set-Cookie', 'seen=1');
            res.append('Set-Cookie', 'lang=en');
            next();
          },
        },
        () => undefined,
      ),
    ]);
    const client = connect(url('/greet'));
    const opened = once(client, 'open');
    const [response] = (await once(client, 'upgrade')) as [IncomingMessage];
    expect(response.headers['x-served-by']).toBe('node-1');
    expect(response.headers['set-cookie']).toEqual(['seen=1', 'lang=en']);
    await opened;
  });

  it('answers the same path as a page, and other paths as it likes', async () => {
    const { app, port } = await serve([route('/greet', () => undefined)]);
    app.get('/greet', (_req, res) => void res.send('a page'));
    app.use((_req, res) => void res.status(501).send('not implemented'));
    const base = `http://127.0.0.1:${port}`;
    expect(await load(`${base}/greet`)).toEqual({ status: 200, body: 'a page' });
    expect(await load(`${base}/other`)).toEqual({ status: 501, body: 'not implemented' });
  });

  it('answers an upgrade of another path with the 501 of the app, and ends the connection', async () => {
    const { app, port } = await serve([route('/greet', () => undefined)]);
    app.use((_req, res) => void res.status(501).send('not implemented'));
    const peer = await Peer.connect(port);
    peer.write(handshake('/other'));
    const { status, body } = await peer.readAnswer();
    expect([status, body]).toEqual([501, 'not implemented']);
    expect((await peer.readToEnd()).length).toBe(0);
  });

  it('does so without Express, with any handler (req, res)', async () => {
    const server = createServer();
    const handler = (_req: unknown, res: { statusCode: number; end(text: string): void }): void => {
      res.statusCode = 501;
      res.end('by hand');
    };
    server.on('request', handler);
    const sockets = attachWebSocket(handler as never, server, [
      route('/greet', (socket) => {
        socket.send('hello world');
      }),
    ]);
    const port = await listen(server);
    afterTest(() => sockets.close());
    expect(await greeting(`ws://127.0.0.1:${port}/greet`)).toBe('hello world');
    expect(await load(`http://127.0.0.1:${port}/x`)).toEqual({ status: 501, body: 'by hand' });
  });

  it('leaves another listener of the same server its own paths', async () => {
    const { server, port, url } = await serve([
      route('/greet', (socket) => {
        socket.send('hello world');
      }),
    ]);
    server.on('upgrade', (request, socket) => {
      if (request.url === '/theirs') socket.end('HTTP/1.1 418 I am a teapot\r\n\r\n');
    });
    const peer = await Peer.connect(port);
    peer.write(
      'GET /theirs HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
    );
    expect((await peer.readToEnd()).toString()).toBe('HTTP/1.1 418 I am a teapot\r\n\r\n');
    expect(await greeting(url('/greet'))).toBe('hello world');
  });
});
