import { once } from 'node:events';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { route, type Route } from '../../lib';
import { clientFrame, hex } from '../support/bytes';
import { handshake, Peer, type ServerFrame } from './support/peer';
import { deferred, pause, serve, stopAll, until } from './support/server';

const COUNT = 100;
const EXPECTED = Array.from({ length: COUNT }, (_, index) => `message ${index}`);
const GLUED = Buffer.concat(EXPECTED.map((payload) => clientFrame({ first: 0x81, payload })));

/** `auth` and `open` that take their time, as a database makes them. */
const auth = async (): Promise<{ user: string }> => {
  await pause(200);
  return { user: 'ada' };
};

/** What a consumer has got, and when that is all. */
class Received {
  readonly all: unknown[] = [];
  readonly #complete = deferred();
  readonly #expected: number;

  constructor(expected = COUNT) {
    this.#expected = expected;
  }

  readonly take = (message: unknown): void => {
    this.all.push(message);
    if (this.all.length === this.#expected) this.#complete.resolve();
  };

  get complete(): Promise<void> {
    return this.#complete.promise;
  }
}

type Consumer = (received: Received) => Route;

const consumers: [how: string, consumer: Consumer][] = [
  [
    'with the message hook, while open awaits',
    ({ take }) =>
      route(
        '/r',
        { auth },
        {
          open: () => pause(200),
          message: (_socket, data) => take(data),
        },
      ),
  ],
  [
    'with a message hook that awaits too',
    ({ take }) =>
      route(
        '/r',
        { auth },
        {
          open: () => pause(200),
          async message(_socket, data) {
            await new Promise(setImmediate);
            take(data);
          },
        },
      ),
  ],
  [
    "with a listener for 'message' that is attached after 200 ms",
    ({ take }) =>
      route('/r', { auth }, async (socket) => {
        await pause(200);
        socket.on('message', take);
      }),
  ],
  [
    'with onmessage that is set after 200 ms',
    ({ take }) =>
      route('/r', { auth }, async (socket) => {
        await pause(200);
        socket.onmessage = ({ data }) => take(data);
      }),
  ],
  [
    'with for await that begins after 200 ms',
    ({ take }) =>
      route('/r', { auth }, async (socket) => {
        await pause(200);
        for await (const message of socket) take(message);
      }),
  ],
  [
    'with a stream that is read after 200 ms',
    ({ take }) =>
      route('/r', { auth }, async (socket) => {
        await pause(200);
        for await (const message of socket.stream()) take(message);
      }),
  ],
];

/** What came of one consumer: the messages, and the answer to what the client sent behind them. */
interface Outcome {
  readonly messages: readonly unknown[];
  readonly answer: ServerFrame;
}

async function consume(consumer: Consumer, behind: Buffer): Promise<Outcome> {
  const received = new Received();
  const { port } = await serve([consumer(received)]);
  const peer = await Peer.open(port, '/r', Buffer.concat([GLUED, behind]));
  await received.complete;
  return { messages: received.all, answer: await peer.readFrame() };
}

const PING = clientFrame({ first: 0x89, payload: 'there?' });
const CLOSE = clientFrame({ first: 0x88, payload: hex('03e8') });

describe('100 messages in the packet of the handshake, auth takes 200 ms, open awaits 200 ms', () => {
  const runs = new Map<Consumer, Promise<Record<'withPing' | 'withClose', Outcome>>>();

  // All at the same time, or the waiting would add up to seconds.
  beforeAll(() => {
    for (const [, consumer] of consumers) {
      const both = Promise.all([consume(consumer, PING), consume(consumer, CLOSE)]);
      const run = both.then(([withPing, withClose]) => ({ withPing, withClose }));
      // The test that awaits it is to fail, and no other.
      run.catch(() => undefined);
      runs.set(consumer, run);
    }
  });

  afterAll(stopAll);

  it.each(consumers)('all arrive in order %s', async (_how, consumer) => {
    const { messages, answer } = (await runs.get(consumer)!).withPing;
    expect(messages).toEqual(EXPECTED);
    expect(answer).toEqual({ first: 0x8a, payload: Buffer.from('there?') });
  });

  it.each(consumers)(
    'all arrive before the close that follows them, %s',
    async (_how, consumer) => {
      const { messages, answer } = (await runs.get(consumer)!).withClose;
      expect(messages).toEqual(EXPECTED);
      expect(answer).toEqual({ first: 0x88, payload: hex('03e8') });
    },
  );
});

describe('a ping in front of them', () => {
  afterEach(stopAll);

  it('is answered while open is at work', async () => {
    const opening = deferred();
    const received = new Received();
    const { port } = await serve([
      route(
        '/r',
        {},
        { open: () => opening.promise, message: (_socket, data) => received.take(data) },
      ),
    ]);
    const peer = await Peer.open(port, '/r', Buffer.concat([PING, GLUED]));
    expect(await peer.readFrame()).toEqual({ first: 0x8a, payload: Buffer.from('there?') });
    expect(received.all).toEqual([]);
    opening.resolve();
    await received.complete;
    expect(received.all).toEqual(EXPECTED);
  });
});

describe('what comes while auth is at work', () => {
  afterEach(stopAll);

  it('is kept in order, handshake, early and late messages', async () => {
    const allowed = deferred();
    const received = new Received();
    const { port } = await serve([
      route(
        '/r',
        { auth: () => allowed.promise },
        {
          message: (_socket, data) => received.take(data),
        },
      ),
    ]);
    const peer = await Peer.connect(port);
    peer.write(handshake('/r'), ...EXPECTED.slice(0, 30).map(text));
    // Sent one by one, these come through 'data' events and not with the head.
    for (const message of EXPECTED.slice(30, 60)) {
      peer.write(text(message));
      await new Promise(setImmediate);
    }
    allowed.resolve();
    await peer.readHead();
    peer.write(...EXPECTED.slice(60).map(text));
    await received.complete;
    expect(received.all).toEqual(EXPECTED);
  });

  it.each([
    ['in the packet of the handshake', 'glued'],
    ['behind it', 'behind'],
  ])('may be a message above what is read ahead, %s', async (_where, how) => {
    const allowed = deferred();
    const received = new Received(2);
    const big = 'x'.repeat(300_000);
    const { port, server } = await serve([
      route(
        '/r',
        { auth: () => allowed.promise },
        {
          message: (_socket, data) => received.take(data),
        },
      ),
    ]);
    const accepted = acceptedBy(server);
    const peer = await Peer.connect(port);
    const frames = [text(big), text('the end')];
    if (how === 'glued') {
      peer.write(handshake('/r'), ...frames);
    } else {
      peer.write(handshake('/r'));
      await new Promise(setImmediate);
      peer.write(...frames);
    }
    const transport = await accepted;
    await until(() => transport.isPaused() && transport.bytesRead > 65_536);
    allowed.resolve();
    await peer.readHead();
    await received.complete;
    expect(received.all).toEqual([big, 'the end']);
  });

  it('is held in bounds: a client that floods is not read from', async () => {
    const allowed = deferred();
    const received = new Received(8);
    const { port, server } = await serve([
      route(
        '/r',
        { auth: () => allowed.promise },
        { message: (_socket, data) => received.take((data as string).length) },
      ),
    ]);
    const accepted = acceptedBy(server);
    const peer = await Peer.connect(port);
    peer.write(handshake('/r'));
    peer.write(...Array<Buffer>(8).fill(text('y'.repeat(1_000_000))));
    const transport = await accepted;
    await until(() => transport.isPaused());
    // One bound for all that waits, and the reads that were on their way.
    expect(transport.bytesRead).toBeLessThan(262_144);
    allowed.resolve();
    await received.complete;
    expect(received.all).toEqual(Array(8).fill(1_000_000));
  });
});

describe('one at a time', () => {
  afterEach(stopAll);

  it('begins a message when the one before has settled', async () => {
    const done = deferred();
    const log: string[] = [];
    const { port } = await serve([
      route('/r', {
        async message(_socket, data) {
          log.push(`begin ${String(data)}`);
          // The earlier, the longer: without order they would end the other way round.
          await pause(10 - 3 * Number(data));
          log.push(`end ${String(data)}`);
          if (data === '2') done.resolve();
        },
      }),
    ]);
    await Peer.open(port, '/r', Buffer.concat(['0', '1', '2'].map(text)));
    await done.promise;
    expect(log).toEqual(['begin 0', 'end 0', 'begin 1', 'end 1', 'begin 2', 'end 2']);
  });
});

function text(payload: string): Buffer {
  return clientFrame({ first: 0x81, payload });
}

/** The server's end of the next connection. */
async function acceptedBy(server: Server): Promise<Socket> {
  const [transport] = (await once(server, 'connection')) as [Socket];
  return transport;
}
