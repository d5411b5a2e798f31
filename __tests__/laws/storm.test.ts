import { Blob, Buffer } from 'node:buffer';
import { constants, deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { clock } from '../../lib/socket/clock';
import type { Socket } from '../../lib/socket/socket';
import {
  compressed,
  deferred,
  frame,
  makeWire,
  pass,
  stopTime,
  turns,
  until,
  type Wire,
} from '../socket/wire';
import { clientFrame, hex } from '../support/bytes';

/*
 * What user code, peer and network do all at once, with all that takes time: handlers that wait,
 * Blobs that are read, messages in fragments, a peer that does not read. No model says what happens;
 * whatever it is, these things hold.
 */

/** RFC 7692 §7.2.3.1: "Hello". */
const COMPRESSED = hex('c1 87 00000000 f248cdc9c90700');

/** Above what is inflated at once. */
const LONG = clientFrame({
  first: 0xc1,
  payload: deflateRawSync(Buffer.alloc(400_000, 'ab'), {
    finishFlush: constants.Z_SYNC_FLUSH,
  }).subarray(0, -4),
});

const LARGE = Buffer.alloc(40_000, 'ab');

/** One thing that somebody does. */
const STEPS = {
  'send text': (storm: Storm) => storm.send('hello'),
  'send binary': (storm: Storm) => storm.send(LARGE),
  'send Blob': (storm: Storm) => storm.send(new Blob([LARGE])),
  'send first': (storm: Storm) => storm.send('one ', { fin: false }),
  'send last': (storm: Storm) => storm.send('two', { fin: true }),
  ping: ({ socket }: Storm) => socket.ping('beat'),
  close: ({ socket }: Storm) => socket.close(4000, 'enough'),
  terminate: ({ socket }: Storm) => socket.terminate(),
  pause: ({ socket }: Storm) => socket.pause(),
  resume: ({ socket }: Storm) => socket.resume(),
  'let a handler end': ({ waiting }: Storm) => waiting.shift()?.(),
  'peer: text': (storm: Storm) => storm.hear(frame.text('quick')),
  'peer: text that is slow to handle': (storm: Storm) => storm.hear(frame.text('slow')),
  'peer: compressed text': (storm: Storm) => storm.hear(COMPRESSED),
  'peer: compressed text that is slow to inflate': (storm: Storm) => storm.hear(LONG),
  'peer: text that throws': (storm: Storm) => storm.hear(frame.text('throw')),
  'peer: ping': (storm: Storm) => storm.hear(frame.ping('hi')),
  'peer: close': (storm: Storm) => storm.hear(frame.close(1001)),
  'peer: bad frame': (storm: Storm) => storm.hear(frame.bad()),
  'peer: FIN': ({ wire }: Storm) => wire.peer.stream.end(),
  'peer: stops reading': ({ wire }: Storm) => wire.peer.pause(),
  'peer: reads': ({ wire }: Storm) => wire.peer.resume(),
  reset: ({ wire }: Storm) => wire.transport.destroy(new Error('read ECONNRESET')),
  turn: () => turns(1),
  'some turns': () => turns(5),
  'a second': () => pass(1000),
  'a minute': () => pass(60_000),
} satisfies Record<string, (storm: Storm) => unknown>;

type Step = keyof typeof STEPS;

/** What leaves the socket open comes more often. */
const HARMLESS: readonly Step[] = [
  'send text',
  'send binary',
  'send Blob',
  'send first',
  'send last',
  'ping',
  'pause',
  'resume',
  'let a handler end',
  'peer: text',
  'peer: text that is slow to handle',
  'peer: compressed text',
  'peer: ping',
  'peer: stops reading',
  'peer: reads',
  'turn',
  'some turns',
];

const step = fc.oneof(
  { arbitrary: fc.constantFrom(...HARMLESS), weight: 6 },
  { arbitrary: fc.constantFrom(...(Object.keys(STEPS) as Step[])), weight: 1 },
);

/** What a storm is like from its start to its end. */
interface Setting {
  readonly isOpenSlow: boolean;
  readonly isCompressing: boolean;
  readonly isPeerReading: boolean;
}

const setting: fc.Arbitrary<Setting> = fc.record({
  isOpenSlow: fc.boolean(),
  isCompressing: fc.boolean(),
  isPeerReading: fc.boolean(),
});

class Storm {
  /** Alarms that were set before; not zero where an earlier run has failed. */
  readonly alarms = clock.size;
  readonly wire: Wire;
  /** Handlers that wait. */
  readonly waiting: (() => void)[] = [];
  /** How often each callback of `send` was called. */
  readonly calls: number[] = [];
  /** Handlers that run now; one at most. */
  running = 0;
  mostRunning = 0;
  told: string[] = [];

  constructor({ isOpenSlow, isCompressing }: Setting) {
    const { settings, deflate } = compressed();
    this.wire = makeWire({
      settings: { highWaterMark: 50_000, maxBackpressure: 100_000, ...settings },
      deflate: isCompressing ? deflate : undefined,
      open: () => (isOpenSlow ? this.#wait() : undefined),
      hooks: {
        message: (_socket: Socket, data) => this.#handle(String(data)),
        close: () => void this.told.push('close'),
      },
    });
    this.socket.on('error', () => this.told.push('error'));
  }

  get socket(): Socket {
    return this.wire.socket;
  }

  send(data: string | Buffer | Blob, options?: { fin: boolean }): void {
    const at = this.calls.push(0) - 1;
    const called = (): void => {
      this.calls[at] = (this.calls[at] ?? 0) + 1;
    };
    try {
      this.socket.send(data, options, called);
    } catch (error) {
      // A wrong call: told by the throw, and by nothing else.
      expect(error).toMatchObject({ code: 'ERR_WS_FRAGMENT_MIX' });
      called();
    }
  }

  /** The peer sends, unless it has said that it will not. */
  hear(bytes: Buffer): void {
    if (!this.wire.peer.stream.writableEnded) this.wire.peer.write(bytes);
  }

  async #handle(text: string): Promise<void> {
    this.told.push(text);
    this.mostRunning = Math.max(this.mostRunning, ++this.running);
    try {
      if (text === 'throw') throw new Error('a handler failed');
      if (text === 'slow') await this.#wait();
    } finally {
      this.running--;
    }
  }

  #wait(): Promise<void> {
    const { promise, resolve } = deferred();
    this.waiting.push(resolve);
    return promise;
  }

  /** Everybody does what is left to do, and the connection ends; a peer may read to the end or not. */
  async calm(isPeerReading: boolean): Promise<void> {
    if (isPeerReading) this.wire.peer.resume();
    await pass(60_000);
    this.socket.terminate();
    for (let turn = 0; turn < 20; turn++) {
      for (const resolve of this.waiting.splice(0)) resolve();
      await turns(2);
    }
    await pass(11_000);
    // What is compressed or inflated on another thread takes the time it takes.
    await until(() => this.wire.closes.length > 0 && this.calls.every((count) => count > 0));
  }
}

/** §5.4: fragments of messages do not mix; §5.5.1: nothing comes behind the close frame. */
function expectLawfulFrames({ peer }: Wire): void {
  let isOpen = false;
  for (const [at, { first }] of peer.frames.entries()) {
    const opcode = first & 0x0f;
    if (opcode < 0x8) {
      expect(isOpen).toBe(opcode === 0x0);
      isOpen = first < 0x80;
    }
    if (opcode === 0x8) expect(at).toBe(peer.frames.length - 1);
  }
}

function expectCalm({ alarms, wire, calls, told, running, mostRunning }: Storm): void {
  expect(wire.closes).toHaveLength(1);
  expect(told.filter((each) => each === 'close')).toHaveLength(1);
  // One message at a time, and none when the end was told.
  expect([running, mostRunning < 2]).toEqual([0, true]);
  expect(told.at(-1)).toBe('close');
  expect(calls.filter((count) => count !== 1)).toEqual([]);
  expectLawfulFrames(wire);
  expect(wire.released).toEqual([wire.socket]);
  expect(clock.size).toBe(alarms);
}

describe('whatever happens at once', () => {
  beforeEach(stopTime);

  it('a socket is closed once, its frames are lawful, and nothing is left of it', async () => {
    await fc.assert(
      fc.asyncProperty(setting, fc.array(step, { maxLength: 24 }), async (set, steps) => {
        const storm = new Storm(set);
        for (const each of steps) await STEPS[each](storm);
        await storm.calm(set.isPeerReading);
        expectCalm(storm);
      }),
      { numRuns: 300 },
    );
  }, 120_000);
});
