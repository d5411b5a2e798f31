import express, { type Express, type RequestHandler } from 'express';
import { createServer } from 'node:http';
import { setImmediate as immediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import { attachWebSocket } from '../../lib/express/attach';
import { route, type AuthInfo } from '../../lib/express/route';
import { hex } from '../support/bytes';
import {
  after,
  catchStderr,
  Client,
  eventually,
  handshake,
  KEY,
  knock,
  listen,
  open,
  refused,
  start,
  type Request,
  type Running,
} from '../express/harness';

const HELLO = hex('81 85 37fa213d 7f9f4d5158');

const echo = route('/ws', {
  message(socket, data) {
    socket.send(data);
  },
});

/** An app that counts what gets to it. */
function counting(): { seen: string[]; prepare: (app: Express) => void } {
  const seen: string[] = [];
  const prepare = (app: Express): void => {
    app.use((req, res) => {
      seen.push(`${req.method} ${req.url}`);
      res.status(404).send('the app');
    });
  };
  return { seen, prepare };
}

/** The next connection works. */
async function expectAlive(running: { readonly port: number }): Promise<void> {
  const client = await open(running);
  client.write(HELLO);
  expect((await client.frame()).payload.toString()).toBe('Hello');
}

async function statusOf(running: { readonly port: number }, request: Request): Promise<number> {
  return (await knock(running, request).head()).status;
}

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

describe('H-15 a client that leaves while auth is under way', () => {
  const delays = [0, 1, 10, 19, 20, 21, 40];
  const ways = ['reset', 'fin'] as const;

  it.each(delays.flatMap((delay) => ways.map((way) => [way, delay] as const)))(
    '%s after %d ms of 20',
    async (way, delay) => {
      const signals: AbortSignal[] = [];
      let opened = 0;
      let closed = 0;
      const auth = async (_req: unknown, { signal }: AuthInfo): Promise<object> => {
        signals.push(signal);
        await new Promise((resolve) => setTimeout(resolve, 20));
        return {};
      };
      const running = await start([
        route('/ws', { auth, maxConnections: 1 }, { open: () => opened++, close: () => closed++ }),
      ]);
      const client = knock(running);
      await eventually(() => signals.length === 1);
      await new Promise((resolve) => setTimeout(resolve, delay));
      client[way]();
      await eventually(() => signals[0]!.aborted || (opened === 1 && closed === 1));
      // Either it never opened and the signal fired, or it opened and closed once.
      expect(signals[0]!.aborted).toBe(opened === 0);
      expect(running.sockets.clients.size).toBe(0);
      await open(running);
      expect([opened - closed, signals.length]).toEqual([1, 2]);
    },
  );
});

describe('H-16 the guards of the app', () => {
  it('refuse an upgrade with their own status, body and headers', async () => {
    const guard: RequestHandler = (req, res, next) => {
      if (req.get('Authorization') === 'Bearer good') {
        next();
        return;
      }
      res.status(401).set('WWW-Authenticate', 'Bearer').json({ error: 'log in' });
    };
    const opened = jest.fn();
    const running = await start([route('/ws', opened)], {
      use: guard,
      prepare: (app) => app.use(guard),
    });
    for (const path of ['/ws', '/none']) {
      const answer = await refused(running, { path });
      expect([answer.status, answer.body]).toEqual([401, '{"error":"log in"}']);
      expect(answer.headers['www-authenticate']).toBe('Bearer');
    }
    expect(opened).not.toHaveBeenCalled();
    await open(running, { headers: { Authorization: 'Bearer good' } });
  });

  it('count upgrades', async () => {
    let left = 3;
    const limiter: RequestHandler = (_req, res, next) => {
      res.set('RateLimit-Remaining', String(--left));
      if (left >= 0) next();
      else res.set('Retry-After', '60').sendStatus(429);
    };
    const running = await start([
      route('/ws', { use: limiter, auth: () => false }, () => undefined),
    ]);
    const seen: unknown[] = [];
    for (let count = 0; count < 4; count++) {
      const { status, headers } = await refused(running);
      seen.push([status, headers['ratelimit-remaining']]);
    }
    expect(seen).toEqual([
      [403, '2'],
      [403, '1'],
      [403, '0'],
      [429, '-1'],
    ]);
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

describe('H-18 what could split an answer', () => {
  it.each<[string, RequestHandler]>([
    ['a header by middleware', (_req, res) => void res.setHeader('X', 'a\r\nSet-Cookie: b')],
    ['a name by middleware', (_req, res) => void res.setHeader('X\r\nY', 'a')],
    ['a header above Latin-1', (_req, res) => void res.setHeader('X', '\u0100')],
    ['a header by reject', () => Promise.reject(new Error('a\r\nSet-Cookie: b'))],
  ])('%s does not get on the wire', async (_what, use) => {
    const lines = catchStderr();
    const running = await start([echo, route('/use', { use }, () => undefined)]);
    const answer = await refused(running, { path: '/use' });
    expect([answer.status, answer.body]).toEqual([500, 'Internal Server Error']);
    expect(Object.keys(answer.headers)).not.toContain('set-cookie');
    expect(lines).toHaveLength(1);
    await expectAlive(running);
  });

  it('the words of an error are not the words of the status', async () => {
    catchStderr();
    const error = Object.assign(new Error('x'), { status: 404, statusMessage: 'a\r\nb: c' });
    const auth = (): Promise<never> => Promise.reject(error);
    const running = await start([route('/ws', { auth }, () => undefined)]);
    const answer = await refused(running);
    expect([answer.status, answer.statusText]).toEqual([404, 'Not Found']);
    expect(answer.headers['b']).toBeUndefined();
  });
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

describe('O-3 a refusal is the end of the connection', () => {
  const smuggled = 'GET /admin HTTP/1.1\r\nHost: localhost\r\n\r\n';

  it.each<[string, Request, number]>([
    ['a version', { headers: { 'Sec-WebSocket-Version': '777' } }, 426],
    ['a key', { headers: { 'Sec-WebSocket-Key': 'x' } }, 400],
    ['an origin', { headers: { Origin: 'https://evil.com' } }, 403],
    ['a method', { method: 'POST' }, 405],
    ['a body', { headers: { 'Content-Length': '41' } }, 400],
    ['a target', { path: '//ws' }, 400],
    ['a path', { path: '/none' }, 404],
    ['auth', { path: '/auth' }, 403],
    ['use', { path: '/use' }, 401],
  ])('%s: what follows is no request', async (_what, request, status) => {
    const { seen, prepare } = counting();
    const running = await start(
      [
        echo,
        route('/auth', { auth: async () => false }, () => undefined),
        route('/use', { use: (_req, res) => void res.sendStatus(401) }, () => undefined),
      ],
      { prepare },
    );
    const client = new Client(running.port, { allowHalfOpen: true });
    client.write(handshake(request) + smuggled);
    const answer = await client.answer();
    expect([answer.status, answer.headers.connection]).toEqual([status, 'close']);
    client.write(smuggled);
    await client.ended;
    client.write(smuggled);
    expect(client.received.toString()).toBe('');
    expect(seen.filter((line) => line.includes('admin'))).toEqual([]);
    await expectAlive(running);
  });

  it('what follows a 101 is no request either', async () => {
    const { seen, prepare } = counting();
    const running = await start([echo], { prepare });
    const client = new Client(running.port).write(handshake() + smuggled);
    expect((await client.head()).status).toBe(101);
    expect(await client.closeCode()).toBe(1002);
    await client.ended;
    expect(seen).toEqual([]);
  });
});

it('T-2 half-open upgrades above the limit are answered at once, the rest in time', async () => {
  const signals: AbortSignal[] = [];
  const auth = (_req: unknown, { signal }: AuthInfo): Promise<object> => {
    signals.push(signal);
    return new Promise(() => {});
  };
  const running = await start([echo, route('/slow', { auth }, () => undefined)], {
    maxPendingHandshakes: 100,
    handshakeTimeout: 300,
  });
  const answers = await Promise.all(
    Array.from({ length: 150 }, () => refused(running, { path: '/slow' })),
  );
  const bodies = answers.map(({ status, body }) => `${status} ${body}`).sort();
  expect(bodies).toEqual([
    ...Array<string>(100).fill('503 the handshake took too long'),
    ...Array<string>(50).fill('503 too many handshakes'),
  ]);
  expect(signals.filter(({ aborted }) => aborted)).toHaveLength(100);
  await connectionsFallTo(0, running);
  const again = await refused(running, { path: '/slow' });
  expect(again.body).toBe('the handshake took too long');
  await expectAlive(running);
});

/** Resolves when the server holds no more connections than this; what lingers has a second at most. */
async function connectionsFallTo(most: number, { server }: Running): Promise<void> {
  const count = promisify(server.getConnections.bind(server));
  while ((await count()) > most) await immediate();
}
