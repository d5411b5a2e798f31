import { once } from 'node:events';
import { connect } from 'node:net';
import { CloseCode, route } from '../../lib';
import { clientFrame } from '../support/bytes';
import { Child } from './support/child';
import { handshake, Peer } from './support/peer';
import { afterTest, deferred, serve, stopAll } from './support/server';

afterEach(stopAll);

const MIB = 1_048_576;
const MAX_BACKPRESSURE = MIB;
/** Header of a frame of 1 MiB, and a close frame: what may stand around the last message. */
const FRAMING = 256;

interface Figures {
  readonly code: number;
  readonly reason: string;
  readonly before: number;
  readonly maxHeld: number;
  readonly after: number;
  readonly maxBuffered: number;
  readonly refused: number;
}

const mib = (bytes: number): string => `${(bytes / MIB).toFixed(1)} MiB`;

describe('300 x 1 MiB to a client that does not read', () => {
  it.each(['socket', 'text', 'small', 'room', 'blob'])(
    'keeps what is buffered in bounds, closes with 1013, and lets go of the memory (%s)',
    async (how) => {
      const child = new Child('slow-reader.mjs', [how], ['--expose-gc']);
      const port = await child.says<number>('port');
      const client = connect(port, '127.0.0.1');
      afterTest(() => client.destroy());
      client.on('error', () => undefined).pause();
      await once(client, 'connect');
      client.write(handshake('/slow'));
      const figures = await child.says<Figures>('closed');
      const { before, maxHeld, after, maxBuffered } = figures;
      process.stdout.write(
        `slow-reader (${how}): buffered at most ${mib(maxBuffered)}; memory ${mib(before)} before, ` +
          `at most ${mib(maxHeld)}, ${mib(after)} after\n`,
      );
      expect(figures).toMatchObject({ code: CloseCode.TryAgainLater, reason: 'too slow to read' });
      expect(maxBuffered).toBeGreaterThan(MAX_BACKPRESSURE);
      expect(maxBuffered).toBeLessThanOrEqual(MAX_BACKPRESSURE + MIB + FRAMING);
      // The message at hand, a copy of it, and some room for the collector.
      expect(maxHeld - before).toBeLessThan(MAX_BACKPRESSURE + 8 * MIB);
      // Code that was compiled, and the slabs that are kept for the next turn.
      expect(after - before).toBeLessThan(3 * MIB);
      child.tell('stop');
      expect((await child.ended).code).toBe(0);
    },
  );
});

describe('a client that begins to read when it was given up', () => {
  it('gets all that was taken for it, and then 1013', async () => {
    const given = deferred<number>();
    const { port } = await serve([
      route('/r', (socket) => {
        let taken = 0;
        for (let i = 0; i < 100; i++) {
          socket.send(Buffer.alloc(MIB, i));
          // What has it closed is not taken any more.
          if (socket.readyState === socket.OPEN) taken++;
        }
        given.resolve(taken);
      }),
    ]);
    const peer = await Peer.connect(port);
    peer.socket.pause();
    peer.write(handshake('/r'));
    const taken = await given.promise;
    peer.socket.resume();
    await peer.readHead();
    for (let i = 0; i < taken; i++) {
      const { first, payload } = await peer.readFrame();
      expect([first, payload.equals(Buffer.alloc(MIB, i))]).toEqual([0x82, true]);
    }
    expect(await peer.expectClose(CloseCode.TryAgainLater)).toBe('too slow to read');
  });
});

describe('a slow reader beside others', () => {
  it("does not hold them up, and costs a message only to itself with onBackpressure: 'drop'", async () => {
    const slowOpened = deferred();
    const { port, sockets } = await serve([
      route('/r/:who', { onBackpressure: 'drop', closeTimeout: 200 }, (socket) => {
        socket.join('all');
        if (socket.params.who === 'slow') slowOpened.resolve();
      }),
    ]);
    const slow = await Peer.connect(port);
    slow.socket.pause();
    slow.write(handshake('/r/slow'));
    await slowOpened.promise;
    const fast = await Peer.open(port, '/r/fast');
    let toBoth = 0;
    for (let i = 0; i < 40; i++) {
      if (sockets.to('all').send(Buffer.alloc(MIB / 2, i)) === 2) toBoth++;
      const { payload } = await fast.readFrame();
      expect([payload.length, payload[0]]).toEqual([MIB / 2, i]);
    }
    expect(toBoth).toBeLessThan(40);
    const [first, second] = sockets.clients;
    expect([first?.readyState, second?.readyState]).toEqual([1, 1]);
  });

  it("tells by 'drain' when it has caught up", async () => {
    const log: string[] = [];
    const filled = deferred();
    const drained = deferred();
    const { port } = await serve([
      route(
        '/r',
        { maxBackpressure: Infinity },
        {
          open(socket) {
            while (socket.send(Buffer.alloc(MIB)) || socket.bufferedAmount < 20 * MIB);
            log.push(`full: ${socket.send('one more')}`);
            filled.resolve();
          },
          drain(socket) {
            log.push(`drained: ${socket.bufferedAmount}`);
            drained.resolve();
          },
        },
      ),
    ]);
    const peer = await Peer.connect(port);
    peer.socket.pause();
    peer.write(handshake('/r'));
    await filled.promise;
    expect(log).toEqual(['full: false']);
    // Peer would keep all of it; here nobody looks at it.
    peer.socket.removeAllListeners('data').resume();
    await drained.promise;
    expect(log).toEqual(['full: false', 'drained: 0']);
  });
});

describe('pings of a client that does not read', () => {
  it('do not pile up pongs', async () => {
    const opened = deferred();
    const heard = deferred();
    let pings = 0;
    let buffered = 0;
    const { port } = await serve([
      route(
        '/r',
        { maxBackpressure: Infinity },
        {
          open(socket) {
            socket.on('ping', () => {
              if (++pings < 5000) return;
              buffered = socket.bufferedAmount;
              heard.resolve();
            });
            while (socket.bufferedAmount < 10 * MIB) socket.send(Buffer.alloc(MIB));
            opened.resolve();
          },
        },
      ),
    ]);
    const peer = await Peer.connect(port);
    peer.socket.pause();
    peer.write(handshake('/r'));
    await opened.promise;
    const ping = clientFrame({ first: 0x89, payload: 'p'.repeat(125) });
    peer.write(...Array.from({ length: 5000 }, () => ping));
    await heard.promise;
    expect(buffered).toBeLessThan(11 * MIB);
  });
});

describe('a room that nobody is in', () => {
  it('costs no memory however much is sent to it', async () => {
    const child = new Child('empty-room.mjs', [], ['--expose-gc']);
    const { before, after } = await child.says<{ before: number; after: number }>('memory');
    process.stdout.write(
      `slow-reader (empty room): memory ${mib(before)} before, ${mib(after)} after\n`,
    );
    expect(after - before).toBeLessThan(4 * MIB);
    expect((await child.ended).code).toBe(0);
  });
});
