import { Blob, Buffer } from 'node:buffer';
import { duplexPair } from 'node:stream';
import { sendShared, shutSocket, type Socket } from '../../lib/socket/socket';
import {
  deferred,
  frame,
  makeWire,
  textForAll,
  turns,
  until,
  type Deferred,
  type Wire,
} from './wire';

/** A Blob whose bytes come when the test says so. */
class SlowBlob extends Blob {
  readonly #text: string;
  readonly #reading: Deferred = deferred();
  #isRead = false;

  constructor(text: string) {
    super([text]);
    this.#text = text;
  }

  /** Whether somebody has asked for its bytes. */
  get isRead(): boolean {
    return this.#isRead;
  }

  arrive(): void {
    this.#reading.resolve();
  }

  fail(error: unknown): void {
    this.#reading.reject(error);
  }

  override async arrayBuffer(): Promise<ArrayBuffer> {
    this.#isRead = true;
    await this.#reading.promise;
    return new TextEncoder().encode(this.#text).buffer;
  }
}

/** First bytes in hexadecimal, and payloads. */
const seen = ({ peer }: Wire): string[] =>
  peer.frames.map(({ first, payload }) =>
    `${first.toString(16).padStart(2, '0')} ${first === 0x88 ? payload.readUInt16BE(0) : payload.toString()}`.trim(),
  );

const share = (socket: Socket, text: string): boolean => sendShared(socket, textForAll(text));

/** The code of what a call throws. */
function codeOf(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
  throw new Error('nothing was thrown');
}

/** Callbacks that note their name, and the code or message of the error they hear. */
function noteCallbacks(): {
  told: string[];
  note: (name: string) => (error?: Error | null) => void;
} {
  const told: string[] = [];
  const note = (name: string) => (error?: Error | null) => {
    const why = error && ((error as NodeJS.ErrnoException).code ?? error.message);
    told.push(why ? `${name}: ${why}` : name);
  };
  return { told, note };
}

describe('§5.4 a message in fragments', () => {
  it('begins with its type, goes on as continuation, and ends with FIN', async () => {
    const wire = makeWire();
    wire.socket.send('a', { fin: false });
    wire.socket.send('b', { fin: false });
    wire.socket.send('c', { fin: true });
    wire.socket.send(Buffer.from('d'), { fin: false });
    wire.socket.send(Buffer.from('e'));
    wire.socket.send('f');
    await turns();
    expect(seen(wire)).toEqual(['01 a', '00 b', '80 c', '02 d', '80 e', '81 f']);
  });

  it('may have empty fragments', async () => {
    const wire = makeWire();
    wire.socket.send('', { fin: false });
    wire.socket.send('', { fin: false });
    wire.socket.send('');
    await turns();
    expect(seen(wire)).toEqual(['01', '00', '80']);
  });

  it('can be closed in the middle, and have pings between', async () => {
    const wire = makeWire();
    wire.socket.send('a', { fin: false });
    wire.socket.ping('p');
    wire.socket.close();
    await turns();
    expect(seen(wire)).toEqual(['01 a', '89 p', '88 1000']);
  });

  it('must be all text or all binary: another type is thrown back, and nothing is lost', async () => {
    const wire = makeWire();
    const { told, note } = noteCallbacks();
    wire.socket.send('a', { fin: false });
    const mixed = [Buffer.from('x'), new Blob(['x'])];
    for (const data of mixed) {
      expect(codeOf(() => wire.socket.send(data, note('x')))).toBe('ERR_WS_FRAGMENT_MIX');
      expect(codeOf(() => wire.socket.send(data, { fin: false }))).toBe('ERR_WS_FRAGMENT_MIX');
    }
    expect(codeOf(() => wire.socket.send('x', { binary: true }))).toBe('ERR_WS_FRAGMENT_MIX');
    wire.socket.send(Buffer.from('b'), { binary: false });
    wire.socket.send(Buffer.from('c'), { fin: false });
    expect(codeOf(() => wire.socket.send('x'))).toBe('ERR_WS_FRAGMENT_MIX');
    wire.socket.send('d', { binary: true });
    await turns();
    expect(seen(wire)).toEqual(['01 a', '80 b', '02 c', '80 d']);
    expect([told, wire.reports, wire.socket.readyState]).toEqual([[], [], 1]);
  });

  it('is judged at once, also while a Blob is being read', async () => {
    const wire = makeWire();
    const blob = new SlowBlob('blob');
    wire.socket.send(blob, { fin: false });
    expect(codeOf(() => wire.socket.send('x'))).toBe('ERR_WS_FRAGMENT_MIX');
    wire.socket.send(Buffer.from('b'));
    wire.socket.send('c', { fin: false });
    expect(codeOf(() => wire.socket.send(new Blob(['x'])))).toBe('ERR_WS_FRAGMENT_MIX');
    wire.socket.send('d');
    blob.arrive();
    await turns();
    expect(seen(wire)).toEqual(['02 blob', '80 b', '01 c', '80 d']);
  });

  it('has its callbacks called in order', async () => {
    const wire = makeWire();
    const { told, note } = noteCallbacks();
    wire.socket.send('a', { fin: false }, note('a'));
    wire.socket.send('b', { fin: false }, note('b'));
    wire.socket.send('c', note('c'));
    wire.socket.send('d', note('d'));
    await turns();
    expect(told).toEqual(['a', 'b', 'c', 'd']);
  });
});

describe('a Blob', () => {
  it('is sent as binary (§5.6), and keeps its place between texts', async () => {
    const wire = makeWire();
    const blob = new SlowBlob('blob');
    wire.socket.send('before');
    wire.socket.send(blob);
    wire.socket.send('after');
    wire.socket.send('more');
    await turns();
    expect(seen(wire)).toEqual(['81 before']);
    blob.arrive();
    await turns();
    expect(seen(wire)).toEqual(['81 before', '82 blob', '81 after', '81 more']);
    wire.socket.send('direct');
    await turns();
    expect(seen(wire)).toHaveLength(5);
  });

  it.each(['string', 'bytes'])('of the platform is read for a %s', async (kind) => {
    const wire = makeWire();
    wire.socket.send(new Blob([kind === 'string' ? 'Hello' : Buffer.from('Hello')]));
    await until(() => wire.peer.frames.length > 0);
    expect(seen(wire)).toEqual(['82 Hello']);
  });

  it('follows a Blob: one is read at a time, and all leave in order', async () => {
    const wire = makeWire();
    const blobs = [new SlowBlob('1'), new SlowBlob('2'), new SlowBlob('3')] as const;
    const [first, second, third] = blobs;
    wire.socket.send(first);
    wire.socket.send('a');
    wire.socket.send(second);
    wire.socket.send(third);
    wire.socket.send('b');
    third.arrive();
    second.arrive();
    await turns();
    expect(blobs.map(({ isRead }) => isRead)).toEqual([true, false, false]);
    expect(seen(wire)).toEqual([]);
    first.arrive();
    await turns();
    expect(seen(wire)).toEqual(['82 1', '81 a', '82 2', '82 3', '81 b']);
  });

  it('may be a fragment', async () => {
    const wire = makeWire();
    const [first, last] = [new SlowBlob('1'), new SlowBlob('2')];
    wire.socket.send(first, { fin: false });
    wire.socket.send(last);
    wire.socket.send('text');
    first.arrive();
    await turns();
    last.arrive();
    await turns();
    expect(seen(wire)).toEqual(['02 1', '80 2', '81 text']);
  });

  it('has its callback called in its turn', async () => {
    const wire = makeWire();
    const { told, note } = noteCallbacks();
    const blob = new SlowBlob('blob');
    wire.socket.send('before', note('before'));
    wire.socket.send(blob, note('blob'));
    wire.socket.send('after', note('after'));
    await turns();
    expect(told).toEqual(['before']);
    blob.arrive();
    await turns();
    expect(told).toEqual(['before', 'blob', 'after']);
  });

  it('does not hold up pongs', async () => {
    const wire = makeWire();
    const blob = new SlowBlob('blob');
    wire.socket.send(blob);
    wire.peer.ping('still there?');
    await turns();
    expect(wire.peer.pongs).toEqual(['still there?']);
    blob.arrive();
    await turns();
    expect(seen(wire)).toEqual(['8a still there?', '82 blob']);
  });

  it('and what follows is not overtaken by what is sent from inside of a write', async () => {
    // A pair in memory brings an answer before the write of 64 KiB returns.
    const wire = makeWire({ hooks: { message: (socket) => socket.send('answer') } });
    const blob = new SlowBlob('x'.repeat(70_000));
    await turns();
    wire.peer.stream.once('data', () => wire.peer.say('at once'));
    wire.socket.send(blob, { fin: false });
    wire.socket.send(Buffer.from('end'));
    wire.socket.send('behind');
    blob.arrive();
    await turns();
    expect(seen(wire).map((each) => each.slice(0, 12))).toEqual([
      '02 xxxxxxxxx',
      '80 end',
      '81 behind',
      '81 answer',
    ]);
  });
});

describe('close() behind a Blob', () => {
  it('waits for it, and for all that was sent before', async () => {
    const wire = makeWire();
    const blob = new SlowBlob('blob');
    wire.socket.send(blob);
    wire.socket.send('text');
    wire.socket.close(4000, 'done');
    await turns();
    expect(seen(wire)).toEqual([]);
    blob.arrive();
    await turns();
    expect(seen(wire)).toEqual(['82 blob', '81 text', '88 4000']);
  });

  it('lets nothing follow: later callbacks hear ERR_WS_NOT_OPEN', async () => {
    const wire = makeWire();
    const { told, note } = noteCallbacks();
    const blob = new SlowBlob('blob');
    wire.socket.send(blob, note('blob'));
    wire.socket.close(4000);
    wire.socket.close(4001);
    wire.socket.send('late', note('late'));
    wire.socket.send('late without a callback');
    blob.arrive();
    await turns();
    expect(seen(wire)).toEqual(['82 blob', '88 4000']);
    expect(told.sort()).toEqual(['blob', 'late: ERR_WS_NOT_OPEN']);
  });

  it('is CLOSING at once, and send says false', async () => {
    const wire = makeWire();
    const blob = new SlowBlob('blob');
    wire.socket.send(blob);
    wire.socket.close();
    expect(wire.socket.readyState).toBe(wire.socket.CLOSING);
    expect(wire.socket.send('late')).toBe(false);
    blob.arrive();
    await turns();
    expect(seen(wire)).toEqual(['82 blob', '88 1000']);
  });

  it('drops what the peer sends from then on (§1.4)', async () => {
    const messages: unknown[] = [];
    const wire = makeWire({ hooks: { message: (_, data) => messages.push(data) } });
    const blob = new SlowBlob('blob');
    wire.socket.send(blob);
    wire.socket.close();
    wire.peer.say('late');
    await turns();
    expect(messages).toEqual([]);
    blob.arrive();
    await turns();
    expect(seen(wire)).toEqual(['82 blob', '88 1000']);
  });

  it('refuses a wrong code or reason at once', () => {
    const wire = makeWire();
    const blob = new SlowBlob('blob');
    wire.socket.send(blob);
    expect(codeOf(() => wire.socket.close(1006))).toBe('ERR_WS_OUT_OF_RANGE');
    expect(codeOf(() => wire.socket.close(1000, 'x'.repeat(124)))).toBe('ERR_WS_OUT_OF_RANGE');
    expect(wire.socket.readyState).toBe(1);
  });
});

describe('broadcasts', () => {
  it('wait while a message is unfinished, then leave in order (§5.4)', async () => {
    const wire = makeWire();
    wire.socket.send('a', { fin: false });
    expect([share(wire.socket, 'x'), share(wire.socket, 'y')]).toEqual([true, true]);
    await turns();
    expect(seen(wire)).toEqual(['01 a']);
    wire.socket.send('b');
    wire.socket.send('c');
    await turns();
    expect(seen(wire)).toEqual(['01 a', '80 b', '81 x', '81 y', '81 c']);
    share(wire.socket, 'direct');
    await turns();
    expect(seen(wire)).toHaveLength(6);
  });

  it('wait for a Blob that is being read', async () => {
    const wire = makeWire();
    const blob = new SlowBlob('blob');
    wire.socket.send(blob);
    share(wire.socket, 'x');
    await turns();
    expect(seen(wire)).toEqual([]);
    blob.arrive();
    await turns();
    expect(seen(wire)).toEqual(['82 blob', '81 x']);
    share(wire.socket, 'y');
    await turns();
    expect(seen(wire)).toEqual(['82 blob', '81 x', '81 y']);
  });

  it('wait for the end of a message that a Blob begins', async () => {
    const wire = makeWire();
    const blob = new SlowBlob('blob');
    wire.socket.send(blob, { fin: false });
    share(wire.socket, 'x');
    blob.arrive();
    await turns();
    expect(seen(wire)).toEqual(['02 blob']);
    wire.socket.send(Buffer.from('end'));
    await turns();
    expect(seen(wire)).toEqual(['02 blob', '80 end', '81 x']);
  });

  it('are whole when they leave, whatever was encoded meanwhile', async () => {
    const [wire, other] = [makeWire(), makeWire()];
    wire.socket.send('a', { fin: false });
    share(wire.socket, 'x'.repeat(1000));
    for (let i = 0; i < 3; i++) {
      other.socket.send('y'.repeat(8000));
      await turns();
    }
    wire.socket.send('b');
    await turns();
    expect(seen(wire)).toEqual(['01 a', '80 b', `81 ${'x'.repeat(1000)}`]);
  });

  it('that still wait when the socket closes are never sent', async () => {
    const wire = makeWire();
    wire.socket.send('a', { fin: false });
    share(wire.socket, 'x');
    wire.socket.close();
    expect(share(wire.socket, 'y')).toBe(false);
    await turns();
    expect(seen(wire)).toEqual(['01 a', '88 1000']);
  });

  it('do not follow a close frame when the Blob they waited for has come (§5.5.1)', async () => {
    const wire = makeWire();
    const blob = new SlowBlob('blob');
    wire.socket.send(blob);
    share(wire.socket, 'x');
    shutSocket(wire.socket, 1001, 'going away');
    blob.arrive();
    await turns();
    expect(seen(wire)).toEqual(['88 1001']);
  });

  it('leave before our answer when the peer closes while a Blob is read', async () => {
    const wire = makeWire();
    const errors: Error[] = [];
    wire.socket.on('error', (error) => errors.push(error));
    const blob = new SlowBlob('blob');
    wire.socket.send(blob);
    share(wire.socket, 'x');
    wire.peer.close(1000);
    await turns();
    blob.arrive();
    await turns();
    wire.peer.stream.end();
    await turns();
    expect([seen(wire), errors, wire.closes]).toEqual([
      ['82 blob', '81 x', '88 1000'],
      [],
      ['1000'],
    ]);
  });
});

describe('a Blob that cannot be read', () => {
  it('has its callback hear why, is reported, and closes with 1011', async () => {
    const wire = makeWire();
    const { told, note } = noteCallbacks();
    const blob = new SlowBlob('blob');
    const error = new Error('the file has changed');
    wire.socket.send(blob, note('blob'));
    wire.socket.send('after', note('after'));
    blob.fail(error);
    await turns();
    expect(told).toEqual(['blob: the file has changed', 'after: ERR_WS_NOT_OPEN']);
    expect(wire.reports).toEqual([error]);
    expect(seen(wire)).toEqual(['88 1011']);
    expect(wire.socket.bufferedAmount).toBe(0);
  });

  it('needs no callback', async () => {
    const wire = makeWire();
    const blob = new SlowBlob('blob');
    wire.socket.send(blob);
    blob.fail('not even an error');
    await turns();
    expect([wire.reports, seen(wire)]).toEqual([['not even an error'], ['88 1011']]);
  });

  it('ends the socket before a close that waited for it', async () => {
    const wire = makeWire();
    const blob = new SlowBlob('blob');
    wire.socket.send(blob);
    wire.socket.close(4000);
    blob.fail(new Error('gone'));
    await turns();
    expect(seen(wire)).toEqual(['88 1011']);
  });

  it('lets no broadcast follow the close frame (§5.5.1)', async () => {
    const wire = makeWire();
    const blob = new SlowBlob('blob');
    wire.socket.send(blob);
    share(wire.socket, 'x');
    blob.fail(new Error('gone'));
    await turns();
    expect(seen(wire)).toEqual(['88 1011']);
  });
});

describe('a connection that ends while a Blob is read', () => {
  it.each([
    ['by the server', (wire: Wire) => shutSocket(wire.socket, 1001, '')],
    ['by terminate()', (wire: Wire) => wire.socket.terminate()],
    ['by a fault', (wire: Wire) => wire.peer.write(frame.bad())],
  ])('%s: all callbacks hear ERR_WS_NOT_OPEN, and nothing is sent', async (_, end) => {
    const wire = makeWire();
    const { told, note } = noteCallbacks();
    const [first, second] = [new SlowBlob('1'), new SlowBlob('2')];
    wire.socket.send(first, note('first'));
    wire.socket.send('text', note('text'));
    wire.socket.send(second, note('second'));
    end(wire);
    await turns();
    first.arrive();
    second.arrive();
    await turns();
    expect(told).toEqual([
      'first: ERR_WS_NOT_OPEN',
      'text: ERR_WS_NOT_OPEN',
      'second: ERR_WS_NOT_OPEN',
    ]);
    expect(wire.peer.frames.every(({ first: byte }) => byte === 0x88)).toBe(true);
    expect([wire.socket.bufferedAmount, wire.reports]).toEqual([0, []]);
  });
});

describe('the close of a peer while a Blob is read', () => {
  it('is answered behind what was sent before it, and nothing is sent any more', async () => {
    const wire = makeWire();
    const { told, note } = noteCallbacks();
    const blob = new SlowBlob('blob');
    wire.socket.send(blob, note('blob'));
    wire.socket.send('text', note('text'));
    wire.peer.close(1000);
    await turns();
    expect([wire.socket.readyState, wire.socket.send('late')]).toEqual([2, false]);
    blob.arrive();
    await turns();
    expect([seen(wire), told]).toEqual([
      ['82 blob', '81 text', '88 1000'],
      ['blob', 'text'],
    ]);
  });

  it('ends the connection after closeTimeout when the Blob never comes', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    try {
      const wire = makeWire({ settings: { closeTimeout: 3000 } });
      wire.socket.send(new SlowBlob('blob'));
      wire.peer.close(1000);
      await turns();
      jest.advanceTimersByTime(4000);
      await turns();
      expect([wire.transport.destroyed, wire.closes]).toEqual([true, ['1000']]);
    } finally {
      jest.useRealTimers();
    }
  });
});

describe('bufferedAmount', () => {
  it('counts all that waits, and returns to 0', async () => {
    const wire = makeWire();
    const blob = new SlowBlob('x'.repeat(1000));
    wire.socket.send(blob);
    expect(wire.socket.bufferedAmount).toBe(1000);
    wire.socket.send('é'.repeat(100));
    expect(wire.socket.bufferedAmount).toBe(1200);
    wire.socket.send(new Blob(['y'.repeat(300)]));
    expect(wire.socket.bufferedAmount).toBe(1500);
    // Two bytes of header: broadcasts wait as whole frames.
    share(wire.socket, 'z'.repeat(50));
    expect(wire.socket.bufferedAmount).toBe(1552);
    blob.arrive();
    await until(() => wire.peer.frames.length === 4);
    await turns();
    expect(wire.socket.bufferedAmount).toBe(0);
  });

  it('counts broadcasts that wait for the end of a message', async () => {
    const wire = makeWire();
    wire.socket.send('a', { fin: false });
    await turns();
    expect(wire.socket.bufferedAmount).toBe(0);
    share(wire.socket, 'x'.repeat(50));
    expect(wire.socket.bufferedAmount).toBe(52);
    wire.socket.send('b');
    await turns();
    expect(wire.socket.bufferedAmount).toBe(0);
  });

  it('counts a Blob to highWaterMark: send says false, and drain comes', async () => {
    const wire = makeWire({ pair: duplexPair(), settings: { highWaterMark: 1000 } });
    let drains = 0;
    wire.socket.on('drain', () => drains++);
    const blob = new SlowBlob('x'.repeat(2000));
    expect(wire.socket.send(blob)).toBe(false);
    await turns();
    expect(drains).toBe(0);
    blob.arrive();
    await until(() => wire.peer.frames.length === 1);
    await turns();
    expect([drains, wire.socket.bufferedAmount]).toEqual([1, 0]);
  });

  it("a message in fragments can be finished, however much is broadcast behind it, with 'drop'", async () => {
    const wire = makeWire({ settings: { maxBackpressure: 5000, onBackpressure: 'drop' } });
    wire.socket.send('a', { fin: false });
    for (let i = 0; i < 20; i++) share(wire.socket, 'x'.repeat(1000));
    await turns();
    wire.socket.send('b');
    await turns();
    expect(seen(wire).slice(0, 2)).toEqual(['01 a', '80 b']);
    expect(wire.socket.bufferedAmount).toBe(0);
  });
});
