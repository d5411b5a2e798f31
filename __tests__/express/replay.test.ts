import express from 'express';
import { once } from 'node:events';
import { createServer as createTlsServer } from 'node:https';
import { connect as connectTls } from 'node:tls';
import { attachWebSocket } from '../../lib/express/attach';
import { replay, servePlain } from '../../lib/express/replay';
import { route } from '../../lib/express/route';
import { EventEmitter } from 'node:events';
import { Duplex } from 'node:stream';
import { after, Client, handshake, listen, open, start } from './harness';
import { TLS } from './tls';

/** An app that says what it was asked. */
function prepare(app: express.Express): void {
  app.use(express.text()).use((req, res) => {
    res.json({ method: req.method, url: req.url, body: req.body as unknown, headers: req.headers });
  });
}

const h2c = {
  Connection: 'Upgrade, HTTP2-Settings',
  Upgrade: 'h2c',
  'HTTP2-Settings': 'AAMAAABkAAQAAP__',
  'Sec-WebSocket-Key': undefined,
  'Sec-WebSocket-Version': undefined,
};

describe('an upgrade to h2c', () => {
  it('is served as the plain request that it also is', async () => {
    const running = await start([], { prepare });
    const headers = { ...h2c, 'X-Twice': ['a', 'b'], 'X-Byte': 'caf\xe9' };
    const client = new Client(running.port).write(handshake({ path: '/x?y=1', headers }));
    const { status, body } = await client.answer();
    expect(status).toBe(200);
    expect(JSON.parse(body)).toMatchObject({
      method: 'GET',
      url: '/x?y=1',
      headers: { host: 'localhost', connection: '', 'x-twice': 'a, b', 'x-byte': 'caf\xe9' },
    });
    expect(body).not.toContain('h2c');
    expect(body).not.toContain('http2-settings');
  });

  it('keeps its body and its other connection options', async () => {
    const running = await start([], { prepare });
    const headers = {
      ...h2c,
      Connection: 'close, upgrade',
      'Content-Type': 'text/plain',
      'Content-Length': '5',
    };
    const client = new Client(running.port);
    client.write(`${handshake({ method: 'POST', headers })}He`);
    client.write('llo');
    const { status, body } = await client.lastAnswer();
    expect(status).toBe(200);
    expect(JSON.parse(body)).toMatchObject({
      method: 'POST',
      body: 'Hello',
      // Where Node serves it by itself, it shows all that was asked for.
      headers: { connection: expect.stringMatching(/^close(, upgrade)?$/) as string },
    });
  });

  it('keeps a body that comes in chunks', async () => {
    const running = await start([], { prepare });
    const headers = { ...h2c, 'Content-Type': 'text/plain', 'Transfer-Encoding': 'chunked' };
    const client = new Client(running.port);
    client.write(`${handshake({ method: 'POST', headers })}3\r\nHel\r\n2\r\nlo\r\n0\r\n\r\n`);
    expect(JSON.parse((await client.answer()).body)).toMatchObject({ body: 'Hello' });
  });

  it('leaves the connection to further requests, and to a WebSocket', async () => {
    const running = await start([route('/ws', () => undefined)], { prepare });
    const client = new Client(running.port);
    for (const path of ['/1', '/2', '/3']) {
      client.write(handshake({ path, headers: h2c }));
      expect((await client.answer()).body).toContain(`"url":"${path}"`);
    }
    client.write('GET /4 HTTP/1.1\r\nHost: localhost\r\n\r\n');
    expect((await client.answer()).body).toContain('"url":"/4"');
    client.write(handshake());
    expect((await client.head()).status).toBe(101);
    expect(running.sockets.clients.size).toBe(1);
  });

  it('on the path of a socket goes to the app as well', async () => {
    const running = await start([route('/ws', () => undefined)], { prepare });
    const client = new Client(running.port).write(handshake({ headers: h2c }));
    expect((await client.answer()).status).toBe(200);
    await open(running);
  });

  it('is served over TLS', async () => {
    const app = express();
    prepare(app);
    const server = createTlsServer(TLS, app);
    const sockets = attachWebSocket(app, server, [route('/ws', () => undefined)]);
    after(() => sockets.close());
    const port = await listen(server);
    const client = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
    after(() => client.destroy());
    await once(client, 'secureConnect');
    client.write(handshake({ headers: h2c }));
    const [first] = (await once(client, 'data')) as [Buffer];
    expect(first.toString()).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    client.write(handshake());
    const [second] = (await once(client, 'data')) as [Buffer];
    expect(second.toString()).toMatch(/^HTTP\/1\.1 101 /);
  });
});

describe('a request that lacks what every request has', () => {
  it('is written with what stands for it', () => {
    const server = new EventEmitter();
    const transport = new Duplex({ read() {} });
    const seen: unknown[] = [];
    server.on('connection', (given) => seen.push(given));
    // eslint-disable-next-line no-sparse-arrays -- exactly that
    const request = { httpVersion: '1.1', rawHeaders: ['Host', 'a', , , 'odd'] };
    replay(server as never, request as never, transport, Buffer.from('rest'));
    expect(seen).toEqual([transport]);
    // Node 26 reads one piece a call.
    const pieces = Array.from({ length: 2 }, () => (transport.read() as Buffer | null) ?? '');
    expect(pieces.join('')).toBe('GET / HTTP/1.1\r\nHost: a\r\n: \r\n\r\nrest');
  });
});

describe('a server that asks whether to upgrade', () => {
  const ask = (
    headers: Record<string, string>,
    { node = '26.0.0', isPlain = true, upgrades = true } = {},
  ): boolean => {
    const server = { shouldUpgradeCallback: () => upgrades };
    servePlain(server as never, () => isPlain, node);
    return (server.shouldUpgradeCallback as (request: unknown) => boolean)({ headers });
  };

  it.each([
    [{ 'content-length': '5' }, false],
    [{ 'transfer-encoding': 'chunked' }, false],
    [{ 'content-length': '0' }, true],
    [{}, true],
  ])('serves it by itself when it has a body: %p', (headers, upgrades) => {
    expect(ask(headers as Record<string, string>)).toBe(upgrades);
  });

  it('decides as before on all others, and before Node 26 on all', () => {
    const body = { 'content-length': '5' };
    expect(ask(body, { isPlain: false })).toBe(true);
    expect(ask({}, { upgrades: false })).toBe(false);
    expect(ask(body, { node: '24.21.0' })).toBe(true);
  });

  it('may be one of those that do not ask', () => {
    const server = {};
    servePlain(server as never, () => true, '26.0.0');
    expect(server).toEqual({});
  });
});
