import { once } from 'node:events';
import type { Route } from '../../lib';
import { clientFrame, hex } from '../support/bytes';
import { Child } from '../scenarios/support/child';
import { Peer } from '../scenarios/support/peer';
import { stopAll } from '../scenarios/support/server';
import {
  isFull,
  itDefends,
  serveOn,
  buildWithout,
  without,
  type Lib,
} from './children/control-support';

afterEach(stopAll);

const PING = clientFrame({ first: 0x89, payload: 'p'.repeat(125) });

/** A route that does this with its socket when told 'go', and then says 'end'. */
function onGo(lib: Lib, act: (socket: never) => void): Route {
  return lib.route('/go', (socket) => {
    socket.on('message', () => {
      act(socket as never);
      socket.send('end');
    });
  });
}

const GO = clientFrame({ first: 0x81, payload: 'go' });

/** The frames up to 'end', as hex. */
async function framesUntilEnd(peer: Peer): Promise<string[]> {
  const frames: string[] = [];
  for (;;) {
    const { first, payload } = await peer.readFrame();
    if (payload.toString() === 'end') return frames;
    frames.push(`${first.toString(16)} ${payload.toString('hex')}`);
  }
}

describe('P-1 what is no bytes, and bytes that are a part of more', () => {
  // What lies around the views must not get on the wire.
  const around = Buffer.alloc(64, 0x55);
  around.fill(0xaa, 16, 24);
  const memory = around.buffer.slice(around.byteOffset, around.byteOffset + 64);
  const shared = new SharedArrayBuffer(4);
  new Uint8Array(shared).fill(0xbb);

  const nothings: unknown[] = [
    0,
    5,
    100_000,
    -1,
    5n,
    true,
    {},
    [],
    [1, 2],
    { length: 20 },
    { byteLength: 20, buffer: memory },
    new Date(0),
    new Number(20),
    Symbol('s'),
    null,
    () => 'x',
  ];
  const views: unknown[] = [
    new Uint8Array(memory, 16, 8),
    new Float32Array(memory, 16, 2),
    new DataView(memory, 17, 3),
    new BigUint64Array(memory, 16, 1),
    around.subarray(16, 20),
    new Uint8Array(memory).subarray(20, 22),
    new Uint8Array(memory, 16, 0),
    memory.slice(16, 18),
    shared,
    '\u20ac',
    '',
  ];
  const bytes = ['aa'.repeat(8), 'aa'.repeat(8), 'aaaaaa', 'aa'.repeat(8), 'aaaaaaaa', 'aaaa'];
  const sent = [...bytes, '', 'aaaa', 'bbbbbbbb', 'e282ac', ''];

  type Method = 'send' | 'ping' | 'pong';

  const attack =
    (method: Method, values: readonly unknown[]) =>
    async (lib: Lib): Promise<{ errors: unknown[]; payloads: string[] }> => {
      const errors: unknown[] = [];
      const go = onGo(lib, (socket: Record<Method, (value: unknown) => unknown>) => {
        for (const value of values) {
          try {
            socket[method](value);
          } catch (error) {
            errors.push((error as { code?: string }).code);
          }
        }
      });
      const { port } = await serveOn(lib, [go]);
      const frames = await framesUntilEnd(await Peer.open(port, '/go', GO));
      return { errors, payloads: frames.map((frame) => frame.split(' ')[1] ?? '') };
    };

  const withNumbers = without([
    'socket/outgoing.ts',
    'isAnyArrayBuffer(data) ? Buffer.from(data) : undefined',
    "typeof data === 'number' && data > 0 ? Buffer.alloc(3) : isAnyArrayBuffer(data) ? Buffer.from(data) : undefined",
  ]);
  const withAllAround = without([
    'socket/outgoing.ts',
    'Buffer.from(data.buffer, data.byteOffset, data.byteLength)',
    'Buffer.from(data.buffer, 0, data.byteLength)',
  ]);
  const refused = Array<string>(nothings.length).fill('ERR_WS_INVALID_DATA');

  describe.each<Method>(['send', 'ping', 'pong'])('%s', (method) => {
    itDefends('takes nothing else than bytes and text', {
      attack: attack(method, nothings),
      holds: { errors: refused, payloads: [] },
      without: withNumbers,
      breaks: { errors: refused.slice(2), payloads: ['000000', '000000'] },
    });

    itDefends('sends exactly the bytes of a view', {
      attack: attack(method, views),
      holds: { errors: [], payloads: sent },
      without: withAllAround,
      breaks: {
        errors: [],
        payloads: sent.map((payload, at) =>
          at < 6 && at !== 4 ? '55'.repeat(payload.length / 2) : payload,
        ),
      },
    });
  });

  type CloseArguments = readonly [code: unknown, reason?: unknown];

  const tryToClose =
    (calls: readonly CloseArguments[]) =>
    async (lib: Lib): Promise<{ outcomes: unknown[]; frames: string[] }> => {
      const outcomes: unknown[] = [];
      const go = lib.route('/go', {
        message(socket) {
          for (const [code, reason = ''] of calls) {
            try {
              socket.close(code as number, reason as string);
              outcomes.push(socket.readyState);
            } catch (error) {
              outcomes.push((error as { code?: string }).code);
            }
          }
        },
      });
      const { port } = await serveOn(lib, [go]);
      const peer = await Peer.open(port, '/go', GO);
      const { first, payload } = await peer.readFrame();
      return { outcomes, frames: [`${first.toString(16)} ${payload.length}`] };
    };

  const INVALID = 'ERR_WS_INVALID_ARGUMENT';
  const RANGE = 'ERR_WS_OUT_OF_RANGE';
  const noReasons = [new Float32Array(20), 20, {}, ['a'], Symbol('s'), null];
  const noCodes = ['1000', NaN, 1000.5, null, {}, Symbol('s'), new Float32Array(20)];

  itDefends('close takes no reason but a string, and no code but an integer', {
    attack: tryToClose([
      ...noReasons.map((reason) => [1000, reason] as const),
      ...noCodes.map((code) => [code] as const),
      [1000, 'end'],
    ]),
    holds: { outcomes: [...Array<string>(13).fill(INVALID), 2], frames: ['88 5'] },
    without: without(
      ['protocol/close.ts', "typeof reason !== 'string'", 'reason === null'],
      ['protocol/close.ts', 'Buffer.byteLength(reason)', 'Object(reason).byteLength ?? 0'],
      ['protocol/close.ts', 'body.write(reason, 2)', ''],
    ),
    // The first one closes, with 80 bytes of whatever was in memory.
    breaks: { outcomes: expect.arrayContaining([2]) as unknown[], frames: ['88 82'] },
  });

  itDefends('close counts the reason in bytes: 41 times three fit, 42 times do not', {
    attack: tryToClose([
      [1000, '\u20ac'.repeat(42)],
      [1000, '\u20ac'.repeat(41)],
    ]),
    holds: { outcomes: [RANGE, 2], frames: ['88 125'] },
    without: without([
      'protocol/close.ts',
      'length > MAX_REASON_BYTES',
      'reason.length > MAX_REASON_BYTES',
    ]),
    breaks: { outcomes: [2, 2], frames: ['88 128'] },
  });
});

describe('P-2 floods of pings', () => {
  itDefends('do not close a peer that reads: 500 in one segment, and it goes on', {
    async attack(lib) {
      const { port } = await serveOn(lib, [onGo(lib, () => undefined)]);
      const peer = await Peer.open(port, '/go');
      const last = clientFrame({ first: 0x89, payload: 'last' });
      peer.write(...Array<Buffer>(499).fill(PING), last, GO);
      const rest = await framesUntilEnd(peer).catch(() => ['closed']);
      return rest.at(-1);
    },
    holds: '8a 6c617374',
    // As a server does that takes a peer with many pings for a slow reader.
    without: without(
      ['socket/connection.ts', 'onPing(payload: Buffer): void {', 'pings = 0; onPing(payload) {'],
      [
        'socket/connection.ts',
        'this.pong(payload);',
        'if (++this.pings > 60) this.terminate(); this.pong(payload);',
      ],
    ),
    breaks: 'closed',
  });

  interface Flood {
    readonly heldGrowth: number;
    readonly rssGrowth: number;
    readonly buffered: number;
  }

  /** So many bytes of pings from a peer that reads nothing; how much more the server holds then. */
  async function flood(bytes: number, dir?: string): Promise<Flood> {
    const child = new Child('../../security/children/control-ping-flood.mjs', dir ? [dir] : [], [
      '--expose-gc',
    ]);
    const port = await child.says<number>('port');
    const count = Math.ceil(bytes / PING.length);
    child.tell(String(count));
    const peer = await Peer.open(port, '/flood');
    peer.socket.pause();
    const batch = Buffer.concat(Array<Buffer>(8192).fill(PING));
    for (let left = count; left > 0; left -= 8192) {
      const isRoomy = peer.socket.write(batch.subarray(0, Math.min(left, 8192) * PING.length));
      if (!isRoomy) await once(peer.socket, 'drain');
    }
    const figures = await child.says<Flood>('figures');
    print(`P-2 ${mib(bytes)} of pings${dir ? ', without the defence' : ''}`, figures);
    return figures;
  }

  const mib = (size: number): string => `${(size / 1_048_576).toFixed(1)} MiB`;

  function print(what: string, { heldGrowth, rssGrowth, buffered }: Flood): void {
    process.stdout.write(
      `${what}: held +${mib(heldGrowth)}, rss +${mib(rssGrowth)}, buffered ${mib(buffered)}\n`,
    );
  }

  const MIB = 1_048_576;

  it('of a peer that does not read cost no memory', async () => {
    const { heldGrowth, buffered } = await flood(isFull ? 256 * MIB : 64 * MIB);
    expect(heldGrowth).toBeLessThan(2 * MIB);
    expect(buffered).toBeLessThan(MIB);
  }, 120_000);

  it('of a peer that does not read cost no memory: not without the defence', async () => {
    const queueEach = buildWithout([
      'socket/outbox.ts',
      'this.#slowPong = { newest: undefined };',
      'return this.pushBytes(first, payload);',
    ]);
    const { heldGrowth, buffered } = await flood(64 * MIB, queueEach);
    expect(heldGrowth).toBeGreaterThan(8 * MIB);
    expect(buffered).toBeGreaterThan(8 * MIB);
  }, 120_000);
});

describe('P-3 pongs that nobody asked for', () => {
  const pong = (payload: string): Buffer => clientFrame({ first: 0x8a, payload });

  const suffer =
    (bytes: Buffer, pings: readonly string[]) =>
    async (lib: Lib): Promise<{ pongs: number; isOpen: boolean }> => {
      let pongs = 0;
      const { port } = await serveOn(lib, [
        lib.route('/p', (socket) => {
          for (const ping of pings) socket.ping(ping);
          socket.on('pong', () => pongs++).on('message', () => socket.send('end'));
        }),
      ]);
      const peer = await Peer.open(port, '/p', Buffer.concat([bytes, GO]));
      const isOpen = await framesUntilEnd(peer).then(
        () => true,
        () => false,
      );
      return { pongs, isOpen };
    };

  const choosy = without([
    'socket/connection.ts',
    'this.#owner.onPong(payload);',
    'this.#owner.onPong(payload); this.terminate();',
  ]);

  const cases: [what: string, pings: string[], pongs: string[]][] = [
    ['before any ping', [], ['x']],
    ['with the wrong payload', ['a'], ['b']],
    ['twice the same', ['a'], ['a', 'a']],
    ['for two pings, the other way round', ['a', 'b'], ['b', 'a']],
  ];

  describe.each(cases)('%s', (_what, pings, pongs) => {
    itDefends('are told, and change nothing', {
      attack: suffer(Buffer.concat(pongs.map(pong)), pings),
      holds: { pongs: pongs.length, isOpen: true },
      without: choosy,
      breaks: { pongs: expect.any(Number) as number, isOpen: false },
    });
  });

  itDefends('may be very many: 200 000 in one write', {
    attack: suffer(Buffer.alloc(6 * 200_000, hex('8a 80 00000000')), []),
    holds: { pongs: 200_000, isOpen: true },
    without: choosy,
    breaks: { pongs: expect.any(Number) as number, isOpen: false },
  });
});
