import { once } from 'node:events';
import { clientFrame, hex, repeat } from '../support/bytes';
import { Child } from '../scenarios/support/child';
import { Peer } from '../scenarios/support/peer';
import { stopAll } from '../scenarios/support/server';
import { buildWithout, itDefends, serveOn, without, type Lib } from './children/control-support';
import { framesUntilEnd, GO, onGo } from './on-go';

afterEach(stopAll);

const PING = clientFrame({ first: 0x89, payload: 'p'.repeat(125) });

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

  const MIB = 1_048_576;
  /** So much goes by before it is measured. */
  const WARM_UP = 32 * MIB;

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
    const warm = Math.ceil(WARM_UP / PING.length);
    const count = warm + Math.ceil(bytes / PING.length);
    child.tell(JSON.stringify([warm, count]));
    const peer = await Peer.open(port, '/flood');
    peer.socket.pause();
    const batch = repeat(PING, 8192);
    for (let left = count; left > 0; left -= 8192) {
      const isRoomy = peer.socket.write(batch.subarray(0, Math.min(left, 8192) * PING.length));
      if (!isRoomy) await once(peer.socket, 'drain');
    }
    const figures = await child.says<Flood>('figures');
    print(`P-2 ${mib(bytes)} of pings${dir ? ', without the defence' : ''}`, figures);
    return figures;
  }

  const mib = (size: number): string => `${(size / MIB).toFixed(1)} MiB`;

  function print(what: string, { heldGrowth, rssGrowth, buffered }: Flood): void {
    process.stdout.write(
      `${what}: held +${mib(heldGrowth)}, rss +${mib(rssGrowth)}, buffered ${mib(buffered)}\n`,
    );
  }

  it('of a peer that does not read cost no memory', async () => {
    const { heldGrowth, rssGrowth, buffered } = await flood(256 * MIB);
    expect(heldGrowth).toBeLessThan(2 * MIB);
    // Mostly below 2 MiB; but V8 may let its young generation grow at any time.
    expect(rssGrowth).toBeLessThan(32 * MIB);
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
