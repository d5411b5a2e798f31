import { reportError } from '../../lib/express/report';
import { route } from '../../lib/express/route';
import { CloseCode } from '../../lib/protocol/close';
import { catchStderr, eventually, open, plain, refused, start } from './harness';

function print(error: unknown): string[] {
  const lines = catchStderr();
  reportError(error, { route: plain }, undefined);
  return lines;
}

describe('by default', () => {
  it('one line goes to stderr: the path, the error and where it was thrown', () => {
    const lines = print(new TypeError('no such user'));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(
      /^attach-websocket: error in \/ws: TypeError: no such user \(at .*report\.test\.ts.*\)\n$/,
    );
  });

  const noStack = Object.assign(new Error('x'), { stack: undefined });
  const noFrames = Object.assign(new Error('x'), { stack: 'Error: x' });
  const oddStack = Object.assign(new Error('x'), { stack: 5 });
  const silent = {
    toString(): string {
      throw new Error('no words');
    },
  };

  it.each<[string, unknown, string]>([
    ['a string', 'oops', 'oops'],
    ['undefined', undefined, 'undefined'],
    ['null', null, 'null'],
    ['a symbol', Symbol('s'), 'Symbol(s)'],
    ['an error without a stack', noStack, 'Error: x'],
    ['an error with an empty stack', noFrames, 'Error: x'],
    ['an error with a stack that is none', oddStack, 'something that cannot be shown'],
    ['what cannot be made text', silent, 'something that cannot be shown'],
    ['an object without a prototype', Object.create(null), 'something that cannot be shown'],
  ])('%s was thrown', (_what, error, text) => {
    expect(print(error)).toEqual([`attach-websocket: error in /ws: ${text}\n`]);
  });

  it('control characters do not get there: what a peer sent must not forge lines', () => {
    expect(print('a\r\nattach-websocket: all is well\u001b[2J\u0000\u0085\u009bb')).toEqual([
      'attach-websocket: error in /ws: a attach-websocket: all is well [2J b\n',
    ]);
  });

  it('the paths of a list are all there', () => {
    const lines = catchStderr();
    reportError('x', { route: route(['/a', /^\/b$/], () => undefined) }, undefined);
    expect(lines).toEqual(['attach-websocket: error in /a, /^\\/b$/: x\n']);
  });
});

describe('onError', () => {
  it('hears of it instead, with the route', () => {
    const lines = catchStderr();
    const onError = jest.fn();
    const error = new Error('x');
    reportError(error, { route: plain }, onError);
    expect(onError.mock.calls).toEqual([[error, { route: plain }]]);
    expect(lines).toEqual([]);
  });

  it('gets the socket once there is one', async () => {
    const onError = jest.fn();
    const wrong = new Error('x');
    const running = await start(
      [
        route('/ws', () => {
          throw wrong;
        }),
      ],
      { onError },
    );
    const client = await open(running);
    expect(await client.closeCode()).toBe(CloseCode.InternalError);
    expect(onError).toHaveBeenCalledTimes(1);
    expect(onError.mock.calls[0]).toEqual([
      wrong,
      { route: expect.objectContaining({ path: '/ws' }), socket: expect.anything() },
    ]);
  });

  it('gets the request before', async () => {
    const onError = jest.fn();
    const auth = (): never => {
      throw new Error('x');
    };
    const running = await start([route('/ws', { auth }, () => undefined)], { onError });
    await refused(running, { path: '/ws?token=1' });
    expect(onError.mock.calls[0]).toEqual([
      new Error('x'),
      {
        route: expect.objectContaining({ path: '/ws' }),
        req: expect.objectContaining({ url: '/ws?token=1' }),
      },
    ]);
  });
});

describe("the route's error hook", () => {
  it('wins, and gets the socket', () => {
    const error = jest.fn();
    const onError = jest.fn();
    const lines = catchStderr();
    // Only handed on.
    const socket = {} as never;
    reportError('x', { route: route('/ws', { error }), socket }, onError);
    expect(error.mock.calls).toEqual([['x', socket]]);
    expect(onError).not.toHaveBeenCalled();
    expect(lines).toEqual([]);
  });

  it('hears of an error in auth, without a socket', async () => {
    const error = jest.fn();
    const wrong = new Error('x');
    const running = await start([route('/ws', { auth: () => Promise.reject(wrong) }, { error })]);
    expect((await refused(running)).status).toBe(500);
    expect(error.mock.calls).toEqual([[wrong, undefined]]);
  });
});

describe('X-2 an error in the place where errors are told', () => {
  const throwing = (): never => {
    throw new Error('second');
  };
  const rejecting = async (): Promise<never> => Promise.reject(new Error('second'));

  it.each([
    ['the hook throws', { error: throwing }, undefined],
    ['the hook rejects', { error: rejecting }, undefined],
    ['onError throws', {}, throwing],
    ['onError rejects', {}, rejecting],
  ])('goes to stderr with the first one: %s', async (_what, handlers, onError) => {
    const lines = catchStderr();
    reportError('first', { route: route('/ws', handlers) }, onError);
    await eventually(() => lines.length === 2);
    expect(lines[0]).toBe('attach-websocket: error in /ws: first\n');
    expect(lines[1]).toMatch(/^attach-websocket: error in \/ws: Error: second \(at .*\)\n$/);
  });

  it('closes that socket with 1011, and the next one opens', async () => {
    const lines = catchStderr();
    const running = await start(
      [
        route('/ws', {
          open(_socket, req) {
            if (req.query['bad'] !== undefined) throw new Error('first');
          },
          error: throwing,
        }),
      ],
      { onError: throwing },
    );
    const client = await open(running, { path: '/ws?bad' });
    expect(await client.closeCode()).toBe(CloseCode.InternalError);
    await open(running);
    expect(lines).toHaveLength(2);
  });
});

it('nothing of the error goes on the wire', async () => {
  catchStderr();
  const open500 = jest.fn();
  const running = await start([
    route('/auth', { auth: () => Promise.reject(new Error('the secret')) }, open500),
    route('/open', () => {
      throw new Error('the secret');
    }),
  ]);
  const answer = await refused(running, { path: '/auth' });
  expect(JSON.stringify(answer)).not.toContain('secret');
  const client = await open(running, { path: '/open' });
  const { payload } = await client.frame();
  expect(payload).toEqual(Buffer.from([1011 >> 8, 1011 & 0xff]));
  expect(open500).not.toHaveBeenCalled();
});
