import express, { type Express } from 'express';
import { IncomingMessage } from 'node:http';
import { Socket as NetSocket } from 'node:net';
import { describePath, Matcher } from '../../lib/express/matcher';
import { route, type Path } from '../../lib/express/route';
import { knock, open, refused, start, thrownBy } from './harness';

function match(path: Path, url: string, app: Express = express()): unknown {
  const request = Object.assign(new IncomingMessage(new NetSocket()), { url, method: 'GET' });
  const found = new Matcher(app, path).match(request);
  return found.kind === 'match' ? { ...found.params } : found.kind;
}

describe('a path', () => {
  it.each<[Path, string, unknown]>([
    ['/ws', '/ws', {}],
    ['/ws', '/ws?x=1', {}],
    ['/ws', '/ws/', {}],
    ['/ws', '/WS', {}],
    ['/ws', '/ws/x', 'miss'],
    ['/ws', '/', 'miss'],
    ['/ws', '//ws', 'miss'],
    ['/chat/:room', '/chat/a', { room: 'a' }],
    ['/chat/:room', '/chat/a%20b%2Fc', { room: 'a b/c' }],
    ['/chat/:room', '/chat/%E2%82%AC', { room: '€' }],
    ['/chat/:room', '/chat/%zz', 'error'],
    ['/chat/:room', '/chat/%ff', 'error'],
    ['/:a/:b', '/1/2', { a: '1', b: '2' }],
    ['/:constructor', '/x', { constructor: 'x' }],
    [/^\/user\/(\d+)$/, '/user/12', { 0: '12' }],
    [/^\/user\/(\d+)$/, '/user/x', 'miss'],
    [['/a', '/b/:c'], '/a', {}],
    [['/a', '/b/:c'], '/b/1', { c: '1' }],
    [['/a', /^\/r(.)$/], '/r2', { 0: '2' }],
    [['/a', '/b'], '/c', 'miss'],
  ])('%s and %s', (path, url, expected) => {
    expect(match(path, url)).toEqual(expected);
  });

  it.each([
    ['case sensitive routing', '/ws', '/WS'],
    ['strict routing', '/ws', '/ws/'],
  ])('follows the setting %s', (setting, path, url) => {
    expect(match(path, url)).toEqual({});
    expect(match(path, url, express().enable(setting))).toBe('miss');
    expect(match(path, path, express().enable(setting))).toEqual({});
  });

  it('matches whatever the method is: that is for the handshake to say', () => {
    const request = new IncomingMessage(new NetSocket());
    Object.assign(request, { url: '/ws', method: 'DELETE' });
    expect(new Matcher(express(), '/ws').match(request).kind).toBe('match');
  });

  it('starts afresh for every request', () => {
    const matcher = new Matcher(express(), '/:a');
    const look = (url: string): string => {
      const request = new IncomingMessage(new NetSocket());
      return matcher.match(Object.assign(request, { url, method: 'GET' })).kind;
    };
    expect(['/%zz', '/x/y', '/x', '/x/y', '/%zz'].map(look)).toEqual([
      'error',
      'miss',
      'match',
      'miss',
      'error',
    ]);
  });

  it.each<[Path, RegExp]>([
    ['/:(', /^Express refuses the path \/:\(: /],
    [['/a', '/:('], /^Express refuses the path \/a, \/:\(: /],
  ])('%s is refused as Express refuses it', (path, message) => {
    const error = thrownBy(() => new Matcher(express(), path));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.code).toBe('ERR_WS_INVALID_ARGUMENT');
    expect(error.message).toMatch(message);
  });
});

describe('in messages', () => {
  it.each<[Path, string]>([
    ['/a/:b', '/a/:b'],
    [/^\/x$/i, '/^\\/x$/i'],
    [['/a', /b/], '/a, /b/'],
  ])('%s reads %s', (path, text) => {
    expect(describePath(path)).toBe(text);
  });
});

describe('on a server', () => {
  it('gives the decoded parameters to the socket and to open', async () => {
    const seen: unknown[] = [];
    const running = await start([
      route('/chat/:room', (socket, req) => seen.push({ ...socket.params }, { ...req.params })),
    ]);
    await open(running, { path: '/chat/a%2Fb' });
    expect(seen).toEqual([{ room: 'a/b' }, { room: 'a/b' }]);
  });

  it('answers 400 to a path that cannot be decoded, and goes on', async () => {
    const running = await start([route('/chat/:room', () => undefined)]);
    const answer = await refused(running, { path: '/chat/%zz' });
    expect([answer.status, answer.body]).toEqual([400, 'malformed path']);
    await open(running, { path: '/chat/a' });
  });

  it('gives the socket to the first route that matches', async () => {
    const opened: string[] = [];
    const running = await start([
      route('/chat/lobby', () => opened.push('lobby')),
      route('/chat/:room', () => opened.push('room')),
    ]);
    await open(running, { path: '/chat/lobby' });
    await open(running, { path: '/chat/other' });
    expect(opened).toEqual(['lobby', 'room']);
  });

  it('finds a route among hundreds at once', async () => {
    const routes = Array.from({ length: 300 }, (_, index) => route(`/r${index}`, () => undefined));
    const running = await start(routes);
    await open(running, { path: '/r299' });
    expect((await knock(running, { path: '/r300' }).answer()).status).toBe(404);
  });
});
