import type { RequestHandler } from 'express';
import morgan from 'morgan';
import { Writable } from 'node:stream';
import { pinoHttp, type Options } from 'pino-http';
import { eventually, gate, knock, open, refused } from '../express/harness';
import { get, ok, PLACES, startBehind, type Place } from './support';

/** Collects lines, as a file would. */
function collect(): { readonly lines: string[]; readonly stream: Writable } {
  const lines: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(...String(chunk).trimEnd().split('\n'));
      done();
    },
  });
  return { lines, stream };
}

/** A client leaves while auth decides. */
async function leaveDuringAuth(place: Place, use: RequestHandler): Promise<void> {
  const asked = gate();
  const auth = (): Promise<never> => {
    asked.resolve();
    return new Promise(() => {});
  };
  const client = knock(await startBehind(place, use, { auth }));
  await asked.promise;
  client.reset();
}

describe.each(PLACES)('morgan before %s', (place) => {
  const FORMAT = ':method :url HTTP/:http-version :status :res[upgrade] :remote-addr';

  it('logs one line with 101, when the socket opens and not when it closes', async () => {
    const { lines, stream } = collect();
    const running = await startBehind(place, morgan(FORMAT, { stream }));
    const client = await open(running, { path: '/ws?room=1' });
    await eventually(() => lines.length > 0);
    client.reset();
    await eventually(() => running.sockets.clients.size === 0);
    expect(lines).toEqual(['GET /ws?room=1 HTTP/1.1 101 websocket 127.0.0.1']);
  });

  it.each([
    ['combined', /^127\.0\.0\.1 - - \[.+\] "GET \/ws HTTP\/1\.1" 101 - "-" "-"$/],
    ['tiny', /^GET \/ws 101 - - [\d.]+ ms$/],
  ])('knows all of its format %s', async (format, expected) => {
    const { lines, stream } = collect();
    await open(await startBehind(place, morgan(format, { stream })));
    await eventually(() => lines.length > 0);
    expect(lines).toEqual([expect.stringMatching(expected)]);
  });

  it('logs a refusal with its status and length', async () => {
    const { lines, stream } = collect();
    const use = morgan(':status :res[content-length]', { stream });
    const running = await startBehind(place, use, { auth: () => false });
    await refused(running);
    expect(lines).toEqual(['403 9']);
  });

  it('logs once who leaves while auth decides', async () => {
    const { lines, stream } = collect();
    await leaveDuringAuth(place, morgan(':url :status', { stream }));
    await eventually(() => lines.length > 0);
    expect(lines).toEqual(['/ws -']);
  });

  it('logs at once when told so, before anything is decided', async () => {
    const { lines, stream } = collect();
    const use = morgan(':url :status', { stream, immediate: true });
    await open(await startBehind(place, use));
    expect(lines).toEqual(['/ws -']);
  });

  it('logs what the app logs as well, each once', async () => {
    const { lines, stream } = collect();
    const use = morgan(':url :status', { stream });
    const running = await startBehind(place, use, {
      prepare: (app) => app.use(use).get('/page', ok),
    });
    await get(running, '/page');
    await open(running);
    await refused(running, { path: '/none' });
    await eventually(() => lines.length >= 3);
    expect(lines).toEqual(['/page 200', '/ws 101', '/none 404']);
  });
});

/** What pino-http writes of a request. */
interface Line {
  readonly level: number;
  readonly msg: string;
  readonly req?: { readonly id: number; readonly url: string };
  readonly res?: { readonly statusCode: number; readonly headers: Record<string, string> };
}

describe.each(PLACES)('pino-http before %s', (place) => {
  const make = (options: Options = {}) => {
    const { lines, stream } = collect();
    const parsed = (): Line[] => lines.map((line) => JSON.parse(line) as Line);
    return { use: pinoHttp(options, stream), parsed };
  };

  it('logs one line with 101 and its fields', async () => {
    const { use, parsed } = make();
    const running = await startBehind(place, use);
    const client = await open(running);
    await eventually(() => parsed().length > 0);
    client.reset();
    await eventually(() => running.sockets.clients.size === 0);
    expect(parsed()).toEqual([
      expect.objectContaining({
        level: 30,
        msg: 'request completed',
        req: expect.objectContaining({ method: 'GET', url: '/ws', remoteAddress: '127.0.0.1' }),
        res: expect.objectContaining({ statusCode: 101 }),
      }),
    ]);
    expect(parsed()[0]?.res?.headers).toMatchObject({ upgrade: 'websocket' });
  });

  it('gives auth and open the logger of the request, with its id', async () => {
    const { use, parsed } = make({ genReqId: () => 'seven', quietReqLogger: true });
    const running = await startBehind(place, use, {
      auth: (req) => {
        req.log.info('auth');
        return { id: req.id };
      },
      open: (socket, req) => req.log.info({ context: socket.context }, 'open'),
    });
    await open(running);
    await eventually(() => parsed().length >= 3);
    expect(parsed()).toEqual([
      expect.objectContaining({ msg: 'auth', reqId: 'seven' }),
      expect.objectContaining({ msg: 'open', reqId: 'seven', context: { id: 'seven' } }),
      expect.objectContaining({ msg: 'request completed', reqId: 'seven' }),
    ]);
  });

  it.each([
    ['a refusal', () => false, 403, 'request completed'],
    [
      'a throw',
      () => {
        throw new Error('x');
      },
      500,
      'request errored',
    ],
  ])('logs %s with its status', async (_what, auth, status, msg) => {
    const { use, parsed } = make();
    const running = await startBehind(place, use, { auth, onError: () => undefined });
    await refused(running);
    await eventually(() => parsed().length > 0);
    expect(parsed().map((line) => [line.res?.statusCode, line.msg])).toEqual([[status, msg]]);
  });

  it('logs who leaves while auth decides as aborted, once', async () => {
    const { use, parsed } = make();
    await leaveDuringAuth(place, use);
    await eventually(() => parsed().length > 0);
    expect(parsed().map((line) => line.msg)).toEqual(['request aborted']);
  });
});
