import express, { type Request } from 'express';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket as NetSocket } from 'node:net';
import {
  addressOf,
  adoptRequest,
  hostOf,
  makeResponse,
  settingOf,
  type App,
} from '../../lib/express/app';
import { route } from '../../lib/express/route';
import { knock, open, start } from './harness';

const connect: App = (_req, _res, next) => next();

function message(url: string | undefined, headers: Record<string, string> = {}): IncomingMessage {
  const request = new IncomingMessage(new NetSocket());
  return Object.assign(request, { url, headers });
}

describe('a setting', () => {
  it('comes from Express', () => {
    expect(settingOf(express().set('strict routing', true), 'strict routing')).toBe(true);
    expect(settingOf(express(), 'no such')).toBeUndefined();
  });

  it('is not there with Connect', () => {
    expect(settingOf(connect, 'strict routing')).toBeUndefined();
  });
});

describe('the request', () => {
  it('is a true Express request in open', async () => {
    let seen: unknown;
    const take = (req: Request): void => {
      seen = {
        ip: req.ip,
        host: req.get('host'),
        query: req.query,
        params: req.params,
        originalUrl: req.originalUrl,
        hostname: req.hostname,
        protocol: req.protocol,
        secure: req.secure,
        path: req.path,
        baseUrl: req.baseUrl,
        isApp: req.app === running.app,
      };
    };
    const running = await start([route('/chat/:room', (_socket, req) => take(req as Request))]);
    await open(running, { path: '/chat/a%20b?x=1&y=2' });
    expect(seen).toEqual({
      ip: '127.0.0.1',
      host: 'localhost',
      query: { x: '1', y: '2' },
      params: { room: 'a b' },
      originalUrl: '/chat/a%20b?x=1&y=2',
      hostname: 'localhost',
      protocol: 'http',
      secure: false,
      path: '/chat/a%20b',
      baseUrl: '',
      isApp: true,
    });
  });

  it('honours trust proxy', async () => {
    let seen: unknown;
    const running = await start(
      [route('/ws', (_socket, req) => (seen = [req.ip, req.protocol, req.hostname]))],
      { prepare: (app) => app.set('trust proxy', true) },
    );
    const forwarded = { For: '10.0.0.9', Proto: 'https', Host: 'good.com' };
    const headers = Object.fromEntries(
      Object.entries(forwarded).map(([name, value]) => [`X-Forwarded-${name}`, value]),
    );
    await open(running, { headers });
    expect(seen).toEqual(['10.0.0.9', 'https', 'good.com']);
  });

  it('parses the query as the app is set to', async () => {
    let seen: unknown;
    const running = await start([route('/ws', (_socket, req) => (seen = req.query))], {
      prepare: (app) => app.set('query parser', (text: string) => ({ text })),
    });
    await open(running, { path: '/ws?a=1?b' });
    expect(seen).toEqual({ text: 'a=1?b' });
  });

  it.each([
    ['/ws?a=1?b', 'a=1?b'],
    ['/ws', ''],
  ])('of an app that has no getter for the query gets it parsed: %s', (url, query) => {
    const prototype = Object.create(IncomingMessage.prototype) as object;
    const old = Object.assign(((_req, _res, next) => next()) as App, {
      request: prototype,
      get: (name: string) => (name === 'query parser fn' ? (text: string) => [text] : undefined),
    });
    const req = adoptRequest(old, message(url));
    expect(Object.getPrototypeOf(req)).toBe(prototype);
    expect(req.query).toEqual([query]);
  });

  it('of Connect stays what Node made of it', () => {
    const request = message('/ws?a=1');
    expect(adoptRequest(connect, request)).toBe(request);
    expect(Object.getPrototypeOf(request)).toBe(IncomingMessage.prototype);
    expect('query' in request).toBe(false);
  });
});

describe('the response', () => {
  it('is an Express response that knows its request, and the other way round', () => {
    const app = express();
    const req = adoptRequest(app, message('/ws'));
    const res = makeResponse(app, req);
    expect(typeof res.json).toBe('function');
    expect(res.req).toBe(req);
    expect(req.res).toBe(res);
    expect(Object.getPrototypeOf(res.locals)).toBeNull();
  });

  it('inherits from what the app has responses inherit from', () => {
    const app = express();
    const other = express();
    const response: object = app.response;
    const res = [app, app, other].map((each) =>
      makeResponse(each, adoptRequest(each, message('/'))),
    );
    expect(res.map((each) => Object.prototype.isPrototypeOf.call(response, each))).toEqual([
      true,
      true,
      false,
    ]);
    expect(res.every((each) => each instanceof ServerResponse)).toBe(true);
    Object.assign(app.response, { greet: () => 'hello' });
    expect(res[0]).toHaveProperty('greet');
  });

  it('of Connect stays a ServerResponse', () => {
    const req = adoptRequest(connect, message('/ws'));
    const res = makeResponse(connect, req);
    expect(Object.getPrototypeOf(res)).toBe(ServerResponse.prototype);
  });
});

describe('the host', () => {
  const trusting = (trust: unknown): App => express().set('trust proxy', trust) as App;
  const headers = { host: 'inside', 'x-forwarded-host': 'good.com , other' };

  it.each([
    ['Connect', connect, headers, 'inside'],
    ['no trust', trusting(false), headers, 'inside'],
    ['trust', trusting(true), headers, 'good.com'],
    ['trust and no proxy', trusting(true), { host: 'inside' }, 'inside'],
    ['neither', trusting(true), {}, undefined],
  ])('with %s', (_what, app, given, expected) => {
    expect(hostOf(app, message('/ws', given as Record<string, string>))).toBe(expected);
  });
});

describe('the address', () => {
  it('is what Express says', () => {
    expect(addressOf(Object.assign(message('/ws'), { ip: '10.0.0.1' }))).toBe('10.0.0.1');
  });

  it('is the peer of the connection with Connect', async () => {
    let address = '';
    const running = await start([route('/ws', (_socket, req) => (address = addressOf(req)))], {
      handler: connect,
    });
    await open(running);
    expect(address).toBe('127.0.0.1');
  });

  it('is empty when the connection has gone', () => {
    expect(addressOf(message('/ws'))).toBe('');
  });
});

describe('a Connect handler instead of an app', () => {
  it('has its sockets', async () => {
    const running = await start([route('/ws', { maxConnectionsPerIp: 1 }, () => undefined)], {
      handler: connect,
    });
    await open(running);
    expect((await knock(running).answer()).status).toBe(429);
  });

  it.each<[string, App, number, string]>([
    ['answers', (_req, res) => res.end('hello'), 200, 'hello'],
    ['passes on', connect, 404, 'Not Found'],
    [
      'passes an error on',
      (_req, _res, next) => next(new Error('x')),
      500,
      'Internal Server Error',
    ],
    [
      'throws',
      () => {
        throw new Error('secret');
      },
      500,
      'Internal Server Error',
    ],
    ['rejects', async () => Promise.reject(new Error('secret')), 500, 'Internal Server Error'],
  ])('that %s has answered what no route matches', async (_what, handler, status, body) => {
    const running = await start([], { handler });
    const answer = await knock(running, { path: '/other' }).lastAnswer();
    expect([answer.status, answer.body]).toEqual([status, body]);
    expect(answer.headers.connection).toBe('close');
  });

  it('that throws after half an answer breaks it off', async () => {
    const handler: App = (_req, res) => {
      res.writeHead(200, { 'Content-Length': '10' });
      res.write('half');
      throw new Error('x');
    };
    const running = await start([], { handler });
    const client = knock(running, { path: '/other' });
    await client.ended;
    expect(client.received.toString()).not.toContain('500');
  });
});

describe('an app that is asked for what no route matches', () => {
  it('answers with its own 404 page', async () => {
    const running = await start([], {
      prepare: (app) => app.use((_req, res) => res.status(404).send('our own page')),
    });
    const answer = await knock(running, { path: '/other' }).lastAnswer();
    expect([answer.status, answer.body]).toEqual([404, 'our own page']);
  });

  it("answers with Express' 404, and 500 when its code throws", async () => {
    const running = await start([], {
      prepare: (app) =>
        app.set('env', 'test').get('/bad', () => {
          throw new Error('x');
        }),
    });
    const missing = await knock(running, { path: '/other' }).lastAnswer();
    expect([missing.status, missing.body]).toEqual([
      404,
      expect.stringContaining('Cannot GET /other'),
    ]);
    expect((await knock(running, { path: '/bad' }).lastAnswer()).status).toBe(500);
  });
});
