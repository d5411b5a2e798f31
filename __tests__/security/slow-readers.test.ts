import { once } from 'node:events';
import { connect } from 'node:net';
import type { AttachOptions } from '../../lib';
import { Child } from '../scenarios/support/child';
import { handshake, Peer } from '../scenarios/support/peer';
import { afterTest, deferred, stopAll, turns } from '../scenarios/support/server';
import {
  isFull,
  itDefends,
  serveOn,
  buildWithout,
  without,
  type Lib,
} from './children/control-support';

afterEach(stopAll);

const MIB = 1_048_576;

/** A client that never reads a byte. */
async function knockAndStarve(port: number, path: string): Promise<void> {
  const peer = await Peer.connect(port);
  peer.socket.pause();
  peer.write(handshake(path));
}

/** A message for which the buffers of the kernel are too small. */
const LARGE = Buffer.alloc(16 * MIB);

describe('B-1 a peer that does not read', () => {
  /** What is taken and what is not, of messages that go on and on. */
  const starve =
    (options: AttachOptions) =>
    async (lib: Lib): Promise<{ state: number; taken: number; errors: unknown[] }> => {
      const done = deferred<{ state: number; taken: number; errors: unknown[] }>();
      const errors: unknown[] = [];
      const { port } = await serveOn(
        lib,
        [
          lib.route('/slow', async (socket) => {
            const note = (error?: (Error & { code?: string }) | null): void => {
              if (error) errors.push(error.code);
            };
            socket.send(LARGE);
            await turns(3);
            let taken = 0;
            for (let at = 0; at < 10; at++) {
              const before = socket.bufferedAmount;
              socket.send(Buffer.alloc(MIB), note);
              if (socket.bufferedAmount > before + MIB / 2) taken++;
            }
            await turns(3);
            done.resolve({ state: socket.readyState, taken, errors });
          }),
        ],
        options,
      );
      await knockAndStarve(port, '/slow');
      return done.promise;
    };

  const unlimited = without([
    'socket/sender.ts',
    'if (buffered <= this.#settings.maxBackpressure) return true;',
    'return true;',
  ]);
  const refused = ['ERR_WS_BACKPRESSURE', ...Array<string>(9).fill('ERR_WS_NOT_OPEN')];

  itDefends('gets no more than maxBackpressure, and is closed', {
    attack: starve({ maxBackpressure: MIB }),
    holds: { state: 2, taken: 0, errors: refused },
    without: unlimited,
    breaks: { state: 1, taken: 10, errors: [] },
  });

  itDefends('is told of each message that was dropped, where that is the policy', {
    attack: starve({ maxBackpressure: MIB, onBackpressure: 'drop' }),
    holds: { state: 1, taken: 0, errors: Array<string>(10).fill('ERR_WS_BACKPRESSURE') },
    without: unlimited,
    breaks: { state: 1, taken: 10, errors: [] },
  });

  itDefends('is gone after closeTimeout when nothing moves, and 1013 is told', {
    async attack(lib, patience) {
      const closed = deferred<number>();
      const { port } = await serveOn(
        lib,
        [
          lib.route('/slow', {
            async open(socket) {
              socket.send(LARGE);
              await turns(3);
              socket.send('one more');
            },
            close: (_socket, code) => closed.resolve(code),
          }),
        ],
        { maxBackpressure: MIB, closeTimeout: 100 },
      );
      await knockAndStarve(port, '/slow');
      return Promise.race([closed.promise, patience()]);
    },
    holds: 1013,
    without: without([
      'socket/closing.ts',
      'if (!this.isSet) clock.set(this, this.#owner.settings.closeTimeout);',
      '',
    ]),
    breaks: undefined,
  });
});

describe('B-2 400 000 times 1 KB', () => {
  interface Figures {
    readonly heldGrowth: number;
    readonly rssGrowth: number;
    readonly maxBuffered: number;
    readonly refused: number;
  }

  const mib = (size: number): string => `${(size / MIB).toFixed(1)} MiB`;

  /** Sent to a client that does not read; what that costs the server at most. */
  async function starve(count: number, build?: string): Promise<Figures> {
    const script = '../../security/children/control-slow-reader.mjs';
    const args = build === undefined ? [String(count)] : [String(count), build];
    const child = new Child(script, args, ['--expose-gc']);
    const client = connect(await child.says<number>('port'), '127.0.0.1');
    afterTest(() => client.destroy());
    client.on('error', () => undefined).pause();
    await once(client, 'connect');
    client.write(handshake('/slow'));
    const sent = await child.says<Figures>('sent');
    // It begins to read: what was taken for it leaves, and that is told.
    client.on('data', () => undefined).resume();
    await child.says('drained');
    const { heldGrowth, rssGrowth, maxBuffered, refused } = sent;
    process.stdout.write(
      `B-2 ${count} x 1 KB${build === undefined ? '' : ', without the defence'}: held +${mib(heldGrowth)}, ` +
        `rss +${mib(rssGrowth)}, buffered at most ${mib(maxBuffered)}, dropped ${refused}\n`,
    );
    return sent;
  }

  it('to a peer that does not read are dropped above the limit, and cost no more memory', async () => {
    const count = isFull ? 400_000 : 100_000;
    const { heldGrowth, maxBuffered, refused } = await starve(count);
    expect(maxBuffered).toBeLessThanOrEqual(MIB + 2048);
    // What may be buffered, a copy of what is at hand, and the slabs of a turn.
    expect(heldGrowth).toBeLessThan(3 * MIB);
    // The kernel has buffers as well.
    expect(refused).toBeGreaterThan(count / 2);
  }, 60_000);

  it('to a peer that does not read are all held without the limit', async () => {
    const build = buildWithout([
      'socket/sender.ts',
      'if (buffered <= this.#settings.maxBackpressure) return true;',
      'return true;',
    ]);
    const { heldGrowth, maxBuffered, refused } = await starve(60_000, build);
    expect(maxBuffered).toBeGreaterThan(16 * MIB);
    expect(heldGrowth).toBeGreaterThan(16 * MIB);
    expect(refused).toBe(0);
  }, 60_000);
});

describe('threat 7: one slow reader in a room', () => {
  itDefends('costs the other members nothing, in each turn anew', {
    async attack(lib) {
      const opened = deferred();
      const { port, sockets } = await serveOn(
        lib,
        [
          lib.route('/r', (socket) => {
            socket.join('all');
            if (sockets.clients.size === 5) opened.resolve();
          }),
        ],
        { maxBackpressure: MIB, closeTimeout: 200 },
      );
      await knockAndStarve(port, '/r');
      const peers = await Promise.all(Array.from({ length: 4 }, () => Peer.open(port, '/r')));
      await opened.promise;
      // A mebibyte each time: the one is behind soon, and then closed.
      let left = 5;
      for (let round = 0; round < 20 && left === 5; round++) {
        left = sockets.to('all').send(Buffer.alloc(MIB));
        for (const peer of peers) await peer.read(MIB + 10);
      }
      return left;
    },
    holds: 4,
    without: without([
      'socket/sender.ts',
      'if (buffered <= this.#settings.maxBackpressure) return true;',
      'return true;',
    ]),
    breaks: 5,
  });
});
