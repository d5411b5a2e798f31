import express from 'express';
import { createServer, IncomingMessage, type Server } from 'node:http';
import { Socket as NetSocket } from 'node:net';
import type { Duplex } from 'node:stream';
import request from 'supertest';
import { WebSocket, WebSocketServer } from 'ws';
import { attachWebSocket } from '../../lib/express/attach';
import { isWebSocketUpgrade } from '../../lib/express/gate';
import { route } from '../../lib/express/route';
import {
  after,
  Client,
  eventually,
  handshake,
  knock,
  listen,
  open,
  plain,
  refused,
  start,
} from './harness';

const h2c = {
  headers: { Upgrade: 'h2c', 'Sec-WebSocket-Key': undefined, 'Sec-WebSocket-Version': undefined },
};

/** Somebody else who listens for upgrades, and the connections that were shown to them. */
function addNeighbour(server: Server, onUpgrade?: (transport: Duplex) => void): string[] {
  const seen: string[] = [];
  server.on('upgrade', (req, transport) => {
    seen.push(req.url ?? '');
    onUpgrade?.(transport);
  });
  return seen;
}

describe('isWebSocketUpgrade', () => {
  it.each<[string | undefined, boolean]>([
    ['websocket', true],
    ['WebSocket', true],
    ['h2c, websocket', true],
    ['h2c', false],
    ['websocket/13', false],
    ['websockets', false],
    ['', false],
    [undefined, false],
  ])('says of Upgrade: %s: %s', (upgrade, expected) => {
    const req = new IncomingMessage(new NetSocket());
    if (upgrade !== undefined) req.headers.upgrade = upgrade;
    expect(isWebSocketUpgrade(req)).toBe(expected);
  });
});

describe('a plain GET', () => {
  it('on the path of a socket goes to Express, and so does its HEAD and POST', async () => {
    const running = await start([plain], {
      prepare: (app) => app.all('/ws', (req, res) => void res.send(`plain ${req.method}`)),
    });
    expect((await request(running.server).get('/ws')).text).toBe('plain GET');
    expect((await request(running.server).post('/ws')).text).toBe('plain POST');
    expect((await request(running.server).get('/other')).status).toBe(404);
  });

  it('with Upgrade but without Connection is no upgrade', async () => {
    const running = await start([plain], {
      prepare: (app) => app.get('/ws', (_req, res) => void res.send('plain')),
    });
    const client = knock(running, { headers: { Connection: 'keep-alive' } });
    expect((await client.answer()).body).toBe('plain');
  });
});

describe('§2.4.11 an upgrade that no route matches', () => {
  const prepare = (app: express.Express): void => {
    app.get(
      '/page',
      (req, res) => void res.send(`page ${req.ip ?? ''} ${JSON.stringify(req.query['a'])}`),
    );
    app.get('/old', (_req, res) => res.redirect(301, '/new'));
    app.use((_req, res) => void res.status(404).send('our 404'));
  };

  describe.each(['auto', 'app'] as const)('%s', (unmatched) => {
    it.each([
      ['/page?a=1', 200, 'page 127.0.0.1 "1"'],
      ['/old', 301, 'Moved Permanently. Redirecting to /new'],
      ['/none', 404, 'our 404'],
    ])('is answered by the app: %s', async (path, status, body) => {
      const running = await start([plain], { prepare, unmatched });
      const answer = await refused(running, { path });
      expect([answer.status, answer.body]).toEqual([status, body]);
      expect(answer.headers.connection).toBe('close');
    });
  });

  it.each(['//evil.com/other', 'http://evil.com/other', '/other#x', '/%zz', '*'])(
    'H-11 is 400 for a target that is no path: %s',
    async (path) => {
      const running = await start([plain], { prepare });
      const answer = await refused(running, { path });
      expect([answer.status, answer.body]).toEqual([400, 'malformed request target']);
    },
  );

  it('auto leaves it to a neighbour, untouched', async () => {
    const running = await start([plain], { prepare });
    const seen = addNeighbour(running.server, (transport) => {
      transport.end('HTTP/1.1 418 Theirs\r\nContent-Length: 0\r\n\r\n');
    });
    expect((await refused(running, { path: '/theirs' })).status).toBe(418);
    await open(running);
    expect(seen).toEqual(['/theirs', '/ws']);
  });

  it('app answers although there is a neighbour', async () => {
    const running = await start([plain], { prepare, unmatched: 'app' });
    addNeighbour(running.server);
    expect((await refused(running, { path: '/theirs' })).status).toBe(404);
  });

  it('ignore touches nothing, and does not reap', async () => {
    const running = await start([plain], { prepare, unmatched: 'ignore', handshakeTimeout: 1 });
    const reaping = await start([plain], { prepare, handshakeTimeout: 1 });
    const seen = addNeighbour(reaping.server);
    const left = knock(running, { path: '/other' });
    const reaped = knock(reaping, { path: '/other' });
    // When the one is reaped, the other would have been as well.
    await reaped.ended;
    left.socket.write('x');
    expect(seen).toEqual(['/other']);
    expect(left.received.length).toBe(0);
    expect(left.socket.readyState).toBe('open');
  });

  it('is answered by the first app that wants to, of several attaches', async () => {
    const server = createServer();
    const other = express();
    other.use((_req, res) => void res.send('the second'));
    attachWebSocket(express(), server, [plain], { unmatched: 'ignore' });
    attachWebSocket(other, server, [route('/b', () => undefined)]);
    const port = await listen(server);
    expect((await refused({ port }, { path: '/other' })).body).toBe('the second');
  });
});

describe('an upgrade that is left to neighbours', () => {
  it('is reaped when nobody does anything', async () => {
    const running = await start([plain], { handshakeTimeout: 50 });
    const seen = addNeighbour(running.server);
    for (const ask of [{ path: '/other' }, { ...h2c, path: '/other' }]) {
      const client = knock(running, ask);
      await client.ended;
      expect(client.received.length).toBe(0);
    }
    expect(seen).toHaveLength(2);
  });

  it.each<[string, (transport: Duplex) => void]>([
    ['reads', (transport) => transport.on('data', () => undefined)],
    ['reads in their own time', (transport) => transport.on('readable', () => undefined)],
    ['writes', (transport) => transport.write('x')],
  ])('is not when somebody %s', async (_what, onUpgrade) => {
    const running = await start([plain], { handshakeTimeout: 50 });
    let isFirst = true;
    addNeighbour(running.server, (transport) => {
      if (isFirst) onUpgrade(transport);
      isFirst = false;
    });
    const theirs = knock(running, { path: '/theirs' });
    await eventually(() => !isFirst);
    await knock(running, { path: '/nobodys' }).ended;
    expect(theirs.socket.readyState).toBe('open');
  });

  it('is forgotten when it closes', async () => {
    const running = await start([plain], { handshakeTimeout: 50 });
    addNeighbour(running.server, (transport) => transport.destroy());
    await knock(running, { path: '/other' }).ended;
    await knock(running, { path: '/other' }).ended;
  });

  it('H-14 may break without ending the process', async () => {
    const running = await start([plain], { handshakeTimeout: 50 });
    const seen = addNeighbour(running.server);
    knock(running, { path: '/other' }).reset();
    await eventually(() => seen.length <= 1);
    await open(running);
  });
});

describe('a neighbour', () => {
  it('of the ws package with a path keeps its sockets, and we keep ours', async () => {
    const running = await start([plain], { exclusive: true });
    const theirs = new WebSocketServer({ server: running.server, path: '/theirs' });
    after(() => new Promise((resolve) => theirs.close(resolve)));
    theirs.on('connection', (socket) => socket.send('theirs'));
    const client = new WebSocket(`ws://${running.host}/theirs`);
    after(() => client.terminate());
    await expect(
      new Promise((resolve) => client.once('message', (data: Buffer) => resolve(data.toString()))),
    ).resolves.toBe('theirs');
    const ours = await open(running);
    expect(ours.received.length).toBe(0);
  });

  it('without exclusive sees our upgrades as well, with it does not', async () => {
    const shared = await start([plain]);
    const exclusive = await start([plain], { exclusive: true });
    const seenShared = addNeighbour(shared.server);
    const seenExclusive = addNeighbour(exclusive.server);
    for (const running of [shared, exclusive]) {
      await open(running);
      const other = knock(running, { path: '/other' });
      knock(running, h2c);
      await eventually(() => seenExclusive.length > 0 || seenShared.length > 0);
      other.fin();
    }
    await eventually(() => seenShared.length === 3 && seenExclusive.length === 2);
    expect(seenShared).toEqual(['/ws', '/other', '/ws']);
    expect(seenExclusive).toEqual(['/other', '/ws']);
  });

  it('is kept away from the exclusive attach only, of two', async () => {
    const running = await start([plain]);
    attachWebSocket(running.app, running.server, [route('/a', () => undefined)], {
      exclusive: true,
    });
    attachWebSocket(running.app, running.server, [route('/b', () => undefined)], {
      exclusive: true,
    });
    const seen = addNeighbour(running.server);
    for (const path of ['/ws', '/a', '/b']) await open(running, { path });
    expect(seen).toEqual(['/ws']);
  });

  it('does not notice other events', async () => {
    const running = await start([plain], { exclusive: true });
    const seen = jest.fn();
    running.server.on('custom', seen);
    expect(running.server.emit('custom', 1, 2)).toBe(true);
    expect(running.server.emit('nobody')).toBe(false);
    expect(seen).toHaveBeenCalledWith(1, 2);
  });
});

describe('an upgrade on a route', () => {
  it('whose parameters cannot be decoded is 400', async () => {
    const running = await start([route(['/chat/:room', '/r/:room'], () => undefined)]);
    expect((await refused(running, { path: '/r/%zz' })).body).toBe('malformed path');
    await open(running, { path: '/r/1' });
  });
});

describe('two attaches on one server', () => {
  it('have each their routes, sockets and options', async () => {
    const running = await start([plain], { maxConnections: 1 });
    const app = express();
    const others = attachWebSocket(app, running.server, [route('/b', () => undefined)], {
      use: (req, res, next) => {
        if (req.app === app) next();
        else res.sendStatus(500);
      },
    });
    after(() => others.close());
    await open(running);
    await open(running, { path: '/b' });
    await open(running, { path: '/b' });
    expect((await refused(running)).status).toBe(503);
    expect([running.sockets.clients.size, others.clients.size]).toEqual([1, 2]);
  });

  it('serve other upgrades as plain requests', async () => {
    const running = await start([plain], {
      prepare: (app) => app.get('/ws', (_req, res) => void res.send('plain')),
    });
    attachWebSocket(express(), running.server, [route('/b', () => undefined)]);
    const client = knock(running, h2c);
    expect((await client.answer()).body).toBe('plain');
  });

  it('are closed one by one', async () => {
    const running = await start([plain]);
    const others = attachWebSocket(express(), running.server, [route('/b', () => undefined)]);
    await others.close();
    expect((await refused(running, { path: '/b' })).status).toBe(503);
    await open(running);
  });
});

describe('a Node that asks whether to upgrade (26 on)', () => {
  const { versions } = process;
  beforeEach(() => {
    Object.defineProperty(process, 'versions', { value: { ...versions, node: '26.0.0' } });
  });
  afterEach(() => {
    Object.defineProperty(process, 'versions', { value: versions });
  });

  it('serves what has a body and is no WebSocket by itself, unless a neighbour may want it', () => {
    const server = Object.assign(createServer(), { shouldUpgradeCallback: (): boolean => true });
    attachWebSocket(express(), server, [plain]);
    const ask = server.shouldUpgradeCallback as (request: unknown) => boolean;
    const upgrade = (to: string): boolean =>
      ask({ headers: { upgrade: to, 'content-length': '5' } });
    expect([upgrade('h2c'), upgrade('websocket')]).toEqual([false, true]);
    server.on('upgrade', () => undefined);
    expect(upgrade('h2c')).toBe(true);
  });
});

describe('H-1 more header fields than Node keeps', () => {
  /** As Node 20 does it; later ones answer 431 before anybody is asked (seen on 22.23). */
  function dropUpgrade(server: Server): () => void {
    const emit = server.emit.bind(server);
    server.emit = (event: string | symbol, ...args: unknown[]): boolean => {
      if (event === 'upgrade') delete (args[0] as IncomingMessage).headers.upgrade;
      return emit(event as string, ...args);
    };
    return () => void (server.emit = emit);
  }

  it.each([
    [1, 0],
    [undefined, 2100],
  ])('are refused, by Node or by us: maxHeadersCount %p', async (count, before) => {
    const running = await start([plain]);
    if (count !== undefined) running.server.maxHeadersCount = count;
    const many = Object.fromEntries(
      Array.from({ length: before }, (_, index) => [`a${index}`, '']),
    );
    const text = handshake({ headers: many });
    const [first, ...lines] = text.split('\r\n');
    const reordered = [
      first,
      'Host: localhost',
      ...lines.slice(6, -2),
      ...lines.slice(1, 6),
      '',
      '',
    ];
    const client = new Client(running.port).write(reordered.join('\r\n'));
    const answer = await client.lastAnswer();
    expect([400, 431]).toContain(answer.status);
    running.server.maxHeadersCount = null;
    await open(running);
  });

  it('are 400 when Upgrade is among the lost', async () => {
    const running = await start([plain]);
    const restore = dropUpgrade(running.server);
    const answer = await knock(running).lastAnswer();
    expect([answer.status, answer.body]).toEqual([400, 'too many header fields']);
    restore();
    await open(running);
  });

  it('are left to a neighbour, if there is one', async () => {
    const running = await start([plain], { handshakeTimeout: 50 });
    dropUpgrade(running.server);
    const seen = addNeighbour(running.server);
    await knock(running).ended;
    expect(seen).toEqual(['/ws']);
  });
});

describe('a server whose only attach has failed', () => {
  it('serves upgrades as plain requests, as before', async () => {
    const app = express();
    app.get('/ws', (_req, res) => void res.send('plain'));
    const server = createServer(app);
    const twice = [plain, route('/ws', () => undefined)];
    expect(() => attachWebSocket(app, server, twice)).toThrow('has a route on this server already');
    const port = await listen(server);
    expect((await knock({ port }, h2c).answer()).body).toBe('plain');
    expect((await knock({ port }).answer()).body).toBe('plain');
  });
});

describe('an attachment that was closed', () => {
  it('answers 503, and makes room for another one', async () => {
    const running = await start([plain]);
    await running.sockets.close();
    expect((await refused(running)).status).toBe(503);
    const opened = jest.fn();
    const again = attachWebSocket(running.app, running.server, [route('/ws', opened)], {
      exclusive: true,
    });
    after(() => again.close({ timeout: 1000 }));
    await open(running);
    expect(opened).toHaveBeenCalledTimes(1);
  });
});
