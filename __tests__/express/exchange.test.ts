import type { RequestHandler } from 'express';
import session, { MemoryStore, type SessionData } from 'express-session';
import { once } from 'node:events';
import type { Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import express from 'express';
import type { Socket as NetSocket } from 'node:net';
import { duplexPair } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { attachWebSocket } from '../../lib/express/attach';
import { reject } from '../../lib/express/rejection';
import { route } from '../../lib/express/route';
import { clientFrame, hex, repeat } from '../support/bytes';
import {
  after,
  catchStderr,
  Client,
  eventually,
  gate,
  handshake,
  knock,
  listen,
  open,
  refused,
  start,
} from './harness';
import { TLS } from './tls';

declare module 'express-session' {
  interface SessionData {
    visits: number;
  }
}

/** Resolves when the server's end of the next connection is gone. */
function nextClose(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.once('connection', (socket) => socket.once('close', () => resolve()));
  });
}

const HELLO = hex('81 85 37fa213d 7f9f4d5158');

describe('what middleware puts onto the response', () => {
  it('is on the 101, Set-Cookie and all', async () => {
    const use: RequestHandler = (_req, res, next) => {
      res.cookie('a', '1').cookie('b', '2', { httpOnly: true });
      res.set('RateLimit', 'limit=10').set('Content-Security-Policy', "default-src 'self'");
      next();
    };
    const running = await start([route('/ws', { use }, () => undefined)]);
    const { upgraded } = await open(running);
    expect(upgraded.statusText).toBe('Switching Protocols');
    expect(upgraded.headers).toEqual({
      'set-cookie': ['a=1; Path=/', 'b=2; Path=/; HttpOnly'],
      ratelimit: 'limit=10',
      'content-security-policy': "default-src 'self'",
      upgrade: 'websocket',
      connection: 'Upgrade',
      'sec-websocket-accept': expect.any(String),
      date: expect.any(String),
    });
  });

  it('is not there when it does not belong on a 101', async () => {
    const use: RequestHandler = (_req, res, next) => {
      res.status(418).set({
        'Content-Length': '5',
        'Content-Type': 'text/html',
        'Transfer-Encoding': 'chunked',
        ETag: '"x"',
        Trailer: 'X-Sum',
        'Keep-Alive': 'timeout=5',
        'Sec-WebSocket-Accept': 'wrong',
        'Sec-WebSocket-Protocol': 'wrong',
        'Sec-WebSocket-Extensions': 'wrong',
        Connection: 'close',
        Upgrade: 'h2c',
      });
      next();
    };
    const running = await start([route('/ws', { use }, () => undefined)]);
    const { upgraded } = await open(running);
    expect(Object.keys(upgraded.headers).sort()).toEqual([
      'connection',
      'date',
      'sec-websocket-accept',
      'upgrade',
    ]);
    expect(upgraded.headers).toMatchObject({ connection: 'Upgrade', upgrade: 'websocket' });
  });

  it('is on a refusal as well, and the refusal wins', async () => {
    const use: RequestHandler = (_req, res, next) => {
      res.cookie('a', '1').type('html').set('X-Frame-Options', 'DENY');
      next();
    };
    const running = await start([route('/ws', { use, auth: () => false }, () => undefined)]);
    const answer = await refused(running);
    expect(answer.status).toBe(403);
    expect(answer.headers).toMatchObject({
      'set-cookie': 'a=1; Path=/',
      'x-frame-options': 'DENY',
      'content-type': 'text/plain; charset=utf-8',
    });
  });

  it('is what auth may touch too', async () => {
    const running = await start([
      route('/ws', { auth: (req) => void req.res?.cookie('late', '1') }, () => undefined),
      route(
        '/use',
        { use: (_req, _res, next) => next(), auth: (req) => void req.res?.cookie('late', '1') },
        () => undefined,
      ),
    ]);
    expect((await open(running)).upgraded.headers['set-cookie']).toBeUndefined();
    const { upgraded } = await open(running, { path: '/use' });
    expect(upgraded.headers['set-cookie']).toBe('late=1; Path=/');
  });

  it('does not stay with the request in open', async () => {
    const seen: unknown[] = [];
    const use: RequestHandler = (_req, _res, next) => next();
    const running = await start([route('/ws', { use }, (_socket, req) => seen.push(req.res))]);
    await open(running);
    expect(seen).toEqual([undefined]);
  });
});

describe('express-session', () => {
  const make = (store = new MemoryStore()) =>
    session({ secret: 'x', resave: false, saveUninitialized: true, store });

  it('sets its cookie on the 101, saves before it, and the next handshake sees it', async () => {
    const seen: unknown[] = [];
    const running = await start([
      route(
        '/ws',
        {
          use: make(),
          auth(req) {
            req.session.visits = (req.session.visits ?? 0) + 1;
            return { visits: req.session.visits };
          },
        },
        (socket, req) => seen.push([socket.context.visits, req.session.visits]),
      ),
    ]);
    const first = await open(running);
    const cookie = String(first.upgraded.headers['set-cookie']).split(';')[0]!;
    expect(cookie).toMatch(/^connect\.sid=/);
    const second = await open(running, { headers: { Cookie: cookie } });
    expect(second.upgraded.headers['set-cookie']).toBeUndefined();
    expect(seen).toEqual([
      [1, 1],
      [2, 2],
    ]);
  });

  it('shares its session with a plain request', async () => {
    const use = make();
    const running = await start(
      [route('/ws', { use, auth: (req) => req.session.visits === 7 && {} }, () => undefined)],
      {
        prepare: (app) =>
          app.get('/login', use, (req, res) => {
            req.session.visits = 7;
            res.end();
          }),
      },
    );
    const login = new Client(running.port).write('GET /login HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const cookie = String((await login.head()).headers['set-cookie']).split(';')[0]!;
    await open(running, { headers: { Cookie: cookie } });
    expect((await refused(running)).status).toBe(403);
  });

  it('that is slow to save holds the 101 back, not the bytes that come meanwhile', async () => {
    const saved = gate();
    class Slow extends MemoryStore {
      override set(sid: string, data: SessionData, done?: (error?: unknown) => void): void {
        void saved.promise.then(() => super.set(sid, data as never, done));
      }
    }
    const got: unknown[] = [];
    const use = make(new Slow());
    const touch: RequestHandler = (req, _res, next) => {
      req.session.visits = 1;
      next();
    };
    const message = (_socket: unknown, data: unknown): unknown => got.push(data);
    const running = await start([route('/ws', { use: [use, touch] }, { message })]);
    const client = knock(running).write(HELLO);
    await eventually(() => client.socket.bytesWritten > 0);
    client.write(HELLO);
    saved.resolve();
    expect((await client.head()).status).toBe(101);
    await eventually(() => got.length === 2);
    expect(got).toEqual(['Hello', 'Hello']);
  });

  it('that never saves is ended by handshakeTimeout, and by a client that leaves', async () => {
    class Stuck extends MemoryStore {
      override set(): void {}
    }
    const opened = jest.fn();
    const running = await start([
      route('/ws', { use: make(new Stuck()), handshakeTimeout: 50, maxConnections: 1 }, opened),
    ]);
    const late = knock(running);
    await late.ended;
    expect(late.received.length).toBe(0);
    const gone = knock(running);
    await eventually(() => gone.socket.bytesWritten > 0);
    gone.fin();
    await gone.ended;
    expect(opened).not.toHaveBeenCalled();
    expect(running.sockets.clients.size).toBe(0);
  });

  it('that never saves does not keep attachment.close() waiting beyond its timeout', async () => {
    class Stuck extends MemoryStore {
      override set(): void {
        stuck.resolve();
      }
    }
    const stuck = gate();
    const use = make(new Stuck());
    const running = await start([route('/ws', { use, handshakeTimeout: 2500 }, () => undefined)]);
    knock(running);
    await stuck.promise;
    const from = performance.now();
    await running.sockets.close({ timeout: 10 });
    expect(performance.now() - from).toBeLessThan(1500);
  });
});

describe('middleware that answers', () => {
  it.each<[string, RequestHandler, number, string, Record<string, string>]>([
    ['403', (_req, res) => res.status(403).send('no'), 403, 'no', { 'content-length': '2' }],
    ['JSON', (_req, res) => res.status(401).json({ a: 1 }), 401, '{"a":1}', {}],
    [
      'a redirect',
      (_req, res) => res.redirect('/login'),
      302,
      'Found. Redirecting to /login',
      { location: '/login' },
    ],
    [
      'a stream',
      (_req, res) => {
        res.status(200).write('one ');
        setImmediate(() => {
          res.write('two ');
          setImmediate(() => res.end('three'));
        });
      },
      200,
      'one two three',
      {},
    ],
    [
      'later',
      async (_req, res) => {
        await new Promise((resolve) => setImmediate(resolve));
        res.sendStatus(429);
      },
      429,
      'Too Many Requests',
      {},
    ],
  ])('%s has answered the client', async (_what, use, status, body, headers) => {
    const opened = jest.fn();
    const auth = jest.fn();
    const running = await start([route('/ws', { use, auth, maxConnections: 1 }, opened)]);
    for (let round = 0; round < 2; round++) {
      const answer = await refused(running);
      expect([answer.status, answer.body]).toEqual([status, body]);
      expect(answer.headers).toMatchObject({ connection: 'close', ...headers });
    }
    expect(auth).not.toHaveBeenCalled();
    expect(opened).not.toHaveBeenCalled();
  });

  it('with more than fits gets its drain, and the client all of it', async () => {
    const chunk = 'x'.repeat(1_000_000);
    const use: RequestHandler = async (_req, res) => {
      for (let count = 0; count < 8; count++) if (!res.write(chunk)) await once(res, 'drain');
      res.end();
    };
    const running = await start([route('/ws', { use }, () => undefined)]);
    const answer = await refused(running);
    expect([answer.status, answer.body.length]).toEqual([200, 8_000_000]);
  });

  const answering: [string, RequestHandler][] = [
    [
      'at once',
      (_req, res, next) => {
        res.status(403).send('no');
        next();
      },
    ],
    [
      'while much is still to be written',
      (_req, res, next) => {
        res.status(403).end('no'.repeat(8_000_000));
        next();
      },
    ],
    [
      'while it still writes',
      (_req, res, next) => {
        res.status(403).write('n');
        next();
        setImmediate(() => res.end('o'));
      },
    ],
  ];

  it.each(answering)('and passes on opens nothing: %s', async (_what, use) => {
    catchStderr();
    const opened = jest.fn();
    const running = await start([route('/ws', { use, handshakeTimeout: 500 }, opened)]);
    const client = knock(running);
    await eventually(() => client.received.length > 0 || client.socket.destroyed);
    await client.ended;
    expect(client.received.toString('latin1', 0, 12)).toBe('HTTP/1.1 403');
    expect(opened).not.toHaveBeenCalled();
    await eventually(() => running.sockets.clients.size === 0);
  });

  it('and passes on opens nothing over TLS, where the answer is written later', async () => {
    catchStderr();
    const opened = jest.fn();
    const app = express();
    const server = createTlsServer(TLS, app);
    const use: RequestHandler = (_req, res, next) => {
      res.status(403).send('no');
      next();
    };
    const ws = route('/ws', { use, handshakeTimeout: 500 }, opened);
    const sockets = attachWebSocket(app, server, [ws]);
    after(() => sockets.close({ timeout: 100 }));
    const port = await listen(server);
    const client = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
    after(() => client.destroy());
    client.write(handshake());
    const [first] = (await once(client, 'data')) as [Buffer];
    expect(first.toString()).toMatch(/^HTTP\/1\.1 403 /);
    await once(client, 'end');
    expect(opened).not.toHaveBeenCalled();
  });
});

describe('a response that cannot be written', () => {
  const breaking: RequestHandler = (_req, res, next) => {
    res.writeHead = () => {
      throw new Error('broken hook');
    };
    next();
  };

  it.each<[string, object]>([
    ['101', {}],
    ['a refusal by auth', { auth: () => false }],
    ['a rejection by auth', { auth: () => reject(401) }],
  ])('ends the connection at %s, and the error is told of', async (_what, options) => {
    const onError = jest.fn();
    const opened = jest.fn();
    const running = await start([route('/ws', { use: breaking, ...options }, opened)], { onError });
    const client = knock(running);
    await client.ended;
    expect(client.received.length).toBe(0);
    expect(opened).not.toHaveBeenCalled();
    expect(onError).toHaveBeenCalledWith(new Error('broken hook'), expect.anything());
  });

  it('ends the connection when the time is up', async () => {
    catchStderr();
    const use: RequestHandler = (req, res) => breaking(req, res, () => undefined);
    const running = await start([route('/ws', { use, handshakeTimeout: 50 }, () => undefined)]);
    await knock(running).ended;
  });

  it('does not keep attachment.close() from closing', async () => {
    catchStderr();
    const asked = gate();
    const use: RequestHandler = (req, res) => {
      breaking(req, res, () => undefined);
      asked.resolve();
    };
    const running = await start([route('/ws', { use }, () => undefined)]);
    const client = knock(running);
    await asked.promise;
    await running.sockets.close();
    await client.ended;
  });
});

describe('bytes that come before the 101', () => {
  it('are kept in order until there is a socket', async () => {
    const decided = gate();
    const got: unknown[] = [];
    const message = (_socket: unknown, data: unknown): unknown => got.push(data);
    const auth = jest.fn(() => decided.promise);
    const running = await start([route('/ws', { auth }, { message })]);
    const client = new Client(running.port).write(
      Buffer.concat([Buffer.from(handshake()), HELLO, HELLO.subarray(0, 3)]),
    );
    await eventually(() => auth.mock.calls.length === 1);
    client.write(HELLO.subarray(3));
    client.write(HELLO);
    await eventually(() => client.socket.bytesWritten > 180);
    decided.resolve();
    expect((await client.head()).status).toBe(101);
    client.write(clientFrame({ first: 0x81, payload: 'last' }));
    await eventually(() => got.length === 4);
    expect(got).toEqual(['Hello', 'Hello', 'Hello', 'last']);
  });

  it('stop being read when they are too many, and go on behind the 101', async () => {
    const decided = gate();
    let length = 0;
    let paused: () => boolean = () => false;
    const auth = jest.fn((req: { socket: { isPaused(): boolean } }) => {
      paused = () => req.socket.isPaused();
      return decided.promise;
    });
    const message = (_socket: unknown, data: Buffer | string): unknown => (length += data.length);
    const running = await start([route('/ws', { auth }, { message })]);
    const client = knock(running);
    await eventually(() => auth.mock.calls.length === 1);
    const frame = clientFrame({ first: 0x82, payload: Buffer.alloc(100_000) });
    for (let count = 0; count < 20; count++) client.write(frame);
    await eventually(() => paused());
    decided.resolve();
    expect((await client.head()).status).toBe(101);
    await eventually(() => length === 2_000_000);
  });

  it('stop being read when they are few, but come in many reads', async () => {
    const decided = gate();
    let transport: NetSocket | undefined;
    const auth = (req: { socket: NetSocket }): Promise<void> => {
      transport = req.socket;
      return decided.promise;
    };
    const got: unknown[] = [];
    const message = (_socket: unknown, data: unknown): unknown => got.push(data);
    const running = await start([route('/ws', { auth }, { message })]);
    const client = knock(running);
    await eventually(() => transport !== undefined);
    const bytes = repeat(HELLO, 20);
    for (const byte of bytes) {
      const before = transport!.bytesRead;
      client.write(Buffer.of(byte));
      await eventually(() => transport!.bytesRead > before || transport!.isPaused());
    }
    expect(transport!.isPaused()).toBe(true);
    decided.resolve();
    expect((await client.head()).status).toBe(101);
    await eventually(() => got.length === 20);
  });

  it('are dropped behind a refusal, and do not reset it', async () => {
    const decided = gate<false>();
    const auth = jest.fn(() => decided.promise);
    const running = await start([route('/ws', { auth }, () => undefined)]);
    const client = knock(running);
    await eventually(() => auth.mock.calls.length === 1);
    decided.resolve(false);
    client.write(Buffer.alloc(1_000_000));
    expect((await client.lastAnswer()).status).toBe(403);
    expect(client.error).toBeUndefined();
  });
});

describe('a client that was answered', () => {
  it('and does not leave is disconnected', async () => {
    const running = await start([route('/ws', { auth: () => false }, () => undefined)]);
    const closed = nextClose(running.server);
    const client = new Client(running.port, { allowHalfOpen: true }).write(handshake());
    expect((await client.answer()).status).toBe(403);
    await closed;
  });

  it('and does not read is disconnected', async () => {
    const use: RequestHandler = (_req, _res, next) => next();
    const body = 'x'.repeat(20_000_000);
    const running = await start([
      route('/ws', { use, auth: () => reject(401, body) }, () => undefined),
    ]);
    const closed = nextClose(running.server);
    const client = new Client(running.port).write(handshake());
    client.socket.pause();
    await closed;
  }, 10_000);

  it('and leaves at once is forgotten at once', async () => {
    const running = await start([route('/ws', { auth: () => false }, () => undefined)]);
    const closed = nextClose(running.server);
    const client = knock(running);
    client.reset();
    await closed;
    await open(await start([route('/ws', () => undefined)]));
  });
});

describe('a client that leaves', () => {
  it('closes request and response of the app that was answering it', async () => {
    const seen: string[] = [];
    const asked = gate();
    const running = await start([route('/ws', () => undefined)], {
      prepare: (app) =>
        app.get('/slow', (req, res) => {
          req.on('close', () => seen.push('request'));
          res.on('close', () => seen.push('response'));
          asked.resolve();
        }),
    });
    const client = knock(running, { path: '/slow' });
    await asked.promise;
    client.socket.end();
    await eventually(() => seen.length === 2);
    expect(seen.sort()).toEqual(['request', 'response']);
  });
});

describe('a response after the 101', () => {
  it('closes, and takes what is written too late without a word on the connection', async () => {
    const late: unknown[] = [];
    const closed = gate();
    const use: RequestHandler = (_req, res, next) => {
      res.on('close', () => {
        late.push(res.headersSent, res.destroyed, res.write('too late'));
        res.end('and even later');
        closed.resolve();
      });
      next();
    };
    const running = await start([
      route('/ws', { use }, { message: (socket, data) => socket.send(data) }),
    ]);
    const client = await open(running);
    await closed.promise;
    expect(late.slice(0, 2)).toEqual([true, true]);
    client.write(HELLO);
    expect(await client.frame()).toEqual({ first: 0x81, payload: Buffer.from('Hello') });
  });
});

it('a timeout of the server is for requests, not for sockets', async () => {
  const running = await start([route('/ws', { message: (socket, data) => socket.send(data) })]);
  running.server.setTimeout(30);
  const client = await open(running);
  // A connection that asks nothing shows that the time has passed.
  await new Client(running.port).ended;
  client.write(HELLO);
  expect((await client.frame()).payload.toString()).toBe('Hello');
});

it('a connection may be any stream, and has no timeout then', async () => {
  const running = await start([route('/ws', { message: (socket, data) => socket.send(data) })]);
  const [ours, theirs] = duplexPair();
  running.server.emit('connection', ours);
  const received: Buffer[] = [];
  theirs.on('data', (chunk: Buffer) => received.push(chunk));
  theirs.write(Buffer.concat([Buffer.from(handshake()), HELLO]));
  await eventually(() => Buffer.concat(received).includes(hex('0d0a0d0a 81 05 48656c6c6f')));
  theirs.destroy();
  ours.destroy();
});
