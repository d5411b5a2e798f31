import { once } from 'node:events';
import * as http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { AttachOptions } from '../../lib';
import { handshake, Peer } from '../scenarios/support/peer';
import { afterTest, stopAll } from '../scenarios/support/server';
import { itDefends, serveOn, whole, without, type Lib } from './children/control-support';

afterEach(stopAll);

const HOST = 'good.com:8080';

/** The status of a handshake with these headers. */
async function statusOf(
  port: number,
  headers: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const peer = await Peer.connect(port);
  peer.write(handshake('/w', headers));
  return Number((await peer.readHead()).split(' ')[1]);
}

/** Which of these origins are let in. */
const letIn =
  (origins: readonly string[], options: AttachOptions = {}, trust?: unknown) =>
  async (lib: Lib): Promise<string[]> => {
    const { port } = await serveOn(lib, [lib.route('/w', () => undefined)], {
      ...options,
      prepare: (app) => trust === undefined || app.set('trust proxy', trust),
    });
    const passed: string[] = [];
    for (const Origin of origins) {
      const status = await statusOf(port, { Host: HOST, Origin, 'X-Forwarded-Host': 'evil.com' });
      if (status === 101) passed.push(Origin);
    }
    return passed;
  };

/** Pages that are not of http(s)://good.com:8080, although they look like it. */
const STRANGERS = [
  'null',
  'ftp://good.com:8080',
  'http://good.com:8081',
  'http://good.com',
  'http://a.good.com:8080',
  'https://good.com:8080.evil.com',
  'https://good.com:8080@evil.com',
  'https://evilgood.com:8080',
  'HTTP://GOOD.COM:8080',
  'http://good.com.:8080',
  'http://good.com:8080/',
  'http://[::1]:8080',
  'http://xn--gd-jka.com:8080',
  'file://',
  '',
  'http://evil.com',
];

describe('O-1 pages of other origins', () => {
  const table: [what: string, from: string, to: string, breaks: string[]][] = [
    [
      'compared at all',
      'return isAllowed(app, request, origins, origin)',
      'return true',
      STRANGERS,
    ],
    [
      'compared to their end',
      'origin === `https://${host}`',
      "origin.startsWith('https://' + host)",
      ['https://good.com:8080.evil.com', 'https://good.com:8080@evil.com'],
    ],
    [
      'compared from their start',
      'origin === `https://${host}`',
      'origin.endsWith(host)',
      ['ftp://good.com:8080', 'http://a.good.com:8080', 'https://evilgood.com:8080'],
    ],
    [
      'compared with their port',
      'origin === `https://${host}`',
      "origin === `http://${host.split(':')[0]}`",
      ['http://good.com'],
    ],
    [
      'compared in their case',
      'origin === `https://${host}`',
      'origin.toLowerCase() === `http://${host}`',
      ['HTTP://GOOD.COM:8080'],
    ],
    [
      'not taken for no page when they are null or empty',
      'if (origin === undefined ||',
      "if (origin === undefined || origin === 'null' || origin === '' ||",
      ['null', ''],
    ],
  ];

  describe.each(table)('are %s', (_what, from, to, breaks) => {
    itDefends('nobody is let in who only looks like a page of ours', {
      attack: letIn(STRANGERS),
      holds: [],
      without: without(['express/admission.ts', from, to]),
      breaks,
    });
  });

  itDefends('a list lets in whom it names, to the letter', {
    attack: letIn(
      [
        'https://friend.example',
        'https://friend.example.evil.com',
        'https://evilfriend.example',
        'http://friend.example',
        'https://FRIEND.example',
        'https://friendXexample',
        'null',
      ],
      { origins: ['https://friend.example'] },
    ),
    holds: ['https://friend.example'],
    without: without([
      'express/admission.ts',
      'origins.includes(origin)',
      'origins.some((each) => new RegExp(each).test(origin))',
    ]),
    breaks: ['https://friend.example', 'https://friend.example.evil.com', 'https://friendXexample'],
  });

  itDefends('a function that only promises lets nobody in', {
    attack: letIn(['http://good.com:8080', 'http://evil.com'], {
      origins: (() => Promise.resolve(false)) as never,
      onError: () => undefined,
    }),
    holds: [],
    without: without([
      'express/admission.ts',
      "if (typeof verdict === 'boolean') return verdict;",
      'return Boolean(verdict);',
    ]),
    breaks: ['http://good.com:8080', 'http://evil.com'],
  });
});

describe('O-2 a host that the client names itself', () => {
  itDefends('counts only where a proxy is trusted', {
    attack: letIn(['http://evil.com', 'http://good.com:8080']),
    holds: ['http://good.com:8080'],
    without: without(['express/app.ts', 'trust?.(req.socket.remoteAddress, 0) === true', 'true']),
    breaks: ['http://evil.com'],
  });

  itDefends('counts only where this proxy is trusted', {
    attack: letIn(['http://evil.com', 'http://good.com:8080'], {}, '10.0.0.1'),
    holds: ['http://good.com:8080'],
    without: without([
      'express/app.ts',
      'trust?.(req.socket.remoteAddress, 0) === true',
      'trust !== undefined',
    ]),
    breaks: ['http://evil.com'],
  });

  itDefends('is not named by the request target', {
    async attack(lib) {
      const { port } = await serveOn(lib, [lib.route(/./, () => undefined)]);
      const statuses: number[] = [];
      for (const target of ['//evil.com/w', 'http://evil.com/w', '/@evil.com']) {
        const peer = await Peer.connect(port);
        peer.write(handshake(target, { Host: HOST, Origin: 'http://evil.com' }));
        statuses.push(Number((await peer.readHead()).split(' ')[1]));
      }
      return statuses;
    },
    holds: [400, 400, 403],
    without: without(
      [
        'protocol/handshake.ts',
        "if (target?.[0] !== '/' || target[1] === '/' || target.includes('#')) return false;",
        '',
      ],
      [
        'express/admission.ts',
        'const host = hostOf(app, request);',
        'const { host } = new URL(request.url, `http://${hostOf(app, request)}`);',
      ],
    ),
    breaks: [101, 101, 403],
  });
});

describe('O-3 a refused upgrade with another request behind it', () => {
  const smuggled = 'GET /admin HTTP/1.1\r\nHost: localhost\r\n\r\n';

  /** What the app sees besides, and whether the connection ends. */
  async function smuggle(lib: Lib, patience: () => Promise<void>): Promise<unknown> {
    const seen: string[] = [];
    const { port } = await serveOn(lib, [lib.route('/w', () => undefined)], {
      prepare: (app) =>
        app.use((req, res) => {
          seen.push(req.url);
          res.send('secret');
        }),
    });
    const peer = await Peer.connect(port);
    peer.write(handshake('/w', { 'Sec-WebSocket-Version': '777' }) + smuggled);
    const { status, head } = await peer.readAnswer();
    peer.write(smuggled);
    const end = await Promise.race([peer.readToEnd().then(String), patience()]);
    return { status, closes: /connection: close/i.test(head), end, seen };
  }

  itDefends('is answered, and that is the end of the connection', {
    attack: smuggle,
    holds: { status: 426, closes: true, end: '', seen: [] },
    without: without([
      'express/exchange.ts',
      'transport.resume();\n    transport.end();',
      'transport.resume();',
    ]),
    // Until it is destroyed, without ever having been told to end.
    breaks: { status: 426, closes: true, end: undefined, seen: [] },
  });

  itDefends('does not get through by a connection that goes on', {
    attack: smuggle,
    holds: { status: 426, closes: true, end: '', seen: [] },
    // As a server does that goes on with the connection as if there had been no upgrade.
    without: without(
      [
        'express/answer.ts',
        "response.setHeader('Connection', 'close');",
        "response.setHeader('Connection', 'keep-alive');",
      ],
      [
        'express/exchange.ts',
        'clock.set(this, LINGER_MS);',
        "transport.unshift(this.#early?.join() ?? this.#head); this.request.socket.server.emit('connection', transport); return;",
      ],
    ),
    breaks: { status: 426, closes: false, end: undefined, seen: ['/admin', '/admin'] },
  });
});

describe('O-4 WebSockets over HTTP/2 (RFC 8441)', () => {
  const REQUEST = { ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/w' };

  /** The status that an extended CONNECT gets. */
  async function ask(server: http2.Http2Server): Promise<number | string> {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    afterTest(() => server.close());
    const client = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    afterTest(() => client.destroy());
    const [settings] = (await once(client, 'remoteSettings')) as [http2.Settings];
    if (settings.enableConnectProtocol !== true) return 'not offered';
    const stream = client.request(REQUEST);
    const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
    return Number(headers[':status']);
  }

  it('are not offered, and not served where the server offers them by itself', async () => {
    const opened = jest.fn();
    for (const settings of [{}, { enableConnectProtocol: true }]) {
      const server = http2.createServer({ settings }, () => undefined);
      whole.attachWebSocket(() => undefined, server as never, [whole.route('/w', opened)]);
      expect(await ask(server)).toBe('enableConnectProtocol' in settings ? 405 : 'not offered');
    }
    expect(opened).not.toHaveBeenCalled();
  });

  it('would be served by a server that does so', async () => {
    const server = http2.createServer({ settings: { enableConnectProtocol: true } });
    server.on('stream', (stream) => stream.respond({ ':status': 200 }));
    expect(await ask(server)).toBe(200);
  });
});
