import type { ServerResponse } from 'node:http';
import { CloseCode, reject, route, type Route } from '../../lib';
import { clientFrame, hex } from '../support/bytes';
import { Child } from './support/child';
import { handshake, Peer } from './support/peer';
import { deferred, pause, serve, stopAll, turns, undecidedRoute, until } from './support/server';

interface Faults {
  faultRoute: (make: typeof route, hooks?: object) => Route;
}

const { faultRoute } = jest.requireActual<Faults>('./children/faults.js');

afterEach(async () => {
  await stopAll();
  jest.restoreAllMocks();
});

const WAYS = [
  'throws',
  'rejects',
  'throws-undefined',
  'rejects-undefined',
  'throws-an-object-that-throws',
];

const HELLO = clientFrame({ first: 0x81, payload: 'hello' });
const PING = clientFrame({ first: 0x89 });
const BYE = clientFrame({ first: 0x88, payload: hex('03e8') });
const UNMASKED = hex('81 05 48 65 6c 6c 6f');

/** Where user code fails, what makes it, and what the client sees. */
const PLACES: [place: string, provoke: Buffer, seen: number][] = [
  ['use', HELLO, 500],
  ['auth', HELLO, 500],
  ['open', HELLO, CloseCode.InternalError],
  ['message', HELLO, CloseCode.InternalError],
  ['listener', HELLO, CloseCode.InternalError],
  ['async-listener', HELLO, CloseCode.InternalError],
  ['event-listener', HELLO, CloseCode.InternalError],
  ['onmessage', HELLO, CloseCode.InternalError],
  ['ping-listener', PING, CloseCode.InternalError],
  ['send-callback', HELLO, CloseCode.InternalError],
  ['close', BYE, CloseCode.Normal],
  ['close-listener', BYE, CloseCode.Normal],
  ['error-listener', UNMASKED, CloseCode.ProtocolError],
];

const CELLS = PLACES.flatMap(([place, provoke, seen]) =>
  WAYS.map((way) => ({ place, provoke, seen, way })),
);

/** Makes the fault happen, and checks what the client gets of it. */
async function suffer(
  port: number,
  { place, way, provoke, seen }: (typeof CELLS)[0],
): Promise<void> {
  const peer = await Peer.connect(port);
  peer.write(handshake(`/${place}/${way}`), provoke);
  const head = await peer.readHead();
  if (seen < 1000) {
    expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${seen} `));
    expect((await peer.readToEnd()).toString()).toBe('Internal Server Error');
    return;
  }
  expect(head).toMatch(/^HTTP\/1\.1 101 /);
  // An echo or a pong may come first, the close frame is the last; no reason tells of the error.
  const rest = await untilClose(peer);
  expect(rest.first).toBe(0x88);
  expect(rest.payload.toString('hex')).toBe(seen.toString(16).padStart(4, '0'));
  peer.write(BYE);
  expect((await peer.readToEnd()).length).toBe(0);
  await peer.closed;
}

async function untilClose(peer: Peer): Promise<{ first: number; payload: Buffer }> {
  for (;;) {
    const frame = await peer.readFrame();
    if (frame.first === 0x88) return frame;
  }
}

/** The server still does its work, on the same route. */
async function expectEcho(port: number, path = '/nowhere/never'): Promise<void> {
  const peer = await Peer.open(port, path, HELLO);
  expect(await peer.readFrame()).toEqual({ first: 0x81, payload: Buffer.from('hello') });
  peer.write(BYE);
  await peer.expectClose(CloseCode.Normal);
  await peer.closed;
}

describe('user code that fails', () => {
  it.each(CELLS)(
    '$place $way: this client sees $seen, the hook hears, the next one works',
    async (cell) => {
      const reported = deferred();
      const errors: unknown[] = [];
      const error = (each: unknown): void => {
        errors.push(each);
        reported.resolve();
      };
      const { port } = await serve([faultRoute(route, { error })]);
      await suffer(port, cell);
      await reported.promise;
      await expectEcho(port);
      expect(errors).toHaveLength(1);
      expectTrueError(errors[0], cell.way);
    },
  );

  it.each(CELLS)('$place $way, and the error hook throws as well', async (cell) => {
    const lines = stderrLines();
    const error = (): void => {
      throw new Error('the hook too');
    };
    const { port } = await serve([faultRoute(route, { error })]);
    await suffer(port, cell);
    await expectEcho(port);
    expect(lines).toHaveLength(2);
    expect(lines[1]).toContain('the hook too');
  });

  it.each(CELLS)('$place $way, and onError rejects', async (cell) => {
    const lines = stderrLines();
    const onError = (): never => Promise.reject(new Error('onError too')) as never;
    const { port } = await serve([faultRoute(route)], { onError });
    await suffer(port, cell);
    await expectEcho(port);
    expect(lines).toHaveLength(2);
    expect(lines[1]).toContain('onError too');
  });
});

/** Middleware errors that are nothing become an Error, for Express takes a falsy one for none. */
function expectTrueError(error: unknown, way: string): void {
  if (way.endsWith('-undefined')) {
    // Whatever stands for `undefined`, it is not the text of another error.
    expect(String((error as Error | undefined)?.message)).not.toContain('secret');
  } else if (way !== 'throws-an-object-that-throws') {
    expect(error).toEqual(new Error('secret detail'));
  }
}

function stderrLines(): string[] {
  const lines: string[] = [];
  jest.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
    lines.push(String(chunk));
    return true;
  });
  return lines;
}

describe('user code of the handshake that fails besides use and auth', () => {
  it('answers 500 when origins throws', async () => {
    const errors: unknown[] = [];
    const origins = (): never => {
      throw new Error('secret detail');
    };
    const { port } = await serve([
      route('/r', { origins }, { error: (error) => errors.push(error) }),
    ]);
    const peer = await Peer.connect(port);
    peer.write(handshake('/r'));
    expect((await peer.readAnswer()).status).toBe(500);
    expect(errors).toEqual([new Error('secret detail')]);
  });

  /** Middleware that hooks into the head of the response, as `on-headers` does it for many others. */
  const hooked = (hook: (status: number) => void) => {
    return (_req: unknown, res: ServerResponse, next: () => void): void => {
      const writeHead = res.writeHead.bind(res);
      res.writeHead = (status: number) => {
        hook(status);
        return writeHead(status);
      };
      next();
    };
  };

  it('answers 500 when a hook of the response throws at the 101', async () => {
    const errors: unknown[] = [];
    const use = hooked((status) => {
      if (status === 101) throw new Error('secret detail');
    });
    const { port } = await serve([
      route('/r', { use: [use] }, { error: (error) => errors.push(error) }),
    ]);
    const peer = await Peer.connect(port);
    peer.write(handshake('/r'));
    const { status, body } = await peer.readAnswer();
    expect([status, body]).toEqual([500, 'Internal Server Error']);
    expect(errors).toEqual([new Error('secret detail')]);
  });

  it('ends the connection at once when it throws at the 500 as well, and tells of both', async () => {
    const errors: unknown[] = [];
    const use = hooked((status) => {
      throw new Error(`secret detail at ${status}`);
    });
    const { port } = await serve([
      route(
        '/r',
        { use: [use], handshakeTimeout: 60_000 },
        { error: (error) => errors.push(error) },
      ),
    ]);
    const peer = await Peer.connect(port);
    peer.write(handshake('/r'));
    expect((await peer.readToEnd()).length).toBe(0);
    expect(errors).toEqual([101, 500].map((status) => new Error(`secret detail at ${status}`)));
  });

  it('closes with 1011 when a schema throws', async () => {
    const errors: unknown[] = [];
    const validate = (): never => {
      throw new Error('secret detail');
    };
    const receive = { '~standard': { version: 1, vendor: 'test', validate } } as const;
    const { port } = await serve([
      route('/r', { receive }, { message: () => {}, error: (error) => errors.push(error) }),
    ]);
    const peer = await Peer.open(port, '/r', clientFrame({ first: 0x81, payload: '{}' }));
    expect(await peer.expectClose(CloseCode.InternalError)).toBe('');
    expect(errors).toEqual([new Error('secret detail')]);
  });
});

describe('a client that leaves at any time during an asynchronous auth', () => {
  interface Case {
    readonly what: string;
    readonly use?: (req: unknown, res: unknown, next: () => void) => unknown;
    readonly verdict: () => unknown;
  }

  const cases: Case[] = [
    { what: 'that lets in', verdict: () => ({}) },
    { what: 'that refuses', verdict: () => reject(401, 'no') },
    {
      what: 'that throws',
      verdict() {
        throw new Error('from auth');
      },
    },
    {
      what: 'that lets in, behind middleware',
      verdict: () => ({}),
      use: (_req, _res, next) => turns(2).then(next),
    },
  ];

  it.each(cases)('ends only that client, with an auth $what', async ({ verdict, use }) => {
    let opened = 0;
    let closed = 0;
    const codes = new Set<number>();
    const signals: AbortSignal[] = [];
    const decided = deferred();
    let asked = 0;
    const { port, sockets } = await serve([
      route(
        '/r',
        {
          use: use ?? [],
          async auth(_req, { signal }) {
            signals.push(signal);
            await turns(5);
            if (++asked === 40) decided.resolve();
            return verdict();
          },
        },
        {
          open() {
            opened++;
          },
          close(_socket, code) {
            closed++;
            codes.add(code);
          },
          error: () => undefined,
        },
      ),
      route('/echo', (socket) => void socket.on('message', (data) => socket.send(data))),
    ]);
    for (let i = 0; i < 40; i++) {
      const peer = await Peer.connect(port);
      peer.write(handshake('/r'));
      // Until auth was asked, and then between none and a dozen turns.
      await until(() => signals.length > i);
      await turns(i % 13);
      if (i % 2 === 0) peer.reset();
      else peer.socket.end();
    }
    await decided.promise;
    await expectEcho(port, '/echo');
    await sockets.close({ timeout: 1000 });
    expect(sockets.clients.size).toBe(0);
    expect(closed).toBe(opened);
    expect([...codes].filter((code) => code !== 1006 && code !== 1001)).toEqual([]);
    expect(signals[0]?.aborted).toBe(true);
  });

  it('tells auth at once, while it is still waiting', async () => {
    const { undecided, asked, aborted } = undecidedRoute('/r');
    const { port, sockets } = await serve([undecided]);
    const peer = await Peer.connect(port);
    peer.write(handshake('/r'));
    await asked;
    peer.reset();
    await aborted;
    await sockets.close();
  });
});

describe('a malformed frame, with no error listener anywhere', () => {
  const key = '37fa213d';
  const faults: [what: string, bytes: Buffer, code: number][] = [
    ['unmasked (§5.1)', UNMASKED, CloseCode.ProtocolError],
    ['of a reserved opcode (§5.2)', clientFrame({ first: 0x83, key }), CloseCode.ProtocolError],
    ['with RSV1 and no extension', clientFrame({ first: 0xc1, key }), CloseCode.ProtocolError],
    ['a ping in fragments (§5.5)', clientFrame({ first: 0x09, key }), CloseCode.ProtocolError],
    ['a ping of 126 bytes (§5.5)', hex('89 fe 007e 00000000'), CloseCode.ProtocolError],
    ['a continuation of nothing (§5.4)', clientFrame({ first: 0x80 }), CloseCode.ProtocolError],
    [
      'text within a message (§5.4)',
      Buffer.concat([clientFrame({ first: 0x01 }), HELLO]),
      CloseCode.ProtocolError,
    ],
    ['of 2^63 bytes (§5.2)', hex('82 ff 8000000000000000 00000000'), CloseCode.MessageTooBig],
    ['a close of one byte (§5.5.1)', hex('88 81 00000000 03'), CloseCode.ProtocolError],
    ['a close with 1005 (§7.4.1)', hex('88 82 00000000 03ed'), CloseCode.ProtocolError],
    ['text that is no UTF-8 (§8.1)', hex('81 82 00000000 c328'), CloseCode.InvalidPayload],
    ['a close reason that is no UTF-8', hex('88 83 00000000 03e8 ff'), CloseCode.InvalidPayload],
    ['of more than maxPayload', hex('82 fe 03e9 00000000'), CloseCode.MessageTooBig],
  ];

  it.each(faults)('%s: that socket ends, the next one works', async (_what, bytes, code) => {
    const seen = deferred<number>();
    const { port } = await serve([
      route(
        '/:a/:b',
        { maxPayload: 1000 },
        {
          message: (socket, data) => void socket.send(data),
          close: (socket, closeCode) => {
            if (socket.params.a === 'bad') seen.resolve(closeCode);
          },
        },
      ),
    ]);
    const peer = await Peer.open(port, '/bad/one', bytes);
    await peer.expectClose(code);
    expect((await peer.readToEnd()).length).toBe(0);
    expect(await seen.promise).toBe(code);
    await expectEcho(port);
  });
});

describe('in a process with no handlers at all', () => {
  it('lives through every fault there is, and ends by itself when closed', async () => {
    const child = new Child('process-safety.mjs');
    const ports = await child.says<number[]>('ports');
    for (const port of ports) {
      for (const cell of CELLS) await suffer(port, cell);
      await expectEcho(port);
    }
    const [port = 0] = ports;
    // Its auth takes 20 ms: some leave before that is over, some after, and some in that moment.
    const leaving = Array.from({ length: 40 }, async (_, i) => {
      const peer = await Peer.connect(port);
      peer.write(handshake('/slow'), UNMASKED);
      await pause(i);
      peer.reset();
      await peer.closed;
    });
    await Promise.all(leaving);
    await expectEcho(port);
    expect(child.isRunning).toBe(true);
    child.tell('stop');
    const { code, stdout, stderr } = await child.ended;
    expect([code, stdout.includes('stopped true')]).toEqual([0, true]);
    // One line each on the first server; on the second two, for its onError failed as well.
    const lines = stderr.trim().split('\n');
    expect(lines.filter((line) => !line.startsWith('attach-websocket: error in '))).toEqual([]);
    expect(lines).toHaveLength(CELLS.length * 3);
  }, 15_000);
});
