import type { RequestHandler } from 'express';
import { route } from '../../lib/express/route';
import { CLOSE, eventually, knock, mark, open, plain, refused, start, thrownBy } from './harness';

describe('use', () => {
  it('runs the lists of the attach before those of the route, however deep they are', async () => {
    const running = await start(
      [route('/ws', { use: [mark('3'), [[mark('4')], mark('5')]] }, () => undefined)],
      { use: [[mark('1')], mark('2')] },
    );
    const { upgraded } = await open(running);
    expect(upgraded.headers['x-mark']).toEqual(['1', '2', '3', '4', '5']);
  });

  it('may be missing, or empty', async () => {
    const running = await start([route('/ws', { use: [[], []] }, () => undefined)], { use: [] });
    const { upgraded } = await open(running);
    // Without middleware there is no response that could be touched.
    expect(upgraded.headers['date']).toBeUndefined();
  });

  it('of the attach runs for every route, and for no plain request', async () => {
    const use = jest.fn<void, Parameters<RequestHandler>>((_req, _res, next) => next());
    const running = await start([plain, route('/b', () => undefined)], { use });
    await open(running);
    await open(running, { path: '/b' });
    await refused(running, { path: '/c' });
    expect(use).toHaveBeenCalledTimes(2);
  });

  it('may be asynchronous, and is waited for', async () => {
    const use: RequestHandler = async (_req, res, next) => {
      await new Promise((resolve) => setImmediate(resolve));
      res.append('X-Mark', 'late');
      next();
    };
    const running = await start([route('/ws', { use: [use, mark('then')] }, () => undefined)]);
    expect((await open(running)).upgraded.headers['x-mark']).toEqual(['late', 'then']);
  });

  it.each<[string, unknown]>([
    ['an error', new Error('x')],
    ['nothing', undefined],
    ['null', null],
    ['false', false],
    ['zero', 0],
    ['an empty word', ''],
  ])('that rejects with %s lets nobody in', async (_what, reason) => {
    const onError = jest.fn();
    const opened = jest.fn();
    const use = async (): Promise<never> => Promise.reject(reason);
    const running = await start([route('/ws', { use }, opened)], { onError });
    expect((await refused(running)).status).toBe(500);
    expect(opened).not.toHaveBeenCalled();
    expect(onError).toHaveBeenCalledTimes(1);
  });

  it.each([undefined, null, 0])('that throws %p lets nobody in', async (reason) => {
    const opened = jest.fn();
    const onError = jest.fn();
    const use: RequestHandler = () => {
      throw reason;
    };
    const running = await start([route('/ws', { use }, opened)], { onError });
    const { status } = await knock(running).head();
    expect(status).toBe(500);
    expect(opened).not.toHaveBeenCalled();
  });
});

describe('a place', () => {
  it('comes back when a socket goes, by whatever way', async () => {
    const limits = { maxConnections: 1, maxConnectionsPerIp: 1 };
    const left: string[] = [];
    const running = await start(
      [
        route('/ws', limits, {
          open(socket, req) {
            socket.join('room');
            if (req.query['throw'] !== undefined) throw new Error('x');
            if (req.query['terminate'] !== undefined) socket.terminate();
          },
          close(socket) {
            left.push(`${socket.url} ${[...socket.rooms].join()}`);
          },
        }),
      ],
      { ...limits, onError: () => undefined },
    );
    const ways: [string, (client: Awaited<ReturnType<typeof open>>) => unknown][] = [
      ['/ws?close', (client) => client.write(CLOSE)],
      ['/ws?fin', (client) => client.fin()],
      ['/ws?reset', (client) => client.reset()],
      ['/ws?garbage', (client) => client.write('garbage')],
      ['/ws?throw', (client) => client.write(CLOSE)],
      ['/ws?terminate', () => undefined],
    ];
    for (const [path, leave] of ways) {
      leave(await open(running, { path }));
      await eventually(() => running.sockets.clients.size === 0);
    }
    await eventually(() => left.length === ways.length);
    expect(left).toEqual(ways.map(([path]) => `${path} `));
    expect(running.sockets.to('room').send('nobody')).toBe(0);
  });

  it('is not given back for one who got none', async () => {
    const running = await start([route('/ws', { maxConnectionsPerIp: 1 }, () => undefined)], {
      maxConnections: 2,
    });
    const client = await open(running);
    // The whole has a place, the route has not.
    for (let round = 0; round < 3; round++) expect((await refused(running)).status).toBe(429);
    client.write(CLOSE);
    await eventually(() => running.sockets.clients.size === 0);
    await open(running);
  });
});

describe('R-1 rooms', () => {
  it('are 128 a socket by default, and what was left does not count', async () => {
    const seen: unknown[] = [];
    const running = await start([
      route('/ws', (socket) => {
        for (let round = 0; round < 1000; round++) {
          socket.join(`again ${round}`);
          socket.leave(`again ${round}`);
        }
        for (let count = 0; count < 128; count++) socket.join(`room ${count}`);
        seen.push(thrownBy(() => socket.join('one more')).code, socket.rooms.size);
        seen.push(thrownBy(() => socket.join('x'.repeat(256))).code);
      }),
    ]);
    const client = await open(running);
    expect(seen).toEqual(['ERR_WS_OUT_OF_RANGE', 128, 'ERR_WS_OUT_OF_RANGE']);
    expect(running.sockets.to('room 127').send('x')).toBe(1);
    client.reset();
    await eventually(() => running.sockets.clients.size === 0);
    expect(running.sockets.to('room 127').send('x')).toBe(0);
  });

  it('are as many as the route, or the attach, allows', async () => {
    const seen: unknown[] = [];
    const join = (socket: { join(room: string): void }): void => {
      socket.join('1');
      seen.push(thrownBy(() => socket.join('2')).message);
    };
    const running = await start([route('/ws', { maxRooms: 1 }, join), route('/b', join)], {
      maxRooms: 1,
    });
    await open(running);
    await open(running, { path: '/b' });
    expect(seen).toEqual(Array(2).fill('a socket may be in 1 rooms (maxRooms)'));
  });
});
