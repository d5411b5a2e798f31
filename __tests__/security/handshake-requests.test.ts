import express from 'express';
import { route } from '../../lib/express/route';
import {
  Client,
  eventually,
  handshake,
  knock,
  open,
  start,
  type Request,
} from '../express/harness';
import {
  connectionsFallTo,
  counting,
  echo,
  expectAlive,
  HELLO,
  statusOf,
} from './handshake-attack';

describe('H-11 request targets that mean another place', () => {
  const targets: [string, number][] = [
    ['//evil.com/ws', 400],
    ['//ws', 400],
    ['///ws', 400],
    ['http://evil.com/ws', 400],
    ['http://localhost/ws', 400],
    ['ws://localhost/ws', 400],
    ['/\\evil.com', 404],
    ['/\\ws', 404],
    ['/ws#x', 400],
    ['/ws?x#y', 400],
    ['/#/ws', 400],
    ['/a/../ws', 404],
    ['/%2e%2e/ws', 404],
    ['/%2fws', 404],
    ['/%zz', 400],
    ['/ws/%zz', 400],
    ['/ws\0', 400],
    ['*', 400],
    ['ws', 400],
    ['/'.repeat(15_000), 400],
    [`/${'a/'.repeat(7_000)}`, 404],
  ];

  it.each(targets.map(([path, status]) => [path.slice(0, 30), status, path] as const))(
    '%s: %d, from whatever page',
    async (_what, status, path) => {
      const running = await start([echo], { prepare: counting().prepare });
      for (const Origin of [undefined, 'http://evil.com', 'http://localhost']) {
        expect(await statusOf(running, { path, headers: { Origin } })).toBe(status);
      }
      await expectAlive(running);
    },
  );

  it.each(['/*rest', /./])('stay refused when a route takes everything: %s', async (path) => {
    // Express 4 writes the wildcard in its own way.
    const everything = 'application' in express && path === '/*rest' ? /.*/ : path;
    const running = await start([route(everything as never, () => undefined)]);
    for (const target of ['//evil.com/ws', 'http://evil.com/ws', '/ws#x', '/%zz', '*']) {
      expect(await statusOf(running, { path: target })).toBe(400);
    }
  });

  it('do not choose the host that the origin is compared with', async () => {
    const running = await start([route(/./, () => undefined)]);
    for (const path of ['//evil.com/ws', 'http://evil.com/ws', '/@evil.com', '/ws?//evil.com']) {
      const headers = { Host: 'good.com', Origin: 'http://evil.com' };
      expect([400, 403]).toContain(await statusOf(running, { path, headers }));
    }
  });
});

describe('H-12 a request that is no plain GET', () => {
  it.each<[string, Request, number]>([
    ['a length', { headers: { 'Content-Length': '5' } }, 400],
    ['a length of many zeros', { headers: { 'Content-Length': '00' } }, 400],
    ['chunks', { headers: { 'Transfer-Encoding': 'chunked' } }, 400],
    ['another coding', { headers: { 'Transfer-Encoding': 'identity' } }, 400],
    ['HTTP/1.0', { version: '1.0' }, 400],
    ['no Host', { headers: { Host: undefined } }, 400],
    ['an empty Host', { headers: { Host: '' } }, 400],
    ['POST', { method: 'POST' }, 405],
    ['PUT with a length', { method: 'PUT', headers: { 'Content-Length': '5' } }, 405],
    ['HEAD', { method: 'HEAD' }, 405],
    ['OPTIONS', { method: 'OPTIONS' }, 405],
    ['DELETE', { method: 'DELETE' }, 405],
  ])('%s', async (_what, request, status) => {
    const opened = jest.fn();
    const running = await start([route('/ws', opened)]);
    const client = knock(running, request).write('5\r\nhello');
    const answer = await client.head();
    expect(answer.status).toBe(status);
    if (status === 405) expect(answer.headers['allow']).toBe('GET');
    await client.ended;
    expect(opened).not.toHaveBeenCalled();
    await open(running);
  });

  it('a length of zero is no body', async () => {
    await open(await start([echo]), { headers: { 'Content-Length': '0' } });
  });
});

describe('H-13 requests that are pipelined', () => {
  it('two upgrades: the second is no second engine, but bytes of the first', async () => {
    const opened = jest.fn();
    const running = await start([route('/ws', opened)]);
    const client = new Client(running.port).write(handshake() + handshake());
    expect((await client.head()).status).toBe(101);
    // 'G' is 0x47: a reserved bit is set.
    expect(await client.closeCode()).toBe(1002);
    await client.ended;
    expect(opened).toHaveBeenCalledTimes(1);
  });

  it('two upgrades, the first refused: one answer, and the end', async () => {
    const opened = jest.fn();
    const running = await start([route('/ws', opened)]);
    const bad = handshake({ headers: { 'Sec-WebSocket-Version': '8' } });
    const client = new Client(running.port).write(bad + handshake());
    expect((await client.lastAnswer()).status).toBe(426);
    expect(opened).not.toHaveBeenCalled();
  });

  it('many GETs and an upgrade: one answer each, in order', async () => {
    const running = await start([echo], {
      prepare: (app) => app.get('/n/:n', (req, res) => void res.send(req.params.n)),
    });
    const gets = Array.from({ length: 200 }, (_, n) => `GET /n/${n} HTTP/1.1\r\nHost: a\r\n\r\n`);
    const client = new Client(running.port).write(gets.join('') + handshake());
    // Node hands the connection over as soon as the upgrade is parsed, with all answers still to come.
    await eventually(() => client.received.includes('101 Switching Protocols'));
    for (let n = 0; n < 200; n++) {
      const { body } = await client.answer();
      expect(body).toBe(String(n));
    }
    expect((await client.head()).status).toBe(101);
    client.write(HELLO);
    expect((await client.frame()).payload.toString()).toBe('Hello');
    expect(running.sockets.clients.size).toBe(1);
  });
});

describe('H-14 other upgrades, and then a reset', () => {
  it.each<[string, Request, number]>([
    ['h2c', { headers: { Upgrade: 'h2c' } }, 404],
    ['h2c, websocket', { headers: { Upgrade: 'h2c, websocket' } }, 101],
    ['WebSocket', { headers: { Upgrade: 'WebSocket' } }, 101],
    ['websocket/13', { headers: { Upgrade: 'websocket/13' } }, 404],
    ['a foreign path', { path: '/foreign' }, 404],
    ['an empty one', { headers: { Upgrade: '' } }, 404],
    ['no token', { headers: { Upgrade: '(websocket)' } }, 404],
  ])('%s', async (_what, request, status) => {
    const { prepare } = counting();
    const running = await start([echo], { prepare });
    const client = knock(running, request);
    expect((await client.head()).status).toBe(status);
    client.reset();
    knock(running, request).reset();
    await eventually(() => running.sockets.clients.size === 0);
    await expectAlive(running);
    // The one that has shown that the server lives is still there.
    await connectionsFallTo(1, running);
  });
});
