import express, { type RequestHandler } from 'express';
import { createServer } from 'node:http';
import { attachWebSocket } from '../../lib/express/attach';
import { route } from '../../lib/express/route';
import { after, Client, handshake, KEY, listen, open, refused, start } from '../express/harness';
import { echo, expectAlive, HELLO, statusOf } from './handshake-attack';

/** A server that takes larger heads than Node does by default. */
async function startLarge(maxHeaderSize: number): Promise<{ readonly port: number }> {
  const app = express();
  const server = createServer({ maxHeaderSize }, app);
  const sockets = attachWebSocket(app, server, [echo]);
  after(() => sockets.close({ timeout: 100 }));
  return { port: await listen(server) };
}

describe('H-2, H-3 header values that make a parser go back', () => {
  // Anything worse than linear would take minutes for half a megabyte.
  const many = 500_000;

  it.each<[string, string, string, number]>([
    ['spaces in a protocol', 'Sec-WebSocket-Protocol', `b${' '.repeat(many)}x`, 400],
    ['commas in a protocol', 'Sec-WebSocket-Protocol', `a${' ,'.repeat(many / 2)}`, 101],
    ['tabs in Upgrade', 'Upgrade', `websocket${'\t'.repeat(many)},x`, 101],
    ['an open quote', 'Sec-WebSocket-Extensions', `a; b="${'\\c'.repeat(many / 2)}`, 400],
    ['quotes', 'Sec-WebSocket-Extensions', `a; b=${'""'.repeat(many / 2)}`, 400],
    ['parameters', 'Sec-WebSocket-Extensions', `a${';b=c'.repeat(many / 4)}`, 101],
    ['semicolons', 'Sec-WebSocket-Extensions', `a${' ;'.repeat(many / 2)}`, 400],
    ['options of a connection', 'Connection', `Upgrade${' , x'.repeat(many / 4)}`, 101],
    ['an origin', 'Origin', `http://${'a'.repeat(many)}`, 403],
    ['a key', 'Sec-WebSocket-Key', 'A'.repeat(many), 400],
  ])('%s: answered all the same', async (_what, name, value, status) => {
    const running = await startLarge(2 * many);
    expect(await statusOf(running, { headers: { [name]: value } })).toBe(status);
    await expectAlive(running);
  });

  it('16 KiB of them are answered with the default limits', async () => {
    const running = await start([echo]);
    const headers = { 'Sec-WebSocket-Protocol': `b${' '.repeat(15_000)}x` };
    expect(await statusOf(running, { headers })).toBe(400);
    const longer = { 'Sec-WebSocket-Protocol': `b${' '.repeat(17_000)}x` };
    expect(await statusOf(running, { headers: longer })).toBe(431);
    await expectAlive(running);
  });
});

describe('H-4 names that every object has', () => {
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf', 'prototype'];

  it.each(names)('%s is a word like another', async (name) => {
    const seen: unknown[] = [];
    const running = await start([
      echo,
      route('/chat/:room', { protocols: ['v1', name] }, (socket, req) => {
        socket.join(name);
        seen.push(socket.protocol, socket.params.room, [...socket.rooms], req.get(name));
        socket.leave(name);
      }),
    ]);
    const path = `/chat/${name}?${name}=1&${name}[polluted]=1`;
    const headers = {
      'Sec-WebSocket-Extensions': `${name}, foo; ${name}, foo; ${name}=1, foo; ${name}="1"`,
      'Sec-WebSocket-Protocol': name,
      Cookie: `${name}=1`,
    };
    // Not as a key of the literal: there it would be the prototype.
    const text = handshake({ path, headers }).replace('\r\n', `\r\n${name}: polluted\r\n`);
    const client = new Client(running.port).write(text);
    const head = await client.head();
    expect([head.status, head.headers['sec-websocket-protocol']]).toEqual([101, name]);
    expect(head.headers['sec-websocket-extensions']).toBeUndefined();
    expect(seen.slice(0, 3)).toEqual([name, name, [name]]);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    await expectAlive(running);
  });

  it.each(names)('%s is no protocol of a route that has none', async (name) => {
    const running = await start([echo]);
    const { upgraded } = await open(running, { headers: { 'Sec-WebSocket-Protocol': name } });
    expect(upgraded.headers['sec-websocket-protocol']).toBeUndefined();
  });

  it('are counted as addresses like others', async () => {
    const running = await start([echo], {
      maxConnectionsPerIp: 1,
      prepare: (app) => app.set('trust proxy', true),
    });
    for (const name of names) {
      const request = { headers: { 'X-Forwarded-For': name } };
      expect(await statusOf(running, request)).toBe(101);
      expect(await statusOf(running, request)).toBe(429);
    }
  });
});

it('H-5 a header named __proto__ is not looked for where Node throws', async () => {
  const read = jest.fn();
  const use: RequestHandler = (_req, _res, next) => next();
  const running = await start([echo, route('/use', { use, auth: () => ({}) }, () => undefined)], {
    unmatched: 'app',
  });
  running.server.prependListener('upgrade', (req) => {
    for (const name of ['headersDistinct', 'trailersDistinct']) {
      Object.defineProperty(req, name, { get: read });
    }
  });
  for (const path of ['/ws', '/use', '/none']) {
    const text = handshake({ path }).replace('\r\n', '\r\n__proto__: x\r\n');
    const { status } = await new Client(running.port).write(text).head();
    expect(status).toBe(path === '/none' ? 404 : 101);
  }
  expect(read).not.toHaveBeenCalled();
});

describe('H-7 bytes above ASCII', () => {
  it.each<[string, string, number]>([
    ['Sec-WebSocket-Protocol', '\xe9\xff', 400],
    ['Sec-WebSocket-Protocol', 'a, \xff', 400],
    ['Sec-WebSocket-Extensions', 'a; b=\xe9', 400],
    ['Sec-WebSocket-Key', `\xe9${KEY.slice(1)}`, 400],
    ['Sec-WebSocket-Version', '\xb9\xb3', 426],
    ['Origin', 'http://\xff', 403],
    ['X-Other', '\xff', 101],
  ])('%s: %j', async (name, value, status) => {
    const running = await start([echo]);
    expect(await statusOf(running, { headers: { [name]: value } })).toBe(status);
    await expectAlive(running);
  });
});

describe('H-8 the version is 13 and nothing else', () => {
  it.each(['8', '7', '0', '+13', '13.0', '0x0d', '13,8', '8, 13', '013', '1 3', '14', '', 'x'])(
    '%j is 426, and says what would do',
    async (version) => {
      const running = await start([echo]);
      const answer = await refused(running, { headers: { 'Sec-WebSocket-Version': version } });
      expect([answer.status, answer.headers['sec-websocket-version']]).toEqual([426, '13']);
      await expectAlive(running);
    },
  );

  it('none is 426 as well', async () => {
    const running = await start([echo]);
    const answer = await refused(running, { headers: { 'Sec-WebSocket-Version': undefined } });
    expect([answer.status, answer.headers['sec-websocket-version']]).toEqual([426, '13']);
  });

  it('white space around it is none of it', async () => {
    const running = await start([echo]);
    await open(running, { headers: { 'Sec-WebSocket-Version': ' \t13 ' } });
  });
});

describe('H-9 fields that come twice', () => {
  it.each([
    ['Host', 'localhost'],
    ['Origin', 'http://localhost'],
    ['Sec-WebSocket-Key', KEY],
    ['Sec-WebSocket-Version', '13'],
    ['Upgrade', 'websocket'],
    ['Content-Length', '0'],
  ])('%s is 400, even with the same value', async (name, value) => {
    const running = await start([echo]);
    for (const second of [value, `${value}x`, '']) {
      const headers = { [name]: [value, second], [name.toUpperCase()]: undefined };
      expect(await statusOf(running, { headers })).toBe(400);
    }
    await expectAlive(running);
  });

  it('of another case are the same field', async () => {
    const running = await start([echo]);
    const text = handshake().replace('\r\n', `\r\nsec-WEBSOCKET-key: ${KEY}\r\n`);
    expect((await new Client(running.port).write(text).head()).status).toBe(400);
  });

  it('are joined where they are lists', async () => {
    const running = await start([route('/ws', { protocols: ['c'] }, () => undefined)]);
    const { upgraded } = await open(running, {
      headers: {
        Connection: ['keep-alive', 'Upgrade'],
        'Sec-WebSocket-Protocol': ['a, b', 'c'],
        'Sec-WebSocket-Extensions': ['x', 'y; z=1'],
      },
    });
    expect(upgraded.headers['sec-websocket-protocol']).toBe('c');
  });

  it('are 431 when they are many', async () => {
    const running = await start([echo]);
    const headers = { 'X-Many': Array<string>(130).fill('x') };
    expect(await statusOf(running, { headers })).toBe(431);
    await expectAlive(running);
  });
});

describe('H-10 keys', () => {
  const base64 = (size: number): string => Buffer.alloc(size, 0xa5).toString('base64');

  it.each<[string, string | undefined]>([
    ['absent', undefined],
    ['empty', ''],
    ['of 23 characters', KEY.slice(1)],
    ['of 25 characters', `A${KEY}`],
    ['of 15 bytes', base64(15)],
    ['of 17 bytes', base64(17)],
    ['without its padding', KEY.slice(0, 22)],
    ['padded with something else', `${KEY.slice(0, 22)}AA`],
    ['in the alphabet of URLs', '-_-_-_-_-_-_-_-_-_-_-Q=='],
    ['with low bits in its last character', `${KEY.slice(0, 21)}R==`],
    ['with a space inside', `${KEY.slice(0, 10)} ${KEY.slice(11)}`],
    ['of no base64', '!'.repeat(22) + '=='],
    ['of two', `${KEY}, ${KEY}`],
  ])('%s: 400', async (_what, key) => {
    const running = await start([echo]);
    expect(await statusOf(running, { headers: { 'Sec-WebSocket-Key': key } })).toBe(400);
    await expectAlive(running);
  });

  it('with white space around is accepted', async () => {
    const running = await start([echo]);
    await open(running, { headers: { 'Sec-WebSocket-Key': ` ${KEY}\t` } });
  });

  it('of 300 bad requests leave nothing behind', async () => {
    const use = jest.fn();
    const guarded = route('/guarded', { use }, () => undefined);
    const limits = { maxConnections: 1, maxConnectionsPerIp: 1, maxPendingHandshakes: 1 };
    const running = await start([echo, guarded], limits);
    const bad = { headers: { 'Sec-WebSocket-Key': 'x' } };
    for (let round = 0; round < 10; round++) {
      const asked = Array.from({ length: 30 }, async (_, index) =>
        refused(running, { ...bad, path: index % 2 === 0 ? '/ws' : '/guarded' }),
      );
      for (const { status } of await Promise.all(asked)) expect(status).toBe(400);
    }
    expect(use).not.toHaveBeenCalled();
    await expectAlive(running);
  });
});

describe('H-17 cookies that cannot be read', () => {
  it.each(['a=%', 'a=%zz; b', '\xff', '=', ';;;', `a=${'x'.repeat(15_000)}`, 'a="'])(
    '%.20j does not matter to us',
    async (Cookie) => {
      const running = await start([
        echo,
        route('/auth', { auth: (req) => ({ cookie: req.headers.cookie }) }, () => undefined),
      ]);
      await open(running, { headers: { Cookie } });
      await open(running, { path: '/auth', headers: { Cookie } });
      await expectAlive(running);
    },
  );
});

describe('H-19 offers of compression', () => {
  const values = ['7', '16', '08', '8.0', '+9', '"9"', '1000', "''", '8', '15', '"15"'];
  const offers = [
    ...values.map((value) => `permessage-deflate; client_max_window_bits=${value}`),
    ...values.map((value) => `permessage-deflate; server_max_window_bits=${value}`),
    'permessage-deflate',
    'permessage-deflate; client_max_window_bits',
    'permessage-deflate; server_max_window_bits',
    'permessage-deflate; server_no_context_takeover; server_no_context_takeover',
    'permessage-deflate; unknown=1',
    'permessage-deflate; server_no_context_takeover=1',
    Array(100).fill('permessage-deflate; client_max_window_bits=1000').join(', '),
  ];

  it.each(offers)('%.80s: declined, and the connection goes on', async (offer) => {
    const running = await start([echo]);
    const client = await open(running, { headers: { 'Sec-WebSocket-Extensions': offer } });
    expect(client.upgraded.headers['sec-websocket-extensions']).toBeUndefined();
    client.write(HELLO);
    expect((await client.frame()).payload.toString()).toBe('Hello');
  });
});
