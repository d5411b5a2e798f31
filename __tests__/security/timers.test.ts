import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { AuthInfo } from '../../lib/express/route';
import { Child } from '../scenarios/support/child';
import { handshake, Peer } from '../scenarios/support/peer';
import { afterTest, deferred, stopAll, until } from '../scenarios/support/server';
import {
  isEchoing,
  isFull,
  itDefends,
  serveOn,
  buildWithout,
  whole,
  without,
  type Lib,
} from './children/control-support';

afterEach(stopAll);

/** What is there of everything that could be forgotten. */
interface Inventory {
  readonly resources: string[];
  readonly listeners: [event: string, count: number][];
  readonly clients: number;
  readonly alarms: number;
  readonly connections: number;
  readonly objects: number[];
}

interface Left {
  readonly before: Inventory;
  readonly after: Inventory;
  readonly heldGrowth: number;
  readonly warnings: string[];
  readonly places: string[];
}

/** Clients that come and go, in every way; what is there before and after. */
async function cycle(count: number, build?: string): Promise<Left> {
  const script = '../../security/children/control-cycles.mjs';
  const args = build === undefined ? [String(count), '30000'] : [String(count), '300', build];
  const child = new Child(script, args, ['--expose-gc']);
  const left = await child.says<Omit<Left, 'places'>>('left');
  return { ...left, places: await child.says<string[]>('places') };
}

/** As many places as there are, and not one more. */
const PLACES = [...Array<string>(20).fill('101'), '503'];

describe('T-1 connections that come and go: clean, reset, FIN, in the middle of everything', () => {
  it('leave no timer, listener, socket or object behind, and give their places back', async () => {
    const count = isFull ? 10_000 : 1000;
    const { before, after, heldGrowth, warnings, places } = await cycle(count);
    process.stdout.write(
      `T-1 ${count} cycles: held +${(heldGrowth / 1024).toFixed(0)} KiB, ${JSON.stringify(after)}\n`,
    );
    expect(after).toEqual(before);
    expect(after).toMatchObject({ clients: 0, alarms: 0, connections: 0, objects: [0, 0] });
    expect(after.listeners).toContainEqual(['upgrade', 1]);
    expect(after.resources).not.toContain('Timeout');
    expect([warnings, places]).toEqual([[], PLACES]);
    // Code that was compiled meanwhile; one socket alone has 1 KiB and more.
    expect(heldGrowth).toBeLessThan(count * 1024);
  }, 120_000);

  const leaks: [what: string, build: () => string, shows: (left: Left) => unknown][] = [
    [
      'sockets',
      () => buildWithout(['express/mount.ts', 'this.sockets.delete(socket);', '']),
      ({ after }) => after.clients > 20 && after.objects[0]! > 20,
    ],
    [
      'timers',
      () =>
        buildWithout(
          ['socket/session.ts', 'if (this.#idle !== undefined) clock.clear(this.#idle);', ''],
          ['socket/session.ts', 'if (this.#expiry !== undefined) clock.clear(this.#expiry);', ''],
        ),
      ({ after }) => after.alarms > 20 && after.objects[0]! > 20,
    ],
    [
      'places',
      () => buildWithout(['express/admission.ts', 'this.#count--;', '']),
      ({ places }) => places.includes('101') && places.filter((each) => each === '503').length > 1,
    ],
    [
      'listeners',
      () =>
        buildWithout([
          'express/gate.ts',
          "arrival.transport.on('error', ignoreError);",
          "arrival.transport.on('error', ignoreError); this.#server.on('close', () => arrival);",
        ]),
      ({ after, warnings }) =>
        after.listeners.some(([, count]) => count > 20) &&
        warnings.includes('MaxListenersExceededWarning'),
    ],
  ];

  it.each(leaks)(
    'show where %s are forgotten',
    async (what, build, shows) => {
      // Where places are not given back, nobody gets in any more: only as many as there are.
      const left = await cycle(what === 'places' ? 5 : 40, build());
      expect(shows(left)).toBe(true);
    },
    60_000,
  );
});

describe('T-2 handshakes under way', () => {
  interface Pended {
    readonly status: number | undefined;
    readonly body: string | undefined;
    readonly isEchoing: boolean;
  }

  /** Many whose `auth` never ends; then one of those, and one that needs no `auth`. */
  async function pend(lib: Lib, count: number, options = {}): Promise<Pended> {
    const signals: AbortSignal[] = [];
    const auth = (_req: unknown, { signal }: AuthInfo): Promise<object> => {
      signals.push(signal);
      return new Promise(() => undefined);
    };
    const echo = lib.route('/echo', { message: (socket, data) => void socket.send(data) });
    const slow = lib.route('/slow', { auth }, () => undefined);
    const { port } = await serveOn(lib, [echo, slow], { handshakeTimeout: 60_000, ...options });
    const peers: Peer[] = [];
    for (let at = 0; at < count; at++) {
      const peer = await Peer.connect(port);
      peer.write(handshake('/slow'));
      peers.push(peer);
    }
    await until(() => signals.length === count);
    const oneMore = await Peer.connect(port);
    oneMore.write(handshake('/slow'));
    await isEchoing(port);
    const isAsked = signals.length > count;
    const answer = isAsked ? undefined : await oneMore.readAnswer();
    for (const peer of peers) peer.reset();
    await until(() => signals.filter(({ aborted }) => aborted).length === count);
    const again = await Peer.connect(port);
    again.write(handshake('/slow'));
    await until(() => signals.length === count + (isAsked ? 2 : 1));
    return { status: answer?.status, body: answer?.body, isEchoing: await isEchoing(port) };
  }

  const unlimited = without([
    'express/attachment.ts',
    'this.#pending.size >= this.#maxPending',
    'false',
  ]);
  const refused: Pended = { status: 503, body: 'too many handshakes', isEchoing: true };

  it('are 1000 at most, and each that leaves makes room', async () => {
    expect(await pend(whole, 1000)).toEqual(refused);
  }, 30_000);

  itDefends('are as many as is said', {
    attack: (lib) => pend(lib, 3, { maxPendingHandshakes: 3 }),
    holds: refused,
    without: unlimited,
    breaks: { status: undefined, body: undefined, isEchoing: true },
  });

  itDefends('end with handshakeTimeout, and their signal fires', {
    async attack(lib, patience) {
      const aborted = deferred<string>();
      const auth = (_req: unknown, { signal }: AuthInfo): Promise<object> => {
        signal.addEventListener('abort', () => aborted.resolve('aborted'));
        return new Promise(() => undefined);
      };
      const slow = lib.route('/slow', { auth }, () => undefined);
      const { port } = await serveOn(lib, [slow], { handshakeTimeout: 100 });
      const peer = await Peer.connect(port);
      peer.write(handshake('/slow'));
      const answer = peer.readAnswer().then(({ status }) => status);
      return [
        await Promise.race([answer, patience()]),
        await Promise.race([aborted.promise, patience()]),
      ];
    },
    holds: [503, 'aborted'],
    without: without([
      'express/exchange.ts',
      'clock.set(this, ms - (now - this.#waitingSince));',
      '',
    ]),
    breaks: [undefined, undefined],
  });
});

describe('threat 3: a client that is there no more, and does not say so', () => {
  itDefends('is found out by its silence: 1006, for a process that was stopped', {
    async attack(lib, patience) {
      const opened = deferred();
      const closed = deferred<number>();
      const { port } = await serveOn(
        lib,
        [
          lib.route('/w', {
            open: () => opened.resolve(),
            close: (_socket, code) => closed.resolve(code),
          }),
        ],
        { pingInterval: 100, pingTimeout: 200 },
      );
      const script = join(__dirname, 'children/control-client.mjs');
      const client = spawn(process.execPath, [script, String(port)], { stdio: 'ignore' });
      afterTest(() => client.kill('SIGKILL'));
      await opened.promise;
      client.kill('SIGSTOP');
      return Promise.race([closed.promise, patience()]);
    },
    holds: 1006,
    without: without(['socket/heartbeat.ts', 'owner.onSilence();', '']),
    breaks: undefined,
  });
});
