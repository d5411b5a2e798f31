import type { Route } from '../../lib';
import { clientFrame, hex, repeat } from '../support/bytes';
import { Child } from '../scenarios/support/child';
import { Peer } from '../scenarios/support/peer';
import { deferred, pause, stopAll, turns, until } from '../scenarios/support/server';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import {
  buildWithout,
  itDefends,
  serveOn,
  settle,
  without,
  type Lib,
} from './children/control-support';

afterEach(stopAll);

const TEXT = (payload: string): Buffer => clientFrame({ first: 0x81, payload });
const HELLO = TEXT('{"a":1}');
const INVALID = TEXT('{"a":2}');
const PING = clientFrame({ first: 0x89 });
const PONG = clientFrame({ first: 0x8a });
const BYE = hex('88 82 00000000 03e8');
const BAD = hex('83 80 00000000');

/** Where user code fails, what makes it, and the close code that the client sees. */
const PLACES: [place: string, provoke: Buffer, code: number][] = [
  ['open', Buffer.alloc(0), 1011],
  ['message', HELLO, 1011],
  ['invalid', INVALID, 1011],
  ['ping', PING, 1011],
  ['pong', PONG, 1011],
  ['drain', HELLO, 1011],
  ['close', BYE, 1000],
  ['error', BAD, 1002],
  ['async-listener', HELLO, 1011],
];

const WAYS = ['throws', 'rejects', 'throws-undefined', 'rejects-undefined', 'throws-unshowable'];

interface Suffered {
  readonly code: number | null;
  readonly wrong: string[];
  readonly reported: number;
}

/** Every failure in a process without handlers: what was not as it should be. */
async function suffer(build?: string, ways: readonly string[] = WAYS): Promise<Suffered> {
  const script = '../../security/children/control-faults.mjs';
  const child = new Child(script, build === undefined ? [] : [build]);
  const port = await child.says<number>('port');
  // Without a defence it may be gone when it is told to.
  child.process.stdin?.on('error', () => undefined);
  const wrong: string[] = [];
  for (const [place, provoke, code] of PLACES) {
    for (const way of ways) {
      const last = lastCode(port, `/${place}/${way}`, provoke).catch(() => 'nothing');
      const seen = await Promise.race([last, ...(build === undefined ? [] : [stuck()])]);
      if (seen !== code) wrong.push(`${place} ${way}: ${seen}`);
      if (!child.isRunning) return { ...(await child.ended), wrong, reported: 0 };
    }
  }
  child.tell('stop');
  const { code, stderr } = await child.ended;
  return { code, wrong, reported: stderr.split('attach-websocket: error in ').length - 1 };
}

async function stuck(): Promise<string> {
  await pause(400);
  return 'stuck';
}

/** The code of the close frame at the end, whatever comes before it; never stuck. */
async function lastCode(port: number, path: string, bytes: Buffer): Promise<number> {
  const peer = await Peer.open(port, path, bytes);
  for (;;) {
    const { first, payload } = await peer.readFrame();
    if (first !== 0x88) continue;
    peer.write(BYE);
    await peer.readToEnd();
    return payload.readUInt16BE();
  }
}

describe('X-1, X-2, X-3 user code that fails, in a process without handlers', () => {
  it('ends its socket with 1011, is told of, and ends nothing else', async () => {
    const count = PLACES.length * WAYS.length;
    // The onError of the child throws as well: two lines for each.
    expect(await suffer()).toEqual({ code: 0, wrong: [], reported: 2 * count });
  }, 30_000);

  const holes: [what: string, build: () => string, ways: string[]][] = [
    [
      'a throw, where hooks are called without a catch',
      () =>
        buildWithout([
          'socket/user-code.ts',
          '    onError(error);\n  }\n  return undefined;',
          '    throw error;\n  }\n  return undefined;',
        ]),
      ['throws'],
    ],
    [
      'a rejection, where nobody waits for what hooks return',
      () => buildWithout(['socket/user-code.ts', "typeof value === 'object' &&", 'value === 0 &&']),
      ['rejects'],
    ],
    [
      'an error that cannot be shown, where it is shown without care',
      () =>
        buildWithout([
          'express/report.ts',
          "return 'something that cannot be shown';",
          'return `${error}`;',
        ]),
      ['throws-unshowable'],
    ],
  ];

  it.each(holes)(
    'show: %s',
    async (_what, build, ways) => {
      const { code, wrong } = await suffer(build(), ways);
      expect({ code, wrong }).not.toEqual({ code: 0, wrong: [] });
    },
    30_000,
  );

  /** One bad frame on a route where nobody listens to anything. */
  async function failOnce(build?: string): Promise<{ code: number | null; stderr: string }> {
    const script = '../../security/children/control-faults.mjs';
    const child = new Child(script, build === undefined ? [] : [build]);
    child.process.stdin?.on('error', () => undefined);
    const port = await child.says<number>('port');
    await lastCode(port, '/none/none', BAD).catch(() => 0);
    child.tell('stop');
    return child.ended;
  }

  it('X-3 needs no error listener for a bad frame', async () => {
    expect(await failOnce()).toMatchObject({ code: 0, stderr: '' });
  });

  it("X-3 would need one if 'error' were emitted as Node does", async () => {
    const asNode = buildWithout(
      [
        'socket/session.ts',
        "this.#emit('error', [error]);",
        "process.nextTick(() => EventEmitter.prototype.emit.call(this.socket, 'error', error));",
      ],
      [
        'socket/session.ts',
        'import { Expiry',
        "import { EventEmitter } from 'node:events';\nimport { Expiry",
      ],
    );
    expect((await failOnce(asNode)).code).not.toBe(0);
  });
});

describe('X-4 asynchronous handlers', () => {
  const COUNT = 200;

  itDefends('get one message at a time, in order', {
    async attack(lib) {
      let inFlight = 0;
      let most = 0;
      const order: number[] = [];
      const { port } = await serveOn(lib, [
        lib.route('/w', {
          async message(_socket, data) {
            most = Math.max(most, ++inFlight);
            // The first take the longest.
            await turns(Math.max(0, 20 - Number(data)));
            order.push(Number(data));
            inFlight--;
          },
        }),
      ]);
      const frames = Array.from({ length: COUNT }, (_, at) => TEXT(String(at)));
      await Peer.open(port, '/w', Buffer.concat(frames));
      await until(() => order.length === COUNT);
      return [most, order.every((number, at) => number === at)];
    },
    holds: [1, true],
    without: without(['socket/inbox.ts', 'if (waiting === undefined) {', 'if (true) {']),
    breaks: [expect.any(Number) as number, false],
  });

  itDefends('that take long are not given more than 16: then reading stops, and memory stays', {
    async attack(lib) {
      const handling = deferred();
      const never = new Promise<void>(() => undefined);
      const { port } = await serveOn(lib, [
        lib.route('/w', {
          message() {
            handling.resolve();
            return never;
          },
        }),
      ]);
      const peer = await Peer.open(port, '/w');
      const frame = clientFrame({ first: 0x82, payload: Buffer.alloc(65_536) });
      // Much more than all the buffers of the kernel on the way.
      const all = repeat(frame, 512);
      const taken = new Promise((resolve) => peer.socket.write(all, () => resolve('all')));
      await handling.promise;
      await settleOn(lib);
      // What was not taken by now is not taken as long as nothing is handled.
      return Promise.race([taken, settleOn(lib).then(() => 'stopped')]);
    },
    holds: 'stopped',
    without: without([
      'socket/inbox.ts',
      'const mayRead = !this.#isPaused && !isFull;',
      'const mayRead = !this.#isPaused;',
    ]),
    breaks: 'all',
  });
});

async function settleOn(lib: Lib): Promise<void> {
  const echo: Route = lib.route('/echo', { message: (socket, data) => void socket.send(data) });
  const { port } = await serveOn(lib, [echo]);
  await settle(port);
}

describe('X-5 what gets as far as the process', () => {
  it('fails the test that it strays from, and no other', async () => {
    const root = join(__dirname, '../..');
    const config = {
      rootDir: root,
      testMatch: ['<rootDir>/__tests__/security/children/control-stray.js'],
      transform: { '^.+\\.ts$': ['ts-jest', { tsconfig: '<rootDir>/__tests__/tsconfig.json' }] },
      setupFilesAfterEnv: ['<rootDir>/__tests__/support/setup.ts'],
    };
    const jest = join(root, 'node_modules/jest/bin/jest.js');
    const args = [jest, '--runInBand', '--verbose', '--config', JSON.stringify(config)];
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] });
    let output = '';
    child.stderr.on('data', (chunk) => (output += String(chunk)));
    const [code] = (await once(child, 'close')) as [number | null];
    const verdicts = [...output.matchAll(/([✓✕]) (stray \w+)/g)].map(([, sign, what]) => [
      sign,
      what,
    ]);
    expect(verdicts).toEqual([
      ['✓', 'stray nothing'],
      ['✕', 'stray throw'],
      ['✕', 'stray reject'],
    ]);
    expect(code).toBe(1);
  }, 60_000);
});
