import fc from 'fast-check';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { AttachOptions } from '../../lib';
import { clientFrame } from '../support/bytes';
import { handshake, Peer } from '../scenarios/support/peer';
import { deferred, stopAll } from '../scenarios/support/server';
import { itDefends, serveOn, whole, without, type Lib } from './children/control-support';

afterEach(async () => {
  await stopAll();
  jest.restoreAllMocks();
});

const ROOT = join(__dirname, '../..');
const TIME = 2 ** 31 - 1;
const SIZE = Number.MAX_SAFE_INTEGER;

/** Every limit that is a number: the least and the most that may be said. */
const LIMITS: Readonly<Record<string, readonly [least: number, most: number]>> = {
  maxPayload: [1, SIZE],
  maxFragments: [1, SIZE],
  highWaterMark: [0, SIZE],
  maxBackpressure: [0, SIZE],
  handshakeTimeout: [1, TIME],
  closeTimeout: [1, TIME],
  pingInterval: [1, TIME],
  pingTimeout: [1, TIME],
  idleTimeout: [1, TIME],
  maxRooms: [1, SIZE],
  maxRoomNameLength: [1, SIZE],
  maxConnections: [1, SIZE],
  maxConnectionsPerIp: [1, SIZE],
  maxPendingHandshakes: [1, SIZE],
};

/** What ends up where a number should be: a setting that is missing, or was never parsed. */
const ACCIDENTS: readonly unknown[] = [
  NaN,
  -1,
  0.5,
  -Infinity,
  2 ** 53,
  '5',
  '',
  '10s',
  'Infinity',
  true,
  false,
  [],
  [5],
  {},
  5n,
  Symbol('s'),
  () => 5,
  new Number(5),
  new Date(5),
];

/** What comes of an option: taken, refused by name, or anything else that is thrown. */
function outcomeOf(lib: Lib, options: unknown, name: string): string {
  try {
    lib.attachWebSocket(() => undefined, createServer(), [], options as AttachOptions);
    const inRoute = name !== 'maxPendingHandshakes';
    if (inRoute) {
      const own = lib.route('/r', options as never, () => undefined);
      lib.attachWebSocket(() => undefined, createServer(), [own]);
    }
    return 'taken';
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return code?.startsWith('ERR_WS_') && message.includes(name) ? 'refused' : String(error);
  }
}

/** Those of the values, said of this option, that are taken. */
const taken = (lib: Lib, name: string, values: readonly unknown[]): unknown[] =>
  values.filter((value) => outcomeOf(lib, { [name]: value }, name) !== 'refused');

describe('T-OPT-1 options that would switch a limit off by accident', () => {
  const unchecked = without([
    'express/checks.ts',
    'if (Number.isInteger(value) && Number(value) >= min && Number(value) <= max) return Number(value);',
    'if (Number(Object(value)) !== 7) return Number(value);',
  ]);

  describe.each(Object.entries(LIMITS))('%s', (name, [least, most]) => {
    itDefends('takes no accident for a number', {
      attack: async (lib) => taken(lib, name, [...ACCIDENTS, least - 1, most + 1]).length > 0,
      holds: false,
      without: unchecked,
      breaks: true,
    });

    it('takes its least and its most, and Infinity, which is no accident', () => {
      const values = [least, least + 1, most - 1, most, Infinity, undefined];
      expect(taken(whole, name, values)).toEqual(values);
    });
  });

  it('whatever is said of any of them is a number in its range, or is refused by name', () => {
    const said = fc.record({
      name: fc.constantFrom(...Object.keys(LIMITS)),
      value: fc.anything({ withNullPrototype: true, withBigInt: true, withDate: true }),
    });
    fc.assert(
      fc.property(said, ({ name, value }) => {
        const [least, most] = LIMITS[name]!;
        const number =
          Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
        const isNothing = value === undefined || value === Infinity;
        // null is nothing where a default stands in for it.
        if (value === null) return true;
        return (outcomeOf(whole, { [name]: value }, name) === 'taken') === (number || isNothing);
      }),
      { numRuns: 500 },
    );
  });

  it('what is refused is refused by name, whatever it is', () => {
    const strange = [Object.create(null), { toString: undefined, valueOf: undefined }];
    for (const value of strange) {
      expect(outcomeOf(whole, { maxPayload: value }, 'maxPayload')).toBe('refused');
    }
  });

  itDefends('a name with a typo is no option', {
    attack: async (lib) =>
      ['maxPayLoad', 'max_payload', 'maxConnection', 'constructor', 'toString'].map((name) =>
        outcomeOf(lib, { [name]: 5 }, name),
      ),
    holds: Array<string>(5).fill('refused'),
    without: without(['express/options.ts', 'if (unknown === undefined) return;', 'return;']),
    breaks: Array<string>(5).fill('taken'),
  });
});

/** Everything that the server answers to this; the date changes, and is left out. */
async function answerTo(port: number, text: string): Promise<string> {
  const peer = await Peer.connect(port);
  peer.write(text);
  const answer = (await peer.readToEnd()).toString();
  return answer.replace(/Date: .*\r\n/, '').replaceAll('\r\n', '\n');
}

const refusal = (status: string, body: string, before = ''): string =>
  `HTTP/1.1 ${status}\nContent-Type: text/plain; charset=utf-8\nX-Content-Type-Options: nosniff\n` +
  `${before}Connection: close\nContent-Length: ${body.length}\n\n${body}`;

describe('threat 30: what refusals tell', () => {
  const table: [
    what: string,
    headers: Record<string, string | undefined>,
    path: string,
    answer: string,
  ][] = [
    [
      'a version',
      { 'Sec-WebSocket-Version': '8' },
      '/w',
      refusal(
        '426 Upgrade Required',
        'Sec-WebSocket-Version is not 13',
        'Sec-WebSocket-Version: 13\n',
      ),
    ],
    [
      'a key',
      { 'Sec-WebSocket-Key': 'x' },
      '/w',
      refusal('400 Bad Request', 'Sec-WebSocket-Key is not 16 bytes of base64'),
    ],
    [
      'an origin',
      { Origin: 'https://evil.com' },
      '/w',
      refusal(
        '403 Forbidden',
        'this origin may not connect: allow it with the option "origins" of the route or of attachWebSocket',
      ),
    ],
    [
      'a body',
      { 'Content-Length': '5' },
      '/w',
      refusal('400 Bad Request', 'an opening handshake has no body'),
    ],
    ['a target', {}, '//w', refusal('400 Bad Request', 'malformed request target')],
    ['a path', {}, '/%zz', refusal('400 Bad Request', 'malformed request target')],
    ['auth', {}, '/no', refusal('403 Forbidden', 'Forbidden')],
    ['a throw', {}, '/throws', refusal('500 Internal Server Error', 'Internal Server Error')],
    [
      'a throw of middleware',
      {},
      '/use',
      refusal('500 Internal Server Error', 'Internal Server Error'),
    ],
  ];

  const leaky = without([
    'express/upgrade.ts',
    "return refusal(status, STATUS_CODES[status] ?? '');",
    'return refusal(status, String(error?.stack));',
  ]);

  async function answers(lib: Lib): Promise<string[]> {
    const fail = (): never => {
      throw new Error('secret');
    };
    const routes = [
      lib.route('/w', () => undefined),
      lib.route('/no', { auth: () => false }, () => undefined),
      lib.route('/throws', { auth: fail }, () => undefined),
      lib.route('/use', { use: fail }, () => undefined),
    ];
    const { port } = await serveOn(lib, routes, { onError: () => undefined });
    return Promise.all(table.map(([, headers, path]) => answerTo(port, handshake(path, headers))));
  }

  itDefends('is short and fixed: no version, no stack, nothing of the error', {
    attack: answers,
    holds: table.map(([, , , answer]) => answer),
    without: leaky,
    breaks: [
      ...table.slice(0, 7).map(([, , , answer]) => answer),
      expect.stringContaining('Error: secret\n    at ') as string,
      expect.stringContaining('Error: secret\n    at ') as string,
    ],
  });

  itDefends('threat 17: a token in the query is in no line of the log', {
    async attack(lib) {
      const lines: string[] = [];
      jest.spyOn(process.stderr, 'write').mockImplementation((text) => {
        lines.push(String(text));
        return true;
      });
      const fail = (): never => {
        throw new Error('broken');
      };
      const { port } = await serveOn(lib, [lib.route('/w', { auth: fail }, () => undefined)]);
      await answerTo(port, handshake('/w?token=s3cret'));
      return [lines.length, lines.join('').includes('s3cret')];
    },
    holds: [1, false],
    without: without([
      'express/report.ts',
      'function print(error: unknown, { route }: ErrorOrigin): void {',
      'function print(error: unknown, { route, req }: ErrorOrigin): void { process.stderr.write(`${req?.url}`);',
    ]),
    breaks: [2, true],
  });
});

describe('threat 27: a flood of bad handshakes', () => {
  const COUNT = 1000;

  itDefends('writes nothing to the log', {
    async attack(lib) {
      let lines = 0;
      jest.spyOn(process.stderr, 'write').mockImplementation(() => ++lines > 0);
      const { port } = await serveOn(lib, [
        lib.route('/w', () => undefined),
        lib.route('/no', { auth: () => lib.reject(401) }, () => undefined),
      ]);
      const bad = [
        handshake('/w', { 'Sec-WebSocket-Key': 'x' }),
        handshake('/w', { Origin: 'https://evil.com' }),
        handshake('/no'),
        handshake('//w'),
      ];
      for (let at = 0; at < COUNT; at += 20) {
        await Promise.all(
          Array.from({ length: 20 }, (_, lane) => answerTo(port, bad[lane % bad.length]!)),
        );
      }
      return lines;
    },
    holds: 0,
    without: without([
      'express/exchange.ts',
      "if (this.#state !== 'pending') return;\n    this.#settle('answered');",
      "process.stderr.write('refused');\n    this.#settle('answered');",
    ]),
    breaks: COUNT,
  });
});

describe('threats 21 and 22: JSON that is more than it seems', () => {
  /** Takes everything, and sends everything. */
  const anything = {
    '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) },
  } as const;

  const MIB = 1_048_576;

  /** What becomes of a message: the close code, or what came back of it; and what was reported. */
  const receive =
    (text: string) =>
    async (lib: Lib): Promise<{ answer: unknown; reported: string[] }> => {
      const reported: string[] = [];
      const closed = deferred<number>();
      const { port } = await serveOn(lib, [
        lib.route(
          '/w',
          { receive: anything, send: anything },
          {
            message(socket, data) {
              const copy: Record<string, unknown> = {};
              for (const [name, value] of Object.entries(data as object)) copy[name] ??= value;
              socket.send({ polluted: ({} as { x?: unknown }).x ?? 'no' });
            },
            close: (_socket, code) => closed.resolve(code),
            error: (error) => reported.push((error as Error).name),
          },
        ),
      ]);
      const peer = await Peer.open(port, '/w', clientFrame({ first: 0x81, payload: text }));
      const { first, payload } = await peer.readFrame();
      if (first !== 0x88) return { answer: JSON.parse(payload.toString()), reported };
      peer.socket.end();
      return { answer: await closed.promise, reported };
    };

  const uncaught = without([
    'express/codec.ts',
    "} catch {\n    return { kind: 'not json' };",
    '} catch (error) {\n    throw error;',
  ]);

  itDefends('a mebibyte of open brackets is no JSON', {
    attack: receive('['.repeat(MIB)),
    holds: { answer: 1007, reported: [] },
    without: uncaught,
    breaks: { answer: 1011, reported: [expect.any(String) as string] },
  });

  itDefends('half a mebibyte of brackets, and as many that close them, ends nothing', {
    attack: receive('['.repeat(MIB / 2) + ']'.repeat(MIB / 2)),
    holds: { answer: { polluted: 'no' }, reported: [] },
    without: without([
      'express/codec.ts',
      'value = JSON.parse(text);',
      'value = JSON.parse(text); const walk = (at) => Object.values(at).forEach(walk); walk(value);',
    ]),
    breaks: { answer: 1007, reported: [] },
  });

  itDefends('a property named __proto__ is the prototype of nothing', {
    attack: async (lib) => {
      try {
        return await receive('{"__proto__":{"x":1},"constructor":{"prototype":{"x":2}}}')(lib);
      } finally {
        // What the control has done must not last.
        delete (Object.prototype as { x?: unknown }).x;
      }
    },
    holds: { answer: { polluted: 'no' }, reported: [] },
    // As a server does that merges what it receives into what it has.
    without: without([
      'express/codec.ts',
      'value = JSON.parse(text);',
      'value = {}; const merge = (to, from) => { for (const key of Object.keys(from)) if (typeof from[key] === "object") merge(to[key] ??= {}, from[key]); else to[key] = from[key]; return to; }; merge(value, JSON.parse(text));',
    ]),
    breaks: { answer: { polluted: 2 }, reported: [] },
  });
});

describe('threat 34: what is installed along with it', () => {
  /** What a text asks to be loaded that is neither ours nor Node's. */
  const foreign = (text: string): string[] =>
    [...text.matchAll(/require\("([^"]+)"\)/g)]
      .map(([, name = '']) => name)
      .filter((name) => !name.startsWith('.') && !name.startsWith('node:'));

  it('is one package of types', async () => {
    const ls = ['ls', '--omit=dev', '--all', '--json', '--silent'];
    const { stdout } = await promisify(execFile)('npm', ls, { cwd: ROOT });
    const { dependencies } = JSON.parse(stdout) as {
      dependencies: Record<string, { dependencies?: unknown }>;
    };
    expect(Object.keys(dependencies)).toEqual(['@standard-schema/spec']);
    expect(dependencies['@standard-schema/spec']?.dependencies).toBeUndefined();
  }, 30_000);

  it('and nothing else is loaded: Node, and the Express of whoever uses it', () => {
    const files = (readdirSync(join(ROOT, 'dist'), { recursive: true }) as string[]).filter(
      (name) => name.endsWith('.js'),
    );
    const loaded = files.flatMap((name) => foreign(readFileSync(join(ROOT, 'dist', name), 'utf8')));
    expect(files.length).toBeGreaterThan(20);
    expect([...new Set(loaded)]).toEqual(['express']);
    expect(foreign('const ws_1 = require("ws"); require("./a.js"); require("node:fs");')).toEqual([
      'ws',
    ]);
  });
});
