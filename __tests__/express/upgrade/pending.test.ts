import type { RequestHandler } from 'express';
import { route, type AuthInfo } from '../../../lib/express/route';
import { CloseCode } from '../../../lib/protocol/close';
import { clientFrame } from '../../support/bytes';
import { eventually, gate, knock, open, refused, start, type Client } from '../harness';

describe('§2.4.7 a client that leaves during auth', () => {
  const leaving: [string, (client: Client) => Client][] = [
    ['RST', (client) => client.reset()],
    ['FIN', (client) => client.fin()],
  ];

  it.each(leaving)(
    '%s aborts the signal, opens nothing and frees its place',
    async (_what, leave) => {
      let info: AuthInfo | undefined;
      const decided = gate<object>();
      const opened = jest.fn();
      const auth = jest.fn((_req: unknown, given: AuthInfo) => {
        info = given;
        return decided.promise;
      });
      const running = await start([route('/ws', { auth, maxConnections: 1 }, opened)], {
        maxPendingHandshakes: 1,
      });
      const client = knock(running);
      await eventually(() => auth.mock.calls.length === 1);
      const aborted = new Promise((resolve) => info?.signal.addEventListener('abort', resolve));
      leave(client);
      await aborted;
      decided.resolve({});
      await client.ended;
      expect(client.received.length).toBe(0);
      expect(opened).not.toHaveBeenCalled();
      expect(running.sockets.clients.size).toBe(0);
      // The place is free, among the connections and among the handshakes.
      await open(running);
      expect(opened).toHaveBeenCalledTimes(1);
    },
  );

  it.each(leaving)('%s and then an error is told of, and answered to nobody', async (_w, leave) => {
    const onError = jest.fn();
    const failed = gate<never>();
    let signal: AbortSignal | undefined;
    const auth = (_req: unknown, info: AuthInfo): Promise<never> => {
      ({ signal } = info);
      return failed.promise;
    };
    const running = await start([route('/ws', { auth }, () => undefined)], { onError });
    const client = knock(running);
    await eventually(() => signal !== undefined);
    leave(client);
    await eventually(() => signal?.aborted === true);
    failed.reject(new Error('too late'));
    await eventually(() => onError.mock.calls.length === 1);
  });

  it.each(leaving)('%s during use goes no further', async (_what, leave) => {
    let next: () => void = () => undefined;
    const use = jest.fn<void, Parameters<RequestHandler>>((_req, _res, given) => {
      next = given;
    });
    const auth = jest.fn();
    const opened = jest.fn();
    const running = await start([route('/ws', { use, auth, maxConnections: 1 }, opened)]);
    const client = knock(running);
    await eventually(() => use.mock.calls.length === 1);
    const [req] = use.mock.calls[0]!;
    const gone = new Promise((resolve) => req.socket.once('close', resolve));
    leave(client);
    await gone;
    next();
    const again = knock(running);
    await eventually(() => use.mock.calls.length === 2);
    next();
    expect((await again.head()).status).toBe(101);
    expect(auth).toHaveBeenCalledTimes(1);
    expect(opened).toHaveBeenCalledTimes(1);
  });

  it.each(leaving)('%s before anything was decided at all', async (_what, leave) => {
    const opened = jest.fn();
    const running = await start([route('/ws', { auth: () => ({}), maxConnections: 1 }, opened)]);
    for (let round = 0; round < 5; round++) leave(knock(running));
    await eventually(() => running.sockets.clients.size === 0);
    let status = 0;
    while (status !== 101) ({ status } = await knock(running).head());
  });
});

describe('§2.4.7 handshakeTimeout', () => {
  it('answers 503 and aborts the signal', async () => {
    let signal: AbortSignal | undefined;
    const late = gate<object>();
    const opened = jest.fn();
    const auth = (_req: unknown, info: AuthInfo): Promise<object> => {
      ({ signal } = info);
      return late.promise;
    };
    const running = await start([
      route('/ws', { auth, handshakeTimeout: 50, maxConnections: 1 }, opened),
    ]);
    const answer = await refused(running);
    expect([answer.status, answer.body]).toEqual([503, 'the handshake took too long']);
    expect(signal?.aborted).toBe(true);
    late.resolve({});
    await eventually(() => running.sockets.clients.size === 0);
    expect(opened).not.toHaveBeenCalled();
  });

  it('counts use as well', async () => {
    const running = await start([
      route('/ws', { use: () => undefined, handshakeTimeout: 50 }, () => undefined),
    ]);
    expect((await refused(running)).status).toBe(503);
  });

  it('does not end a socket that has opened', async () => {
    const running = await start([
      route('/ws', { auth: () => ({}), handshakeTimeout: 1 }, (socket) => {
        socket.on('message', (data) => socket.send(data));
      }),
      route('/late', { auth: () => new Promise(() => {}), handshakeTimeout: 100 }, () => undefined),
    ]);
    const client = await open(running);
    await refused(running, { path: '/late' });
    client.write(clientFrame({ first: 0x81, payload: 'x' }));
    expect((await client.frame()).payload.toString()).toBe('x');
  });
});

describe('maxPendingHandshakes', () => {
  it('T-2 answers the one above at once, and frees its place afterwards', async () => {
    const asked = jest.fn(() => new Promise(() => {}));
    const running = await start(
      [
        route('/slow', { auth: asked, maxConnections: 6 }, () => undefined),
        route('/fast', () => undefined),
      ],
      { maxPendingHandshakes: 5 },
    );
    const waiting = Array.from({ length: 5 }, () => knock(running, { path: '/slow' }));
    await eventually(() => asked.mock.calls.length === 5);
    for (let round = 0; round < 3; round++) {
      const answer = await refused(running, { path: '/slow' });
      expect([answer.status, answer.body, answer.headers['retry-after']]).toEqual([
        503,
        'too many handshakes',
        '1',
      ]);
    }
    // What needs nobody's answer does not wait for anybody.
    await open(running, { path: '/fast' });
    for (const client of waiting) client.reset();
    for (const expected of [6, 7, 8, 9, 10]) {
      await eventually(() => {
        if (asked.mock.calls.length < expected) knock(running, { path: '/slow' });
        return asked.mock.calls.length >= expected;
      });
    }
  });
});

describe('an upgrade that closing down overtakes', () => {
  it('is answered with 503 while auth decides', async () => {
    const asked = gate<AbortSignal>();
    const opened = jest.fn();
    const auth = (_req: unknown, { signal }: AuthInfo): Promise<object> => {
      asked.resolve(signal);
      return new Promise(() => {});
    };
    const running = await start([route('/ws', { auth }, opened)]);
    const client = knock(running);
    const signal = await asked.promise;
    await running.sockets.close();
    const answer = await client.lastAnswer();
    expect([answer.status, answer.body, answer.headers['retry-after']]).toEqual([
      503,
      'closing',
      '5',
    ]);
    expect(signal.aborted).toBe(true);
    expect(opened).not.toHaveBeenCalled();
  });

  it('is closed with 1001 when its 101 was on the way already', async () => {
    const use: RequestHandler = (_req, res, next) => {
      const end = res.end.bind(res);
      res.end = (() => {
        void running.sockets.close();
        setImmediate(() => end());
        return res;
      }) as never;
      next();
    };
    const closed: number[] = [];
    const running = await start([
      route('/ws', { use }, { close: (_socket, code) => closed.push(code) }),
    ]);
    const client = await open(running);
    expect(await client.closeCode()).toBe(CloseCode.GoingAway);
    client.fin();
    await eventually(() => closed.length === 1);
    expect(closed).toEqual([1001]);
  });
});
