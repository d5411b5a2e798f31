import express from 'express';
import { createServer, Server } from 'node:http';
import { attachWebSocket } from '../../lib/express/attach';
import type { AttachOptions } from '../../lib/express/options';
import { route, type AnyRoute } from '../../lib/express/route';
import { after, open, start, thrownBy } from './harness';

const echo = route('/echo', () => undefined);

interface Given {
  readonly app?: unknown;
  readonly server?: unknown;
  readonly routes?: unknown;
  readonly options?: unknown;
}

/** What it throws at arguments that the types would not let through. */
function thrown(given: Given): Error & { code?: string } {
  return thrownBy(() =>
    attachWebSocket(
      ('app' in given ? given.app : express()) as never,
      ('server' in given ? given.server : createServer()) as never,
      ('routes' in given ? given.routes : [echo]) as never,
      given.options as never,
    ),
  );
}

describe('attachWebSocket', () => {
  it('gives a server WebSocket routes', async () => {
    const running = await start([echo]);
    await open(running, { path: '/echo' });
    expect(running.sockets.clients.size).toBe(1);
  });

  it('takes options as undefined', () => {
    const options: AttachOptions = {
      onError: undefined,
      exclusive: undefined,
      unmatched: undefined,
    };
    const sockets = attachWebSocket(express(), createServer(), [echo], options);
    after(() => sockets.close());
    expect(sockets.clients.size).toBe(0);
  });

  it('attaches no routes at all', () => {
    const sockets = attachWebSocket(express(), createServer(), []);
    after(() => sockets.close());
    expect([...sockets.clients]).toEqual([]);
  });

  it('adds one upgrade listener to a server, however often it is called', () => {
    const server = createServer();
    for (const path of ['/a', '/b', '/c']) {
      attachWebSocket(express(), server, [route(path, () => undefined)]);
    }
    expect(server.listenerCount('upgrade')).toBe(1);
  });

  const app = express();

  it.each<[string, Given, string]>([
    ['no app', { app: undefined }, 'the first argument must be the Express app, got undefined'],
    ['null for an app', { app: null }, 'the first argument must be the Express app, got null'],
    [
      'a server for an app',
      { app: new Server() },
      'the first argument must be the Express app, got object',
    ],
    [
      'the app as server',
      { app, server: app },
      'the second argument must be the http.Server, got an Express app: pass what createServer(app) or app.listen(…) returns',
    ],
    [
      'no server',
      { server: undefined },
      'the second argument must be the http.Server, got undefined: pass what createServer(app) or app.listen(…) returns',
    ],
    [
      'null for a server',
      { server: null },
      'the second argument must be the http.Server, got null: pass what createServer(app) or app.listen(…) returns',
    ],
    [
      'a plain object for a server',
      { server: { on() {} } },
      'the second argument must be the http.Server, got object: pass what createServer(app) or app.listen(…) returns',
    ],
    [
      'a port for a server',
      { server: 3000 },
      'the second argument must be the http.Server, got number: pass what createServer(app) or app.listen(…) returns',
    ],
    ['one route', { routes: echo }, 'routes must be an array, got object'],
    ['no routes', { routes: undefined }, 'routes must be an array, got undefined'],
    [
      'something else among the routes',
      { routes: [echo, '/b'] },
      'routes[1] must come from route() or wsRouter(), got string',
    ],
    [
      'null among the routes',
      { routes: [null] },
      'routes[0] must come from route() or wsRouter(), got null',
    ],
    [
      'a handler among the routes',
      { routes: [() => undefined] },
      'routes[0] must come from route() or wsRouter(), got function',
    ],
    [
      'something like a route',
      { routes: [{ path: '/a' }] },
      'routes[0] must come from route() or wsRouter(), got object',
    ],
    ['exclusive as a word', { options: { exclusive: 'yes' } }, 'exclusive must be true or false'],
    [
      'onError as a word',
      { options: { onError: 'ignore' } },
      'onError must be a function, got string',
    ],
  ])('refuses %s', (_what, given, message) => {
    const error = thrown(given);
    expect(error).toBeInstanceOf(TypeError);
    expect([error.code, error.message]).toEqual(['ERR_WS_INVALID_ARGUMENT', message]);
  });

  it('refuses options that are none', () => {
    const error = thrown({ options: null });
    expect(error).toBeInstanceOf(TypeError);
    expect(error.code).toBe('ERR_WS_INVALID_ARGUMENT');
  });

  it('refuses an option that it does not know, and lists what it knows', () => {
    const error = thrown({ options: { maxPayloadd: 1 } });
    expect(error).toBeInstanceOf(TypeError);
    expect(error.code).toBe('ERR_WS_INVALID_ARGUMENT');
    expect(error.message).toMatch(/^unknown option 'maxPayloadd' of attachWebSocket; known are /);
    expect(error.message).toContain('maxPayload,');
    expect(error.message).toContain('unmatched');
  });

  it('refuses a word for `unmatched` that it does not know', () => {
    const error = thrown({ options: { unmatched: 'close' } });
    expect(error).toBeInstanceOf(RangeError);
    expect([error.code, error.message]).toEqual([
      'ERR_WS_OUT_OF_RANGE',
      "unmatched must be 'auto' or 'app' or 'ignore', got 'close'",
    ]);
  });

  it('refuses a path that Express refuses, and says which', () => {
    const error = thrown({ routes: [route('/:(' as string, () => undefined)] });
    expect(error).toBeInstanceOf(TypeError);
    expect(error.code).toBe('ERR_WS_INVALID_ARGUMENT');
    expect(error.message).toMatch(/^Express refuses the path \/:\(: /);
  });

  it.each([5, 'helmet', {}, [undefined]])('refuses %j as middleware', (use) => {
    const own = thrown({ routes: [route('/ws', { use: use as never }, () => undefined)] });
    expect([own.name, own.code]).toEqual(['TypeError', 'ERR_WS_INVALID_ARGUMENT']);
    const shared = thrown({ options: { use } });
    expect([shared.name, shared.code]).toEqual(['TypeError', 'ERR_WS_INVALID_ARGUMENT']);
  });
});

describe('a path that is taken', () => {
  const plain = (path: never): AnyRoute => route(path as string, () => undefined);

  it.each<[string, unknown, unknown, string]>([
    ['the same path', '/a', '/a', '/a'],
    ['one of a list', ['/a', '/b'], '/b', '/b'],
    ['a list with one of it', '/b', ['/a', '/b'], '/b'],
    ['the same pattern', /^\/a$/, /^\/a$/, '/^\\/a$/'],
  ])('is refused in one call and in two: %s', (_what, first, second, path) => {
    const message =
      `the path ${path} has a route on this server already: a path takes one route until the ` +
      'attachment that has it is closed';
    const inOne = thrown({ routes: [plain(first as never), plain(second as never)] });
    expect([inOne.code, inOne.message]).toEqual(['ERR_WS_PATH_TAKEN', message]);

    const server = createServer();
    attachWebSocket(express(), server, [plain(first as never)]);
    const inTwo = thrown({ server, routes: [plain(second as never)] });
    expect([inTwo.code, inTwo.message]).toEqual(['ERR_WS_PATH_TAKEN', message]);
  });

  it('is free on another server', () => {
    for (let count = 0; count < 2; count++) {
      expect(() => attachWebSocket(express(), createServer(), [echo])).not.toThrow();
    }
  });

  it('leaves the routes of the call before in their place', async () => {
    const running = await start([echo]);
    const again = { server: running.server, routes: [route('/c', () => undefined), echo] };
    expect(thrown(again).code).toBe('ERR_WS_PATH_TAKEN');
    await open(running, { path: '/echo' });
  });
});

it.each<[string, Given]>([
  ['a wrong option', { options: { unmatched: 'close' } }],
  ['a limit out of range', { options: { maxPayload: NaN } }],
  ['a path that comes twice', { routes: [echo, route('/echo', () => undefined)] }],
])('a call that throws for %s leaves the server as it was', (_what, given) => {
  const server = createServer();
  thrown({ ...given, server });
  expect(server.listenerCount('upgrade')).toBe(0);
});
