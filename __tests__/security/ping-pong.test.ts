import { Peer } from '../scenarios/support/peer';
import { stopAll } from '../scenarios/support/server';
import { itDefends, serveOn, without, type Lib } from './children/control-support';
import { framesUntilEnd, GO, onGo } from './on-go';

afterEach(stopAll);

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
