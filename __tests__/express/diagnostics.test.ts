import type { RequestHandler } from 'express';
import { reject } from '../../lib/express/rejection';
import { route } from '../../lib/express/route';
import { wsRouter } from '../../lib/express/ws-router';
import type { Socket } from '../../lib/socket/socket';
import { clientFrame } from '../support/bytes';
import { HANDSHAKE, hear, namesOf, on } from './channels';
import { catchStderr, CLOSE, eventually, gate, knock, open, refused, start } from './harness';

const never = (): Promise<never> => new Promise(() => {});
const plain = route('/ws/:id', () => undefined);
const PATH = { path: '/ws/1?token=secret' };
const thrown = new Error('thrown on purpose');
const fail = (): never => {
  throw thrown;
};

describe('the handshake channels', () => {
  it('tell of one that is accepted before its socket is open, with one object', async () => {
    const heard = hear(...HANDSHAKE, 'open');
    const running = await start([plain]);
    await open(running, PATH);
    const [socket] = running.sockets.clients;
    expect(namesOf(heard)).toEqual(['handshake:start', 'handshake:end', 'open']);
    const [first, last] = heard;
    const { request } = first!.message as unknown as { request: { url: string } };
    expect(request.url).toBe(PATH.path);
    const asked = { url: '/ws/1', request, error: undefined };
    expect(first?.then).toEqual({
      ...asked,
      path: undefined,
      status: undefined,
      socket: undefined,
    });
    expect(last?.then).toEqual({ ...asked, path: '/ws/:id', status: 101, socket });
    expect(last?.message).toBe(first?.message);
  });

  it('tell of a refusal with its status', async () => {
    const heard = hear(...HANDSHAKE);
    const running = await start([route('/ws/:id', { auth: () => reject(401) }, () => undefined)]);
    await refused(running, PATH);
    await eventually(() => heard.length === 2);
    expect(heard[1]).toMatchObject({
      name: 'handshake:end',
      then: { path: '/ws/:id', status: 401, socket: undefined, error: undefined },
    });
  });

  it('tell of the status of what middleware answers', async () => {
    const heard = hear('handshake:end');
    const use: RequestHandler = (_req, res) => res.redirect('/login');
    const running = await start([route('/ws/:id', { use }, () => undefined)]);
    await refused(running, PATH);
    await eventually(() => heard.length === 1);
    expect(heard[0]?.then).toMatchObject({ path: '/ws/:id', status: 302 });
  });

  it('tell of what user code throws, and of the end after it', async () => {
    catchStderr();
    const heard = hear(...HANDSHAKE);
    const running = await start([route('/ws/:id', { auth: fail }, () => undefined)]);
    await refused(running, PATH);
    await eventually(() => heard.length === 3);
    expect(namesOf(heard)).toEqual(['handshake:start', 'handshake:error', 'handshake:end']);
    expect(heard[1]?.then).toMatchObject({ path: '/ws/:id', status: undefined, error: thrown });
    expect(heard[2]?.then).toMatchObject({ path: '/ws/:id', status: 500, error: thrown });
  });

  it('tell of a client that leaves by an end without a status', async () => {
    const heard = hear(...HANDSHAKE);
    const asked = jest.fn(never);
    const running = await start([route('/ws/:id', { auth: asked }, () => undefined)]);
    const client = knock(running, PATH);
    await eventually(() => asked.mock.calls.length === 1);
    client.reset();
    await eventually(() => heard.length === 2);
    expect(heard[1]).toMatchObject({ name: 'handshake:end', then: { status: undefined } });
  });

  it('tell of an upgrade on no route, which the app answers, without a path', async () => {
    const heard = hear(...HANDSHAKE);
    const running = await start([plain]);
    await refused(running, { path: '/none?token=secret' });
    await eventually(() => heard.length === 2);
    expect(heard[1]?.then).toMatchObject({ path: undefined, url: '/none', status: 404 });
  });

  it('tell of a path that matches and cannot be decoded', async () => {
    const heard = hear('handshake:end');
    const running = await start([plain]);
    await refused(running, { path: '/ws/%zz' });
    await eventually(() => heard.length === 1);
    expect(heard[0]?.then).toMatchObject({ path: '/ws/:id', url: '/ws/%zz', status: 400 });
  });

  it("tell the path of a router's route when the app has found it", async () => {
    const heard = hear(...HANDSHAKE);
    const api = wsRouter();
    api.ws('/chat', () => undefined);
    const running = await start([api as never], { prepare: (app) => app.use('/api', api) });
    await open(running, { path: '/api/chat' });
    expect(heard.map(({ then }) => then['path'])).toEqual([undefined, '/chat']);
  });

  it('tell the URL as it was asked for, and once each, where the app sees it first', async () => {
    const heard = hear(...HANDSHAKE);
    const running = await start([plain], {
      pipeline: 'app',
      prepare: (app) => {
        app.use((req, _res, next) => {
          req.url = req.url.replace('/old', '/ws');
          next();
        });
      },
    });
    await refused(running, { path: '/old/1?x=1' });
    await open(running, PATH);
    await eventually(() => heard.length === 4);
    expect(heard.map(({ then }) => then['url'])).toEqual(['/old/1', '/old/1', '/ws/1', '/ws/1']);
  });

  it.each(HANDSHAKE)('tell whoever subscribes to nothing but %s', async (name) => {
    catchStderr();
    const heard = hear(name);
    const running = await start([route('/ws/:id', { auth: fail }, () => undefined)]);
    await refused(running, PATH);
    await eventually(() => heard.length === 1);
    expect(heard[0]?.message['url']).toBe('/ws/1');
  });

  it('tell nobody of a handshake that began before', async () => {
    const { promise, resolve } = gate();
    const asked = jest.fn(() => promise);
    const running = await start([route('/ws/:id', { auth: asked }, () => undefined)]);
    const client = knock(running, PATH);
    await eventually(() => asked.mock.calls.length === 1);
    const heard = hear(...HANDSHAKE);
    resolve();
    expect((await client.head()).status).toBe(101);
    expect(heard).toEqual([]);
  });

  it('tell nothing of upgrades that are a neighbour’s', async () => {
    const heard = hear(...HANDSHAKE);
    const running = await start([plain]);
    const { promise, resolve } = gate();
    running.server.on('upgrade', (_request, transport) => {
      transport.destroy();
      resolve();
    });
    knock(running, { path: '/theirs' });
    await promise;
    expect(heard).toEqual([]);
  });
});

describe('the error channel', () => {
  const hooks = { onError: () => undefined };

  it.each<[string, object]>([
    ['open', { open: fail }],
    ['message', { message: fail }],
    ['close', { close: fail }],
    ['message, behind an error hook', { message: fail, error: () => undefined }],
  ])('tells of what a hook throws: %s', async (_which, handlers) => {
    const heard = hear('error');
    const sockets: Socket[] = [];
    on('open', ({ socket }) => sockets.push(socket as Socket));
    const running = await start([route('/ws/:id', handlers)], hooks);
    const client = await open(running, PATH);
    client.write(clientFrame({ first: 0x81, payload: 'x' })).write(CLOSE);
    await eventually(() => heard.length === 1);
    const [socket] = sockets;
    expect(heard[0]?.then).toEqual({ path: '/ws/:id', error: thrown, socket, request: undefined });
  });

  it.each<[string, object]>([
    ['auth', { auth: fail }],
    ['use', { use: fail }],
    ['origins', { origins: fail }],
  ])('tells of what the handshake throws: %s', async (_which, options) => {
    const heard = hear('error', 'handshake:start');
    const running = await start([route('/ws/:id', options, () => undefined)], hooks);
    await refused(running, PATH);
    const [{ message } = { message: {} }, failed] = heard;
    const { request } = message as { request?: unknown };
    expect(failed?.then).toEqual({ path: '/ws/:id', error: thrown, socket: undefined, request });
  });

  it('tells of what the error hook itself throws', async () => {
    const second = new Error('the second');
    catchStderr();
    const heard = hear('error');
    const error = (): never => {
      throw second;
    };
    const running = await start([route('/ws/:id', { open: fail, error })]);
    await open(running, PATH);
    expect(heard.map(({ then }) => then['error'])).toEqual([thrown, second]);
  });
});
