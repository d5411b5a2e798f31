import express from 'express';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createProxyMiddleware, type Options } from 'http-proxy-middleware';
import { attachWebSocket, reject, route } from '../../lib';
import { openClient, refusalOf } from '../scenarios/support/client';
import { load } from '../scenarios/support/page';
import { afterTest, listen, stopAll, until } from '../scenarios/support/server';
import { WebSocket } from 'ws';
import { ask, expectOurs, ORDERS, startStreet, type Order, type Street } from './support';

afterEach(stopAll);

/** The server behind the proxy has sockets of ours as well. */
async function startBackend(): Promise<{ port: number; codes: number[] }> {
  const app = express();
  app.set('trust proxy', 'loopback');
  app.get('/proxied/page', (_req, res) => void res.send('a page behind'));
  const server = createServer(app);
  const codes: number[] = [];
  const behind = route('/proxied/socket', {
    message: (socket, data) => void socket.send(`behind: ${String(data)}`),
    close: (_socket, code) => codes.push(code),
  });
  const closed = route(
    '/proxied/closed',
    { auth: () => reject(401, { error: 'log in' }, { 'WWW-Authenticate': 'Form' }) },
    () => undefined,
  );
  const sockets = attachWebSocket(app, server, [behind, closed]);
  const port = await listen(server);
  afterTest(() => sockets.close({ timeout: 1000 }));
  return { port, codes };
}

interface Proxied extends Street {
  readonly codes: number[];
}

/** A server that passes on what is below /proxied; it listens for upgrades from the start. */
async function startProxy(
  order: Order,
  options: Options = {},
  plan: object = {},
): Promise<Proxied> {
  const backend = await startBackend();
  const proxy = createProxyMiddleware({
    target: `http://127.0.0.1:${backend.port}`,
    pathFilter: '/proxied',
    ...options,
  });
  const street = await startStreet(order, {
    neighbour(server, app) {
      app.use(proxy);
      if (options.ws !== true) server.on('upgrade', proxy.upgrade);
    },
    ...plan,
  });
  return { ...street, codes: backend.codes };
}

describe.each(ORDERS)('http-proxy-middleware, there %s', (order) => {
  it.each([true, false])(
    'has its paths and we have ours, with exclusive: %j',
    async (exclusive) => {
      const street = await startProxy(order, {}, { exclusive });
      await expectOurs(street);
      const through = await openClient(street.url('/proxied/socket'));
      expect(await ask(through, 'hello')).toBe('behind: hello');
      await expectOurs(street);
      const page = await load(`http://127.0.0.1:${street.port}/proxied/page`);
      expect(page.body).toBe('a page behind');
    },
  );

  it('listens by itself with ws: true, once a page was asked for', async () => {
    const street = await startProxy(order, { ws: true });
    await load(`http://127.0.0.1:${street.port}/proxied/page`);
    const through = await openClient(street.url('/proxied/socket'));
    expect(await ask(through, 'hello')).toBe('behind: hello');
    await expectOurs(street);
  });

  it('passes a refusal on, with its body and its fields', async () => {
    const street = await startProxy(order);
    const client = new WebSocket(street.url('/proxied/closed'));
    client.on('error', () => undefined);
    const upgraded = once(client, 'unexpected-response') as Promise<
      [unknown, { headers: Record<string, string> }]
    >;
    const [refusal, [, { headers }]] = await Promise.all([refusalOf(client), upgraded]);
    expect(refusal).toEqual({ status: 401, body: '{"error":"log in"}' });
    expect(headers['www-authenticate']).toBe('Form');
  });

  it('passes the close on, from either end', async () => {
    const street = await startProxy(order);
    const first = await openClient(street.url('/proxied/socket'));
    first.close(4001, 'done');
    expect((await once(first, 'close'))[0]).toBe(4001);
    await until(() => street.codes.length > 0);
    expect(street.codes).toEqual([4001]);
  });

  it('keeps what it passes on when our sockets are closed', async () => {
    const street = await startProxy(order);
    const through = await openClient(street.url('/proxied/socket'));
    const our = await openClient(street.url('/ours'));
    const ended = once(our, 'close');
    await street.sockets.close();
    expect((await ended)[0]).toBe(1001);
    expect(await ask(through, 'still')).toBe('behind: still');
  });
});
