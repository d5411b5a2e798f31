import type { IncomingMessage } from 'node:http';
import { Admission } from '../../lib/express/admission';
import type { Origins } from '../../lib/express/options';
import { route } from '../../lib/express/route';
import { CLOSE, eventually, knock, open, plain, refused, start, type Running } from './harness';

const HOST = 'good.com:8080';

/** What is sent as `Origin`, and who lets it in. `Host` is good.com:8080. */
const ORIGINS: readonly (readonly [what: string, origin: string | undefined, by: string])[] = [
  ['none', undefined, 'default list any'],
  ['the same', 'http://good.com:8080', 'default list any'],
  ['the same behind TLS', 'https://good.com:8080', 'default list any'],
  ['another scheme', 'ftp://good.com:8080', 'any'],
  ['another port', 'http://good.com:8081', 'any'],
  ['no port', 'http://good.com', 'any'],
  ['a sub-domain', 'http://a.good.com:8080', 'any'],
  ['null', 'null', 'any'],
  ['a longer domain', 'https://good.com:8080.evil.com', 'any'],
  ['the host as user name', 'https://good.com:8080@evil.com', 'any'],
  ['a longer name', 'https://evilgood.com:8080', 'any'],
  ['upper case', 'HTTP://GOOD.COM:8080', 'any'],
  ['a trailing dot', 'http://good.com.:8080', 'any'],
  ['a trailing slash', 'http://good.com:8080/', 'any'],
  ['a path', 'http://good.com:8080/x', 'any'],
  ['IPv6', 'http://[::1]:8080', 'any'],
  ['punycode', 'http://xn--gd-jka.com:8080', 'any'],
  ['empty', '', 'any'],
  ['only a scheme', 'http://', 'any'],
  ['a file', 'file://', 'any'],
  ['no URL at all', '%%%', 'any'],
  ['several in one', 'http://good.com:8080 http://evil.com', 'any'],
  ['a friend', 'https://friend.example', 'list any'],
  ['a friend on another port', 'https://friend.example:444', 'any'],
  ['a friend in upper case', 'https://FRIEND.example', 'any'],
  ['a longer friend', 'https://friend.example.evil.com', 'any'],
  ['a friend without TLS', 'http://friend.example', 'any'],
  ['a pattern, not a friend', 'https://friendXexample', 'any'],
];

const POLICIES: readonly (readonly [name: string, origins: Origins | undefined])[] = [
  ['default', undefined],
  ['list', ['https://friend.example']],
  ['any', '*'],
];

describe('O-1 origins', () => {
  describe.each(POLICIES)('%s', (policy, origins) => {
    it.each(ORIGINS)('%s: %j', async (_what, origin, by) => {
      const running = await start([route('/ws', { origins }, () => undefined)]);
      const answer = await knock(running, { headers: { Host: HOST, Origin: origin } }).head();
      expect(answer.status).toBe(by.split(' ').includes(policy) ? 101 : 403);
    });
  });

  describe('function', () => {
    it.each(ORIGINS)('is asked about %s: %j, and its word counts', async (_what, origin) => {
      const asked: unknown[] = [];
      const origins = (given: string | undefined, req: IncomingMessage): boolean => {
        asked.push([given, req.url]);
        return req.url === '/yes';
      };
      const running = await start([route(['/yes', '/no'], { origins }, () => undefined)]);
      const headers = { Host: HOST, Origin: origin };
      expect((await knock(running, { path: '/yes', headers }).head()).status).toBe(101);
      expect((await knock(running, { path: '/no', headers }).head()).status).toBe(403);
      expect(asked).toEqual([
        [origin, '/yes'],
        [origin, '/no'],
      ]);
    });

    it.each<[string, () => unknown, RegExp]>([
      ['a promise', async () => true, /true or false, got a promise/],
      ['nothing', () => undefined, /true or false, got undefined/],
      ['a word', () => 'no', /true or false, got 'no'/],
    ])('that returns %s lets nobody in, and says so', async (_what, origins, message) => {
      const onError = jest.fn();
      const given = { origins: origins as () => boolean };
      const running = await start([route('/ws', given, () => undefined)], { onError });
      expect((await refused(running)).status).toBe(500);
      expect((onError.mock.calls[0] as [Error])[0].message).toMatch(message);
    });

    it('that throws lets nobody in, and its error is told of', async () => {
      const onError = jest.fn();
      const wrong = new Error('no such table');
      const origins = (): boolean => {
        throw wrong;
      };
      const running = await start([route('/ws', { origins }, () => undefined)], { onError });
      expect((await refused(running)).status).toBe(500);
      expect(onError).toHaveBeenCalledWith(wrong, expect.anything());
    });
  });

  it.each(POLICIES)('%s: two Origin headers are 400', async (_name, origins) => {
    const running = await start([route('/ws', { origins }, () => undefined)]);
    const two = ['http://good.com:8080', 'http://evil.com'];
    const answer = await refused(running, { headers: { Host: HOST, Origin: two } });
    expect(answer.status).toBe(400);
  });

  it('names the option in the refusal, and not the origin', async () => {
    const running = await start([route('/ws', () => undefined)]);
    const { status, body } = await refused(running, { headers: { Origin: 'https://evil.com' } });
    expect(status).toBe(403);
    expect(body).toBe(
      'this origin may not connect: allow it with the option "origins" of the route or of attachWebSocket',
    );
  });

  it('of the attach count where the route has none, and the route wins', async () => {
    const running = await start(
      [route('/a', () => undefined), route('/b', { origins: 'same-origin' }, () => undefined)],
      { origins: ['https://friend.example'] },
    );
    const headers = { Origin: 'https://friend.example' };
    expect((await knock(running, { path: '/a', headers }).head()).status).toBe(101);
    expect((await knock(running, { path: '/b', headers }).head()).status).toBe(403);
  });
});

describe('O-2 behind a proxy', () => {
  const headers = {
    Host: 'inside:8080',
    'X-Forwarded-Host': 'good.com, inside:8080',
    Origin: 'https://good.com',
  };

  it('takes X-Forwarded-Host, the first one, under trust proxy', async () => {
    const running = await start([route('/ws', () => undefined)], {
      prepare: (app) => app.set('trust proxy', true),
    });
    expect((await knock(running, { headers }).head()).status).toBe(101);
    const inside = { ...headers, Origin: 'http://inside:8080' };
    expect((await knock(running, { headers: inside }).head()).status).toBe(403);
  });

  it('asks the setting about the address that it comes from', async () => {
    const trust = jest.fn((address: string) => address === '127.0.0.1');
    const running = await start([route('/ws', () => undefined)], {
      prepare: (app) => app.set('trust proxy', trust),
    });
    expect((await knock(running, { headers }).head()).status).toBe(101);
    expect(trust).toHaveBeenCalledWith('127.0.0.1', 0);
  });

  it.each([
    ['no trust', false],
    ['trust in another address', '10.0.0.1'],
  ])('does not take it with %s', async (_what, trust) => {
    const running = await start([route('/ws', () => undefined)], {
      prepare: (app) => app.set('trust proxy', trust),
    });
    expect((await knock(running, { headers }).head()).status).toBe(403);
    const inside = { ...headers, Origin: 'http://inside:8080' };
    expect((await knock(running, { headers: inside }).head()).status).toBe(101);
  });
});

describe('limits on connections', () => {
  it('answers 503 with Retry-After above maxConnections, and lets in again when one left', async () => {
    const running = await start([plain], { maxConnections: 2 });
    const first = await open(running);
    await open(running);
    const answer = await refused(running);
    expect([answer.status, answer.headers['retry-after'], answer.body]).toEqual([
      503,
      '10',
      'too many connections',
    ]);
    first.write(CLOSE);
    await eventually(() => running.sockets.clients.size === 1);
    await open(running);
  });

  it('answers 429 with Retry-After above maxConnectionsPerIp, by req.ip', async () => {
    const running = await start([plain], {
      maxConnectionsPerIp: 2,
      prepare: (app) => app.set('trust proxy', true),
    });
    const from = (ip: string) => ({ headers: { 'X-Forwarded-For': ip } });
    const first = await open(running, from('10.0.0.1'));
    const second = await open(running, from('10.0.0.1'));
    const answer = await refused(running, from('10.0.0.1'));
    expect([answer.status, answer.headers['retry-after'], answer.body]).toEqual([
      429,
      '10',
      'too many connections from this address',
    ]);
    await open(running, from('10.0.0.2'));
    first.reset();
    await eventually(() => running.sockets.clients.size === 2);
    await open(running, from('10.0.0.1'));
    second.reset();
    await eventually(() => running.sockets.clients.size === 2);
    await open(running, from('10.0.0.1'));
    expect((await refused(running, from('10.0.0.1'))).status).toBe(429);
  });

  it('counts a handshake that is under way, and gives its place back when it is refused', async () => {
    let decide: (context: false | object) => void = () => undefined;
    const asked = jest.fn();
    const auth = () => {
      asked();
      return new Promise<false | object>((resolve) => (decide = resolve));
    };
    const running = await start([route('/ws', { auth, maxConnections: 1 }, () => undefined)]);
    const first = knock(running);
    await eventually(() => asked.mock.calls.length === 1);
    expect((await refused(running)).status).toBe(503);
    decide(false);
    expect((await first.lastAnswer()).status).toBe(403);
    const second = knock(running);
    await eventually(() => asked.mock.calls.length === 2);
    decide({});
    expect((await second.head()).status).toBe(101);
  });

  it('counts a route for itself and all of them together', async () => {
    const routes = [
      route('/a', { maxConnections: 1 }, () => undefined),
      route('/b', () => undefined),
    ];
    const running = await start(routes, { maxConnections: 2 });
    const status = async (path: string): Promise<number> =>
      (await knock(running, { path }).head()).status;
    expect(await status('/a')).toBe(101);
    // Refused by the route: the place in the whole is given back.
    expect(await status('/a')).toBe(503);
    expect(await status('/b')).toBe(101);
    expect(await status('/b')).toBe(503);
  });

  it('takes no place for a handshake that is refused before', async () => {
    const running: Running = await start([plain], { maxConnections: 1 });
    await refused(running, { headers: { Origin: 'https://evil.com' } });
    await refused(running, { headers: { 'Sec-WebSocket-Version': '8' } });
    await open(running);
  });
});

describe('Admission', () => {
  it('holds nothing of an address that has left', () => {
    const admission = new Admission({ maxConnections: 10, maxConnectionsPerIp: 1 });
    expect(admission.countsAddresses).toBe(true);
    for (let round = 0; round < 3; round++) {
      expect(admission.enter('a')).toBeUndefined();
      expect(admission.enter('a')?.status).toBe(429);
      expect(admission.enter('b')).toBeUndefined();
      admission.leave('a');
      admission.leave('b');
    }
  });

  it('does not care for addresses without a limit on them', () => {
    const admission = new Admission({ maxConnections: 1, maxConnectionsPerIp: Infinity });
    expect(admission.countsAddresses).toBe(false);
    expect(admission.enter('a')).toBeUndefined();
    expect(admission.enter('b')?.status).toBe(503);
    admission.leave('');
    expect(admission.enter('b')).toBeUndefined();
  });
});
