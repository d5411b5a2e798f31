import express from 'express';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:http';
import { attachWebSocket, route, type AttachOptions } from '../../lib';
import { nextMessage, openClient, refusalOf } from './support/client';
import { pageThatConnects, visit } from './support/page';
import { handshake, Peer } from './support/peer';
import { echo, listen, serve, stopAll } from './support/server';

/*
 * A page on one port opens a socket to another port of the same host. A browser lets it: there is
 * no CORS for sockets, and it sends the host's cookies along (RFC 6455 §10.2). So the server has to
 * say no, and to tell the developer where to say yes.
 */

afterEach(stopAll);

/** A server of pages alone; the page connects to what its query names. */
async function servePages(): Promise<string> {
  const app = express();
  app.get('/', (_req, res) => {
    res.send(pageThatConnects("new URLSearchParams(location.search).get('socket')"));
  });
  return `http://127.0.0.1:${await listen(createServer(app))}`;
}

describe('a page on another port of the same host', () => {
  it('is refused by default, with a 403 that names the option', async () => {
    const pages = await servePages();
    const { url, sockets } = await serve([echo]);
    const { status, body } = await refusalOf(await visit(`${pages}/?socket=${url('/echo')}`));
    expect(status).toBe(403);
    expect(body).toContain('"origins"');
    expect(sockets.clients.size).toBe(0);
  });

  type Allow = (pages: string) => AttachOptions['origins'];
  const ways: [how: string, allow: Allow][] = [
    ['a list', (pages) => [pages]],
    ['a list of several', (pages) => ['https://example.com', pages]],
    ['a function', (pages) => (origin) => origin === pages],
    ["'*'", () => '*'],
  ];

  it.each(ways)('is let in by %s, on the route', async (_how, allow) => {
    const pages = await servePages();
    const { url } = await serve([
      route('/echo', { origins: allow(pages) }, { message: (socket, data) => socket.send(data) }),
    ]);
    const socket = await visit(`${pages}/?socket=${url('/echo')}`);
    expect(await nextMessage(socket)).toBe(`hello of ${pages}`);
  });

  it.each(ways)('is let in by %s, on the attach', async (_how, allow) => {
    const pages = await servePages();
    const { url } = await serve([echo], { origins: allow(pages) });
    const socket = await visit(`${pages}/?socket=${url('/echo')}`);
    expect(await nextMessage(socket)).toBe(`hello of ${pages}`);
  });

  it("is refused by a route's own list, whatever the attach allows", async () => {
    const pages = await servePages();
    const { url } = await serve(
      [
        echo,
        route('/private', { origins: 'same-origin' }, () => undefined),
        route('/partner', { origins: ['https://example.com'] }, () => undefined),
      ],
      { origins: [pages] },
    );
    const connect = (path: string) => visit(`${pages}/?socket=${url(path)}`);
    expect(await nextMessage(await connect('/echo'))).toBe(`hello of ${pages}`);
    expect((await refusalOf(await connect('/private'))).status).toBe(403);
    expect((await refusalOf(await connect('/partner'))).status).toBe(403);
  });

  it('is refused before middleware and auth hear of it', async () => {
    const asked: string[] = [];
    const { url } = await serve([
      route(
        '/r',
        {
          use(_req, _res, next) {
            asked.push('use');
            next();
          },
          auth: () => {
            asked.push('auth');
            return {};
          },
        },
        () => undefined,
      ),
    ]);
    const pages = await servePages();
    expect((await refusalOf(await visit(`${pages}/?socket=${url('/r')}`))).status).toBe(403);
    expect(asked).toEqual([]);
    await openClient(url('/r'));
    expect(asked).toEqual(['use', 'auth']);
  });
});

describe('the origin header, as it comes', () => {
  const HOST = 'chat.test:8080';
  const LIST = ['http://chat.test:8081', 'https://example.com'];

  async function statusOf(options: AttachOptions, origin: string | undefined): Promise<number> {
    const { port } = await serve([echo], options);
    const peer = await Peer.connect(port);
    peer.write(handshake('/echo', { Host: HOST, Origin: origin }));
    return Number((await peer.readHead()).split(' ')[1]);
  }

  const origins: [origin: string | undefined, byDefault: number, byList: number][] = [
    // Not a browser.
    [undefined, 101, 101],
    ['http://chat.test:8080', 101, 101],
    // TLS may end at a proxy.
    ['https://chat.test:8080', 101, 101],
    ['http://chat.test:8081', 403, 101],
    ['https://example.com', 403, 101],
    ['http://example.com', 403, 403],
    ['https://example.com/', 403, 403],
    ['https://example.com:443', 403, 403],
    ['https://example.com.evil.test', 403, 403],
    ['https://sub.example.com', 403, 403],
    ['HTTPS://EXAMPLE.COM', 403, 403],
    ['http://chat.test', 403, 403],
    ['http://chat.test:80801', 403, 403],
    ['http://127.0.0.1:8080', 403, 403],
    ['ws://chat.test:8080', 403, 403],
    // A sandboxed frame, or a file.
    ['null', 403, 403],
    ['file://', 403, 403],
    ['', 403, 403],
  ];

  it.each(origins)('%j is answered with %i by default', async (origin, byDefault) => {
    expect(await statusOf({}, origin)).toBe(byDefault);
  });

  const listed = origins.map(([origin, , byList]) => [origin, byList] as const);

  it.each(listed)('%j is answered with %i when there is a list', async (origin, byList) => {
    expect(await statusOf({ origins: LIST }, origin)).toBe(byList);
  });

  it.each(origins)('%j is what a function decides on, alone', async (origin) => {
    const asked: unknown[] = [];
    const decide = (verdict: boolean) => (seen: string | undefined, req: IncomingMessage) => {
      asked.push([seen, req.headers.host, req.url]);
      return verdict;
    };
    expect(await statusOf({ origins: decide(true) }, origin)).toBe(101);
    expect(await statusOf({ origins: decide(false) }, origin)).toBe(403);
    expect(asked).toEqual(Array(2).fill([origin, HOST, '/echo']));
  });

  it("is what the ws client's origin option says", async () => {
    const { url } = await serve([echo], { origins: LIST });
    const client = await openClient(url('/echo'), { origin: 'https://example.com' });
    client.send('hello');
    expect(await nextMessage(client)).toBe('hello');
    const other = openClient(url('/echo'), { origin: 'https://other.example' });
    await expect(other).rejects.toThrow('403');
  });
});

describe('an origins option that could not mean what it looks like', () => {
  const wrong: [what: string, origins: unknown][] = [
    ['a pattern', /example\.com$/],
    ['a pattern in a list', [/example\.com$/]],
    ['an origin that is not in a list', 'https://example.com'],
    ['a host without a scheme', ['example.com']],
    ['a wildcard', ['https://*.example.com/']],
    ['an address with a path', ['https://example.com/chat']],
    ['true', true],
  ];

  it.each(wrong)('is refused at attach: %s', (_what, origins) => {
    const server = createServer();
    const attach = () => attachWebSocket(express(), server, [echo], { origins: origins as never });
    expect(attach).toThrow(
      expect.objectContaining({
        code: 'ERR_WS_INVALID_ARGUMENT',
        message: expect.stringContaining('origins must be'),
      }),
    );
    // Nothing was attached half way.
    expect(server.listenerCount('upgrade')).toBe(0);
  });
});
