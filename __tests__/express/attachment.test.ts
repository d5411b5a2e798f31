import type { RequestHandler } from 'express';
import { once } from 'node:events';
import { z } from 'zod';
import { route, type AnyRoute } from '../../lib/express/route';
import { CloseCode } from '../../lib/protocol/close';
import type { Socket } from '../../lib/socket/socket';
import {
  CLOSE,
  eventually,
  gate,
  knock,
  open,
  plain,
  refused,
  start,
  thrownBy,
  type Running,
} from './harness';
import { shown } from '../../lib/protocol/errors';

const joining = (path: string) =>
  route(path, (socket, req) => {
    const { room } = req.query;
    if (typeof room === 'string') socket.join(room);
  });

const text = async (client: { frame(): Promise<{ payload: Buffer }> }): Promise<string> =>
  (await client.frame()).payload.toString();

describe('clients', () => {
  it('are the open sockets of all routes', async () => {
    const running = await start([joining('/a'), joining('/b')]);
    const { clients } = running.sockets;
    expect([clients.size, [...clients]]).toEqual([0, []]);
    const first = await open(running, { path: '/a' });
    await open(running, { path: '/b' });
    expect(clients.size).toBe(2);
    expect([...clients].map(({ url }) => url)).toEqual(['/a', '/b']);
    expect(running.sockets.clients.size).toBe(2);
    first.write(CLOSE);
    await eventually(() => clients.size === 1);
    expect([...clients].map(({ url }) => url)).toEqual(['/b']);
  });
});

describe('of', () => {
  it('shows and reaches the sockets of one route', async () => {
    const a = joining('/a');
    const b = joining('/b');
    const running = await start([a, b]);
    const first = await open(running, { path: '/a?room=x' });
    const second = await open(running, { path: '/a?room=y' });
    const third = await open(running, { path: '/b?room=x' });
    const ofA = running.sockets.of(a);
    const [one] = [...ofA.clients];
    expect([ofA.clients.size, running.sockets.of(b).clients.size]).toEqual([2, 1]);
    expect(ofA.send('all of a')).toBe(2);
    expect(ofA.to('x').send('x of a')).toBe(1);
    expect(ofA.except(one!).send('but the first')).toBe(1);
    expect(running.sockets.of(b).send('all of b')).toBe(1);
    expect([await text(first), await text(first)]).toEqual(['all of a', 'x of a']);
    expect([await text(second), await text(second)]).toEqual(['all of a', 'but the first']);
    expect(await text(third)).toBe('all of b');
  });

  it('sends as the route encodes', async () => {
    const json = route('/ws', { send: z.object({ n: z.number() }) }, () => undefined);
    const running = await start([json]);
    const client = await open(running);
    expect(running.sockets.of(json).send({ n: 1 })).toBe(1);
    expect(await text(client)).toBe('{"n":1}');
    const error = thrownBy(() => running.sockets.of(json).send({ n: 'x' } as never));
    expect(error.code).toBe('ERR_WS_INVALID_MESSAGE');
  });

  it('refuses a route that was not attached here', async () => {
    const running = await start([joining('/a')]);
    const error = thrownBy(() => running.sockets.of(joining('/a')));
    expect(error).toBeInstanceOf(TypeError);
    expect([error.code, error.message]).toEqual([
      'ERR_WS_INVALID_ARGUMENT',
      'the route /a was not attached here',
    ]);
  });
});

describe('to', () => {
  it('reaches the rooms of this name of all routes, but for some', async () => {
    const running = await start([joining('/a'), joining('/b')]);
    const first = await open(running, { path: '/a?room=x' });
    const second = await open(running, { path: '/b?room=x' });
    const third = await open(running, { path: '/b?room=y' });
    const [one, two] = [...running.sockets.clients];
    expect(running.sockets.to('x').send('both')).toBe(2);
    expect(running.sockets.to('x').except(one!).send('not one')).toBe(1);
    expect(running.sockets.to('x').except(one!).except(two!).send('none')).toBe(0);
    expect(running.sockets.to('y').send('y')).toBe(1);
    expect(running.sockets.to('__proto__').send('nobody')).toBe(0);
    expect(await text(first)).toBe('both');
    expect([await text(second), await text(second)]).toEqual(['both', 'not one']);
    expect(await text(third)).toBe('y');
  });
});

describe('disconnect', () => {
  it('closes those that are picked, with 1008, and says how many', async () => {
    const running = await start([joining('/:user')]);
    const ann = await open(running, { path: '/ann' });
    const anns = await open(running, { path: '/ann' });
    const bob = await open(running, { path: '/bob' });
    const isAnn = ({ params }: Socket): boolean => (params as { user: string }).user === 'ann';
    expect(running.sockets.disconnect(isAnn)).toBe(2);
    for (const client of [ann, anns]) {
      expect(await client.closeCode()).toBe(CloseCode.PolicyViolation);
    }
    expect(running.sockets.disconnect(() => false)).toBe(0);
    expect(bob.received.length).toBe(0);
  });

  it('closes with a code and a reason of ours', async () => {
    const running = await start([joining('/a')]);
    const client = await open(running, { path: '/a' });
    running.sockets.disconnect(() => true, 4001, 'banned');
    const { first, payload } = await client.frame();
    expect([first, payload.readUInt16BE(0), payload.subarray(2).toString()]).toEqual([
      0x88,
      4001,
      'banned',
    ]);
  });

  it.each<[number, string, string]>([
    [1005, '', 'ERR_WS_OUT_OF_RANGE'],
    [999, '', 'ERR_WS_OUT_OF_RANGE'],
    [NaN, '', 'ERR_WS_INVALID_ARGUMENT'],
    [1000, '€'.repeat(42), 'ERR_WS_OUT_OF_RANGE'],
  ])('refuses %d %s before it closes anybody', async (code, reason, expected) => {
    const running = await start([joining('/a')]);
    await open(running, { path: '/a' });
    const picked = jest.fn(() => true);
    const error = thrownBy(() => running.sockets.disconnect(picked, code, reason));
    expect(error.code).toBe(expected);
    expect(picked).not.toHaveBeenCalled();
  });
});

describe('§2.4.14 close', () => {
  /** Whether the server can close by itself. */
  async function closes(running: Running): Promise<void> {
    const closed = once(running.server, 'close');
    running.server.close();
    await closed;
    running.server.listen(0, '127.0.0.1');
    await once(running.server, 'listening');
  }

  it('closes everybody with 1001, waits for them, and the server can close', async () => {
    const closed: number[] = [];
    const running = await start([
      route('/ws', { close: (_socket, code) => closed.push(code) }),
      route('/b', { close: (_socket, code) => closed.push(code) }),
    ]);
    const clients = await Promise.all([
      open(running),
      open(running),
      open(running, { path: '/b' }),
    ]);
    const closing = running.sockets.close();
    for (const client of clients) {
      expect(await client.closeCode()).toBe(CloseCode.GoingAway);
      expect(running.sockets.clients.size).toBeGreaterThan(0);
      client.write(CLOSE);
    }
    await closing;
    expect(running.sockets.clients.size).toBe(0);
    expect(closed).toHaveLength(3);
    await closes(running);
  });

  it('answers what comes from then on with 503', async () => {
    const running = await start([plain]);
    await running.sockets.close();
    const answer = await refused(running);
    expect([answer.status, answer.headers['retry-after']]).toEqual([503, '5']);
  });

  it('ends what is left after the timeout, and reports the code all the same', async () => {
    const closed: number[] = [];
    const running = await start([route('/ws', { close: (_socket, code) => closed.push(code) })]);
    const client = await open(running);
    client.socket.pause();
    await running.sockets.close({ timeout: 20 });
    expect(closed).toEqual([1001]);
    await closes(running);
  });

  it('ends at once with a timeout of 0', async () => {
    const running = await start([plain]);
    const client = await open(running);
    await running.sockets.close({ timeout: 0 });
    await client.ended;
  });

  it('waits as long as it takes with a timeout of Infinity', async () => {
    const running = await start([plain]);
    const client = await open(running);
    const closing = running.sockets.close({ timeout: Infinity, code: 1012 });
    expect(await client.closeCode()).toBe(CloseCode.ServiceRestart);
    client.write(CLOSE);
    await closing;
  });

  it('spreads the closes over the jitter', async () => {
    jest.spyOn(Math, 'random').mockReturnValueOnce(0.9).mockReturnValueOnce(0);
    const running = await start([plain]);
    const late = await open(running);
    const soon = await open(running);
    const order: string[] = [];
    const closing = running.sockets.close({ jitter: 100 });
    const answer = async (name: string, client: typeof late): Promise<void> => {
      expect(await client.closeCode()).toBe(CloseCode.GoingAway);
      order.push(name);
      client.write(CLOSE);
    };
    await Promise.all([answer('late', late), answer('soon', soon)]);
    await closing;
    expect(order).toEqual(['soon', 'late']);
  });

  it('is the same when it is called again', async () => {
    const running = await start([plain]);
    const client = await open(running);
    const first = running.sockets.close();
    const second = running.sockets.close({ code: 1012 });
    expect(await client.closeCode()).toBe(CloseCode.GoingAway);
    client.write(CLOSE);
    await Promise.all([first, second]);
    await running.sockets.close();
  });

  it('is done at once when there is nobody', async () => {
    const running = await start([plain]);
    await running.sockets.close();
  });

  it('is what `await using` does at the end', async () => {
    const running = await start([plain]);
    const client = await open(running);
    const disposed = running.sockets[Symbol.asyncDispose]();
    expect(await client.closeCode()).toBe(CloseCode.GoingAway);
    client.write(CLOSE);
    await disposed;
    expect((await refused(running)).status).toBe(503);
  });

  it('waits for a socket whose 101 was on its way', async () => {
    const end = gate<() => void>();
    const use: RequestHandler = (_req, res, next) => {
      const original = res.end.bind(res);
      res.end = (() => {
        end.resolve(() => original());
        return res;
      }) as never;
      next();
    };
    const running = await start([route('/ws', { use }, () => undefined)]);
    const client = knock(running);
    const write101 = await end.promise;
    let isDone = false;
    const closing = running.sockets.close().then(() => (isDone = true));
    write101();
    expect((await client.head()).status).toBe(101);
    expect(await client.closeCode()).toBe(CloseCode.GoingAway);
    expect([isDone, running.sockets.clients.size]).toEqual([false, 1]);
    client.write(CLOSE);
    await closing;
  });

  it('lets a handler close during its own close', async () => {
    const done = gate();
    const running = await start([
      route('/ws', {
        close: () => {
          void running.sockets.close().then(done.resolve);
        },
      }),
    ]);
    (await open(running)).reset();
    await done.promise;
  });

  it.each<[object, string]>([
    [{ code: 1005 }, 'ERR_WS_OUT_OF_RANGE'],
    [{ code: 5000 }, 'ERR_WS_OUT_OF_RANGE'],
    [{ code: '1000' }, 'ERR_WS_INVALID_ARGUMENT'],
    [{ timeout: -1 }, 'ERR_WS_OUT_OF_RANGE'],
    [{ timeout: NaN }, 'ERR_WS_OUT_OF_RANGE'],
    [{ timeout: '10' }, 'ERR_WS_OUT_OF_RANGE'],
    [{ timeout: 2 ** 31 }, 'ERR_WS_OUT_OF_RANGE'],
    [{ jitter: 1.5 }, 'ERR_WS_OUT_OF_RANGE'],
    [{ jitter: Infinity }, 'ERR_WS_OUT_OF_RANGE'],
  ])('refuses %p and closes nobody', async (options, code) => {
    const running = await start([plain]);
    await open(running);
    const error = await Promise.resolve()
      .then(() => running.sockets.close(options))
      .then(
        () => undefined,
        (reason: unknown) => reason,
      );
    expect(error).toMatchObject({ code });
    await open(running);
  });
});

describe('maxPendingHandshakes', () => {
  it('is what may wait for auth at a time', async () => {
    const asked = jest.fn(() => new Promise(() => {}));
    const running = await start([route('/ws', { auth: asked }, () => undefined)], {
      maxPendingHandshakes: 2,
    });
    const waiting = [knock(running), knock(running)];
    await eventually(() => asked.mock.calls.length === 2);
    expect((await refused(running)).body).toBe('too many handshakes');
    await running.sockets.close();
    for (const client of waiting) expect((await client.lastAnswer()).body).toBe('closing');
  });

  it.each([0, -1, NaN, 1.5, '10', 2 ** 53])('is refused as %p', async (value) => {
    await expect(
      start([] as AnyRoute[], { maxPendingHandshakes: value as number }),
    ).rejects.toMatchObject({
      code: 'ERR_WS_OUT_OF_RANGE',
      message: `maxPendingHandshakes must be an integer from 1 to ${Number.MAX_SAFE_INTEGER}, or Infinity, got ${shown(value)}`,
    });
  });
});
