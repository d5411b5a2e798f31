import { WebSocketServer } from 'ws';
import { hex } from '../support/bytes';
import { Child } from '../scenarios/support/child';
import { Peer } from '../scenarios/support/peer';
import { deferred, stopAll } from '../scenarios/support/server';
import { handshake, type Request } from '../express/harness';
import { rows, type Row } from './children/control-rows';
import {
  buildWithout,
  isEchoing,
  itDefends,
  serveOn,
  settle,
  without,
  type Cut,
  type Lib,
  type Patience,
} from './children/control-support';

/* What the other tests of the handshake assert, here with the proof that it is a defence which makes it so. */

afterEach(stopAll);

/** The statuses that these requests get, one connection each; 0 where there is no answer. */
async function knockAll(
  port: number,
  requests: readonly Request[],
  patience: Patience,
): Promise<number[]> {
  const statuses: number[] = [];
  for (const request of requests) {
    const peer = await Peer.connect(port);
    peer.write(Buffer.from(handshake(request), 'latin1'));
    const status = peer.readHead().then((head) => Number(head.split(' ')[1]));
    statuses.push(await Promise.race([status, patience().then(() => 0)]));
  }
  return statuses;
}

/** The statuses, and how many exceptions would have ended the process. */
const statusesOf =
  ({ requests, path = '/ws', prepare }: Row) =>
  async (lib: Lib, patience: Patience): Promise<{ statuses: number[]; crashes: number }> => {
    const { port, crashes } = await serveOn(lib, [lib.route(path, () => undefined)], {
      prepare: (_app, server) => prepare?.(server),
    });
    const statuses = await knockAll(port, requests, patience);
    return { statuses, crashes: crashes.length };
  };

describe.each(rows)('$what', (row) => {
  const { holds, breaks, cut, crashes = 0 } = row;
  itDefends('is answered, and throws nothing', {
    attack: statusesOf(row),
    holds: { statuses: [...holds], crashes: 0 },
    without: without(cut),
    breaks: { statuses: [...breaks], crashes },
  });
});

describe('H-2, H-3 header values that make a parser go back', () => {
  type Parsers = typeof import('../../lib/protocol/header');
  const load = (...cuts: readonly Cut[]): Parsers =>
    jest.requireActual<Parsers>(buildWithout(...cuts).replace(/index\.js$/, 'protocol/header.js'));

  /** How many times longer it takes with a longer value; the best of several, for others are at work. */
  function growth(parse: (value: string) => unknown, short: string, long: string): number {
    return (
      best(() => parse(long)) /
      Math.max(
        best(() => parse(short)),
        0.001,
      )
    );
  }

  function best(run: () => unknown): number {
    const times = Array.from({ length: 20 }, () => {
      const begun = performance.now();
      run();
      return performance.now() - begun;
    });
    return Math.min(...times);
  }

  const spaces = (count: number): string => `b${' '.repeat(count)}x`;
  const quoted = (count: number): string => `a; b="${'\\c'.repeat(count)}`;

  it('H-2 spaces in a list: time grows with the length', () => {
    const { parseTokenList } = load();
    expect(parseTokenList(spaces(15_000))).toBeUndefined();
    // Four times the length: four times as long, or sixteen times.
    expect(growth(parseTokenList, spaces(4000), spaces(16_000))).toBeLessThan(10);
  });

  it('H-2 with a regular expression it grows with the square', () => {
    const { parseTokenList } = load([
      'protocol/header.ts',
      'const scanner = new Scanner(value);\n  const tokens',
      'return value.split(/ *, */);\n  const tokens',
    ]);
    expect(growth(parseTokenList, spaces(1500), spaces(6000))).toBeGreaterThan(10);
  });

  it('H-3 backslashes in an open quote: time grows with the length', () => {
    const { parseExtensions } = load();
    expect(parseExtensions(quoted(8000))).toBeUndefined();
    expect(growth(parseExtensions, quoted(10), quoted(20))).toBeLessThan(50);
  });

  it('H-3 with a regular expression it doubles with each', () => {
    const { parseExtensions } = load([
      'protocol/header.ts',
      "if (this.#text[this.#at] !== '\"') return this.token();",
      'if (!/"((?:\\\\[\\x00-\\x7f]|[^\\x00-\\x08\\x0a-\\x1f\\x7f"])*)"/.test(this.#text)) return undefined;',
    ]);
    expect(growth(parseExtensions, quoted(10), quoted(20))).toBeGreaterThan(50);
  });
});

describe('H-4 names that every object has', () => {
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf'];

  itDefends('are counted as addresses like others', {
    async attack(lib) {
      const { port } = await serveOn(lib, [lib.route('/ws', () => undefined)], {
        maxConnectionsPerIp: 1,
        prepare: (app) => app.set('trust proxy', true),
      });
      const twice = names.flatMap((name) => [name, name]);
      const requests = twice.map((name) => ({ headers: { 'X-Forwarded-For': name } }));
      return knockAll(port, requests, () => new Promise(() => undefined));
    },
    holds: names.flatMap(() => [101, 429]),
    without: without([
      'express/admission.ts',
      'new Map<string, number>()',
      'Object.assign(Object.create({ of: {} }), { get(k) { return this.of[k]; }, set(k, v) { this.of[k] = v; }, delete(k) { delete this.of[k]; } })',
    ]),
    breaks: names.flatMap(() => [101, 101]),
  });
});

describe('H-5 a field named __proto__', () => {
  itDefends('is not looked for where Node throws', {
    async attack(lib) {
      let isRead = false;
      const { port } = await serveOn(lib, [lib.route('/ws', () => undefined)], {
        prepare: (_app, server) =>
          server.prependListener('upgrade', (req) => {
            for (const name of ['headersDistinct', 'trailersDistinct']) {
              Object.defineProperty(req, name, { get: () => (isRead = true) });
            }
          }),
      });
      const peer = await Peer.connect(port);
      peer.write(handshake().replace('\r\n', '\r\n__proto__: x\r\n'));
      const head = await peer.readHead();
      return [head.split(' ')[1], isRead];
    },
    holds: ['101', false],
    without: without([
      'express/gate.ts',
      'return asksForWebSocket(request.headers.upgrade);',
      'return request.headersDistinct !== undefined && asksForWebSocket(request.headers.upgrade);',
    ]),
    breaks: ['101', true],
  });
});

describe('H-13 an upgrade behind a request that was not answered', () => {
  itDefends('waits for that answer', {
    async attack(lib) {
      const asked = deferred<{ send: (body: string) => unknown }>();
      const echo = lib.route('/echo', { message: (socket, data) => void socket.send(data) });
      const { port } = await serveOn(lib, [lib.route('/ws', () => undefined), echo], {
        prepare: (app) => app.get('/slow', (_req, res) => asked.resolve(res)),
      });
      const peer = await Peer.connect(port);
      peer.write(`GET /slow HTTP/1.1\r\nHost: a\r\n\r\n${handshake()}`);
      const res = await asked.promise;
      await isEchoing(port);
      res.send('late');
      return (await peer.readHead()).split(' ')[1];
    },
    holds: '200',
    without: without(['express/gate.ts', 'if (earlier === undefined)', 'if (true)']),
    breaks: '101',
  });
});

describe('H-14 upgrades that nobody takes', () => {
  /** A process with a neighbour that does nothing; what it does after these and their resets. */
  async function foreign(build?: string): Promise<number | null> {
    const script = '../../security/children/control-foreign.mjs';
    const child = new Child(script, build === undefined ? [] : [build]);
    child.process.stdin?.on('error', () => undefined);
    const port = await child.says<number>('port');
    const leave = async (path: string): Promise<void> => {
      const peer = await Peer.connect(port);
      peer.write(handshake({ path }));
      await child.says(path);
      peer.reset();
      await isEchoing(port);
    };
    // Without the defence, there is nobody to connect to any more.
    await leave('/foreign')
      .then(() => leave('/auth'))
      .catch(() => undefined);
    child.tell('stop');
    return (await child.ended).code;
  }

  it('and H-15 handshakes that wait for auth do not end the process by a reset', async () => {
    expect(await foreign()).toBe(0);
  });

  it('and H-15 do so where nobody listens for errors from the first line on', async () => {
    const deaf = buildWithout([
      'express/gate.ts',
      "arrival.transport.on('error', ignoreError);",
      '',
    ]);
    expect(await foreign(deaf)).not.toBe(0);
  });

  itDefends('are ended after a while', {
    async attack(lib, patience) {
      const { port } = await serveOn(lib, [lib.route('/ws', () => undefined)], {
        handshakeTimeout: 100,
        prepare: (_app, server) => server.on('upgrade', () => undefined),
      });
      const peer = await Peer.connect(port);
      peer.write(handshake({ path: '/foreign' }));
      return Promise.race([peer.readToEnd().then(() => 'ended'), patience()]);
    },
    holds: 'ended',
    without: without([
      'express/gate.ts',
      'new Reaper(transport, request.socket, this.#reapAfter());',
      '',
    ]),
    breaks: undefined,
  });
});

describe('H-15 a client that leaves while auth is under way', () => {
  itDefends('is told of by the signal', {
    async attack(lib, patience) {
      const aborted = deferred<string>();
      const asked = deferred();
      const auth = (_req: unknown, { signal }: { signal: AbortSignal }): Promise<object> => {
        signal.addEventListener('abort', () => aborted.resolve('aborted'));
        asked.resolve();
        return new Promise(() => undefined);
      };
      const { port } = await serveOn(lib, [lib.route('/ws', { auth }, () => undefined)]);
      const peer = await Peer.connect(port);
      peer.write(handshake());
      await asked.promise;
      peer.reset();
      return Promise.race([aborted.promise, patience()]);
    },
    holds: 'aborted',
    without: without(['express/upgrade.ts', 'this.#abort?.abort();', '']),
    breaks: undefined,
  });
});

describe('H-16, H-18, T-EXP-1 and T-EXP-2: what the app and its middleware say', () => {
  const rejecting = (lib: Lib): ReturnType<Lib['route']> =>
    lib.route(
      '/ws',
      { use: (_req, res) => void res.status(401).json({ error: 'log in' }) },
      () => undefined,
    );

  itDefends('H-16 middleware that refuses has refused', {
    async attack(lib) {
      const { port } = await serveOn(lib, [rejecting(lib)]);
      const peer = await Peer.connect(port);
      peer.write(handshake());
      return (await peer.readAnswer()).status;
    },
    holds: 401,
    without: without([
      'express/mount.ts',
      'if (handlers.length === 0) return undefined;',
      'return undefined;',
    ]),
    breaks: 101,
  });

  itDefends('H-18 reject takes no header that could split the answer', {
    attack: async (lib) =>
      ['a\r\nSet-Cookie: b', 'a\0', '\u0100'].map((value) => {
        try {
          lib.reject(401, 'no', { 'X-Why': value });
          return 'taken';
        } catch (error) {
          return (error as { code?: string }).code;
        }
      }),
    holds: Array<string>(3).fill('ERR_INVALID_CHAR'),
    without: without(['express/rejection.ts', 'validateHeaderValue(name, value);', '']),
    breaks: Array<string>(3).fill('taken'),
  });

  itDefends('H-18 a subprotocol is one that was offered, or there is no socket', {
    async attack(lib) {
      const { port } = await serveOn(lib, [
        lib.route('/ws', { protocols: ['ours'] }, () => undefined),
      ]);
      const peer = await Peer.connect(port);
      peer.write(handshake({ headers: { 'Sec-WebSocket-Protocol': 'theirs' } }));
      const head = await peer.readHead();
      return [head.split(' ')[1], head.includes('ours\r\n')];
    },
    holds: ['400', false],
    without: without([
      'protocol/handshake.ts',
      'supported.find((protocol) => offered.includes(protocol))',
      'supported[0]',
    ]),
    breaks: ['101', true],
  });

  itDefends('T-EXP-1 a path without a route is answered by the app', {
    async attack(lib, patience) {
      const { port } = await serveOn(lib, [lib.route('/ws', () => undefined)], {
        prepare: (app) => app.use((_req, res) => void res.status(404).send('the app')),
      });
      const peer = await Peer.connect(port);
      peer.write(handshake({ path: '/none' }));
      const answer = peer.readAnswer().then(({ status, body }) => `${status} ${body}`);
      return Promise.race([answer, patience()]);
    },
    holds: '404 the app',
    without: without([
      'express/gate.ts',
      'this.#claimant(arrival.request) ?? this.#whoAnswers()',
      'undefined',
    ]),
    breaks: undefined,
  });

  itDefends('T-EXP-2 middleware that never decides is a 503', {
    async attack(lib, patience) {
      const use = (): void => undefined;
      const { port } = await serveOn(lib, [lib.route('/ws', { use }, () => undefined)], {
        handshakeTimeout: 100,
      });
      const peer = await Peer.connect(port);
      peer.write(handshake());
      const answer = peer.readAnswer().then(({ status, body }) => `${status} ${body}`);
      return Promise.race([answer, patience()]);
    },
    holds: '503 the handshake took too long',
    without: without([
      'express/exchange.ts',
      'clock.set(this, ms - (now - this.#waitingSince));',
      '',
    ]),
    breaks: undefined,
  });

  itDefends('T-EXP-3 the sockets of a neighbour are untouched', {
    async attack(lib) {
      const echo = lib.route('/echo', { message: (socket, data) => void socket.send(data) });
      const { port } = await serveOn(lib, [echo], {
        prepare(_app, server) {
          const neighbour = new WebSocketServer({ noServer: true });
          server.on('upgrade', (req, transport, head) => {
            if (req.url !== '/theirs') return;
            neighbour.handleUpgrade(req, transport, head, (socket) => {
              socket.on('message', () => socket.send('theirs'));
            });
          });
        },
      });
      const peer = await Peer.connect(port);
      peer.write(handshake({ path: '/theirs' }));
      const head = await peer.readHead();
      await settle(port);
      peer.write(hex('81 85 37fa213d 7f9f4d5158'));
      const { first } = await peer.readFrame();
      return [head.split(' ')[1], first];
    },
    holds: ['101', 0x81],
    without: without([
      'express/gate.ts',
      "return this.#server.listenerCount('upgrade') > 1;",
      'return false;',
    ]),
    // Our answer is in the middle of their frames: 0x48 is the H of HTTP.
    breaks: ['101', 0x48],
  });
});
