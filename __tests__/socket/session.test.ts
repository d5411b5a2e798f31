import { Buffer } from 'node:buffer';
import { duplexPair } from 'node:stream';
import { expireSocket, sendShared, shutSocket, startSocket } from '../../lib/socket/socket';
import { clientFrame } from '../support/bytes';
import {
  deferred,
  frame,
  makeWire,
  narrowPair,
  pass,
  stopTime,
  textForAll,
  turns,
  until,
} from './wire';

const hostile = {
  toString: () => {
    throw new Error('not even this');
  },
};
/** What user code may throw or reject with. */
const THROWN: readonly (readonly [string, unknown])[] = [
  ['an error', new Error('mine')],
  ['undefined', undefined],
  ['null', null],
  ['a string', 'text'],
  ['an object whose toString throws', hostile],
];

const fail = (error: unknown) => () => {
  throw error;
};
const rejectWith = (error: unknown) => () => {
  const { promise, reject } = deferred();
  reject(error);
  return promise;
};

describe('a socket that nobody has used', () => {
  it('has nothing buffered, and is not paused', () => {
    const { socket } = makeWire();
    expect([socket.bufferedAmount, socket.isPaused, socket.extensions]).toEqual([0, false, '']);
  });

  it('may be listened to, resumed and closed', async () => {
    const { socket, closes, peer } = makeWire();
    const seen: unknown[] = [];
    socket.on('message', (data) => seen.push(data));
    socket.resume();
    socket.close(1000);
    await turns();
    peer.close(1000);
    peer.stream.end();
    await turns();
    expect([seen, closes]).toEqual([[], ['1000']]);
  });
});

describe('§2.4.6 one open, one close', () => {
  it('calls open before anything else, then tells onopen, then messages', async () => {
    const order: unknown[] = [];
    const wire = makeWire({
      open: () => order.push('open'),
      start: false,
      hooks: { message: (_, data) => order.push(data) },
    });
    wire.socket.onopen = () => order.push('onopen');
    wire.peer.say('message');
    await turns();
    expect(order).toEqual([]);
    startSocket(wire.socket, () => order.push('open'), Buffer.alloc(0));
    await turns();
    expect(order).toEqual(['open', 'onopen', 'message']);
  });

  it('tells the close to the hook, then to the listeners, once', async () => {
    const order: string[] = [];
    const wire = makeWire({
      hooks: { close: (_, code, reason) => order.push(`hook ${code} ${reason}`) },
    });
    wire.socket.on('close', (code, reason) => order.push(`listener ${code} ${reason}`));
    wire.peer.close(4000, 'bye');
    wire.peer.stream.end();
    await turns();
    wire.socket.close();
    wire.socket.terminate();
    await turns();
    expect(order).toEqual(['hook 4000 bye', 'listener 4000 bye']);
    expect(wire.socket.wasClean).toBe(true);
  });

  it('releases the socket before the close is told', async () => {
    const order: string[] = [];
    const wire = makeWire({
      settings: { release: () => order.push('release') },
      hooks: { close: () => order.push('close') },
    });
    wire.socket.terminate();
    await turns();
    expect(order).toEqual(['release', 'close']);
  });

  it.each([['sync', false] as const, ['async', true] as const])(
    'closes with 1011 when open fails, %s, and tells the close',
    async (_, isAsync) => {
      for (const [name, error] of THROWN) {
        const wire = makeWire({ open: isAsync ? rejectWith(error) : fail(error) });
        await turns();
        wire.peer.stream.end();
        await turns();
        expect([name, wire.peer.closes, wire.closes]).toEqual([name, ['1011'], ['1011']]);
        expect(wire.reports).toEqual([error]);
      }
    },
  );

  it('tells the close after closeTimeout when open never settles', async () => {
    stopTime();
    const wire = makeWire({ open: () => deferred().promise, settings: { closeTimeout: 2000 } });
    wire.peer.say('held');
    wire.socket.terminate();
    await pass(1500);
    expect(wire.closes).toEqual([]);
    await pass(800);
    expect(wire.closes).toEqual(['1006']);
  });

  it('tells the close once when open settles after it', async () => {
    stopTime();
    const opening = deferred();
    const wire = makeWire({ open: () => opening.promise, settings: { closeTimeout: 1000 } });
    wire.socket.terminate();
    await pass(2000);
    opening.resolve();
    await turns();
    expect(wire.closes).toEqual(['1006']);
  });

  it('waits for open to settle, then tells the close at once', async () => {
    const opening = deferred();
    const wire = makeWire({ open: () => opening.promise });
    wire.socket.terminate();
    await turns();
    expect(wire.closes).toEqual([]);
    opening.resolve();
    await turns();
    expect(wire.closes).toEqual(['1006']);
  });

  it('tells the close after closeTimeout when a message handler never settles', async () => {
    stopTime();
    const wire = makeWire({ hooks: { message: () => deferred().promise } });
    wire.peer.say('a', 'b');
    await turns();
    wire.peer.close(1000);
    wire.peer.stream.end();
    await pass(9000);
    expect(wire.closes).toEqual([]);
    await pass(1500);
    expect(wire.closes).toEqual(['1000']);
  });
});

describe('§2.4.4 user code cannot end the process', () => {
  const chat = clientFrame({ first: 0x81, payload: 'x' });
  const provoke = {
    message: chat,
    ping: frame.ping(),
    pong: frame.pong(),
    error: frame.bad(),
  };

  describe.each(THROWN)('when it fails with %s', (_, error) => {
    it.each([fail(error), rejectWith(error)])('in the message hook', async (message) => {
      const wire = makeWire({ hooks: { message } });
      wire.peer.write(chat, chat);
      await turns();
      expect(wire.reports).toEqual([error]);
      expect(wire.peer.closes).toEqual(['1011']);
    });

    it.each([fail(error), rejectWith(error)])('in the close hook', async (close) => {
      const wire = makeWire({ hooks: { close } });
      wire.socket.terminate();
      await turns();
      expect(wire.reports).toEqual([error]);
      expect(wire.closes).toEqual(['1006']);
    });

    it.each([fail(error), rejectWith(error)])('in the drain hook', async (drain) => {
      const wire = makeWire({ hooks: { drain }, settings: { highWaterMark: 10 } });
      expect(wire.socket.send('x'.repeat(100))).toBe(false);
      await turns();
      expect(wire.reports).toEqual([error]);
      expect(wire.peer.closes).toEqual(['1011']);
    });

    it.each([fail(error), rejectWith(error)])('in a send callback', async (callback) => {
      const wire = makeWire();
      wire.socket.send('x', callback);
      await turns();
      expect(wire.reports).toEqual([error]);
      expect(wire.peer.closes).toEqual(['1011']);
    });

    it.each([fail(error), rejectWith(error)])(
      'in the callback of a send after the close',
      async (callback) => {
        const wire = makeWire();
        wire.socket.close();
        wire.socket.send('x', callback);
        await turns();
        expect(wire.reports).toEqual([error]);
      },
    );

    it.each(['message', 'ping', 'pong', 'error'] as const)(
      "in a listener of '%s', and the next listener still hears",
      async (event) => {
        for (const listener of [fail(error), rejectWith(error)]) {
          const wire = makeWire();
          const others: unknown[] = [];
          wire.socket.on(event, listener).on(event, () => others.push(1));
          wire.peer.write(provoke[event]);
          await turns();
          expect(wire.reports).toEqual([error]);
          expect(others).toHaveLength(1);
          expect(wire.peer.closes).toEqual([event === 'error' ? '1002' : '1011']);
        }
      },
    );

    it("in a listener of 'close' or 'drain'", async () => {
      for (const listener of [fail(error), rejectWith(error)]) {
        const wire = makeWire({ settings: { highWaterMark: 10 } });
        wire.socket.on('drain', listener).on('close', listener);
        wire.socket.send('x'.repeat(100));
        await turns();
        wire.socket.terminate();
        await turns();
        expect(wire.reports).toEqual([error, error]);
        expect(wire.closes).toHaveLength(1);
      }
    });

    it('in an addEventListener listener', async () => {
      const wire = makeWire();
      wire.socket.addEventListener('message', fail(error));
      wire.peer.write(chat);
      await turns();
      expect(wire.reports).toEqual([error]);
      expect(wire.peer.closes).toEqual(['1011']);
    });
  });

  it('is reported from an onopen, and the messages that come are not delivered', async () => {
    const wire = makeWire({ start: false, hooks: { message: () => undefined } });
    wire.socket.onopen = fail('early');
    startSocket(wire.socket, () => undefined, chat);
    await turns();
    expect(wire.reports).toEqual(['early']);
    expect(wire.peer.closes).toEqual(['1011']);
  });

  it('puts no text of the error on the wire', async () => {
    const wire = makeWire({ hooks: { message: fail(new Error('the secret')) } });
    wire.peer.say('x');
    await turns();
    expect(wire.peer.closes).toEqual(['1011']);
  });

  it('lets each event send, close, terminate, pause and resume', async () => {
    for (const act of ['send', 'close', 'terminate', 'pause', 'resume', 'ping'] as const) {
      for (const event of ['message', 'ping', 'pong', 'error', 'close'] as const) {
        const wire = makeWire();
        wire.socket.on(event, () => {
          if (act === 'send') wire.socket.send('from inside');
          else wire.socket[act]();
        });
        wire.peer.write(chat, frame.ping(), frame.pong(), frame.bad());
        await turns();
        wire.socket.resume();
        await turns();
        wire.peer.stream.end();
        await turns();
        expect([act, event, wire.reports, wire.closes.length]).toEqual([act, event, [], 1]);
      }
    }
  });
});

describe('closing for a reason of the server', () => {
  it('reports that code even if the peer is gone', async () => {
    const wire = makeWire();
    shutSocket(wire.socket, 1001, 'going away');
    wire.socket.terminate();
    await turns();
    expect(wire.closes).toEqual(['1001 going away']);
  });

  it('does nothing when it is closing already', async () => {
    const wire = makeWire();
    wire.socket.close(4000);
    shutSocket(wire.socket, 1001, 'going away');
    await turns();
    expect(wire.peer.closes).toEqual(['4000']);
  });

  it('closes with 1008 when the authorisation expires', async () => {
    stopTime();
    const wire = makeWire();
    expireSocket(wire.socket, Date.now() + 5000);
    await pass(4500);
    expect(wire.peer.closes).toEqual([]);
    await pass(1000);
    expect(wire.peer.closes).toEqual(['1008 authorisation expired']);
  });

  it('forgets the expiry at the close', async () => {
    stopTime();
    const wire = makeWire();
    expireSocket(wire.socket, Date.now() + 3_600_000);
    wire.socket.terminate();
    await pass(1000);
    expect(wire.closes).toEqual(['1006']);
  });

  it('closes an idle socket with 1001; a ping is no message', async () => {
    stopTime();
    const wire = makeWire({ settings: { idleTimeout: 3000 } });
    await pass(2000);
    wire.peer.ping();
    await pass(1500);
    expect(wire.peer.closes).toEqual(['1001 idle']);
  });

  it.each(['in', 'out', 'from a room'])('is not idle with a message %s', async (way) => {
    stopTime();
    const wire = makeWire({
      settings: { idleTimeout: 3000 },
      hooks: { message: () => undefined },
    });
    await pass(2000);
    if (way === 'in') wire.peer.say('a');
    else if (way === 'out') wire.socket.send('a');
    else sendShared(wire.socket, textForAll('a'));
    await pass(2500);
    expect(wire.peer.closes).toEqual([]);
    await pass(1000);
    expect(wire.peer.closes).toEqual(['1001 idle']);
  });

  it('closes with 1008 above messageRate, and delivers what was within', async () => {
    const messages: unknown[] = [];
    const wire = makeWire({
      settings: { messageRate: { messages: 3, bytes: Infinity, per: 1000 } },
      hooks: { message: (_, data) => messages.push(data) },
    });
    wire.peer.say('1', '2', '3', '4', '5');
    await turns();
    expect(messages).toEqual(['1', '2', '3']);
    expect(wire.peer.closes).toEqual(['1008 too many messages']);
  });

  it('does not take a paused peer for dead', async () => {
    stopTime();
    const wire = makeWire({ settings: { pingInterval: 1000, pingTimeout: 1000 } });
    wire.socket.pause();
    await pass(5000);
    expect(wire.closes).toEqual([]);
    wire.socket.resume();
    await pass(5000);
    expect(wire.closes).toEqual(['1006']);
  });

  it('counts the bytes of messages', async () => {
    const wire = makeWire({
      settings: { messageRate: { messages: Infinity, bytes: 10, per: 1000 } },
      hooks: { message: () => undefined },
    });
    wire.peer.say('x'.repeat(10));
    await turns();
    expect(wire.peer.closes).toEqual([]);
    wire.peer.say('x');
    await turns();
    expect(wire.peer.closes).toEqual(['1008 too many messages']);
  });
});

describe('the way out', () => {
  it('sends what the codec makes of it', async () => {
    const wire = makeWire({
      settings: { codec: { decode: undefined, encode: (value) => JSON.stringify(value) } },
    });
    wire.socket.send({ a: 1 });
    await turns();
    expect(wire.peer.texts).toEqual(['{"a":1}']);
  });

  it('throws what the codec throws, and stays open', () => {
    const wire = makeWire({
      settings: {
        codec: {
          decode: undefined,
          encode: () => {
            throw new TypeError('does not fit');
          },
        },
      },
    });
    expect(() => wire.socket.send(1)).toThrow('does not fit');
    expect(wire.socket.readyState).toBe(1);
  });

  it('calls back when the operating system has taken it', async () => {
    const wire = makeWire({ pair: duplexPair({ highWaterMark: 10 }) });
    wire.peer.pause();
    const taken: unknown[] = [];
    wire.socket.send('x'.repeat(100));
    wire.socket.send('y'.repeat(100), (...args) => taken.push(args));
    wire.socket.send(Buffer.alloc(100), {}, () => taken.push('binary'));
    await turns();
    expect(taken).toEqual([]);
    wire.peer.resume();
    await until(() => taken.length === 2);
    expect(taken).toEqual([[], 'binary']);
  });

  it('keeps broadcasts out of a message in fragments (§5.4)', async () => {
    const wire = makeWire();
    wire.socket.send('one ', { fin: false });
    expect(sendShared(wire.socket, textForAll('broadcast'))).toBe(true);
    wire.socket.send('two ', { fin: false });
    expect(wire.socket.bufferedAmount).toBeGreaterThan(0);
    await turns();
    expect(wire.peer.frames.map(({ first }) => first)).toEqual([0x01, 0x00]);
    wire.socket.send('three');
    await turns();
    expect(wire.peer.frames.map(({ first }) => first)).toEqual([0x01, 0x00, 0x80, 0x81]);
    expect(wire.peer.frames[2]!.payload.toString()).toBe('three');
    expect(wire.peer.texts).toEqual(['broadcast']);
  });

  it('closes inside of a message in fragments', async () => {
    const wire = makeWire();
    wire.socket.send('never finished', { fin: false });
    wire.socket.close(4000);
    await turns();
    expect(wire.peer.closes).toEqual(['4000']);
  });

  it('keeps text behind a blob, and the close behind both', async () => {
    const wire = makeWire();
    wire.socket.send(new Blob(['blob']));
    wire.socket.send('text');
    expect(() => wire.socket.close(1005)).toThrow(RangeError);
    wire.socket.close(4000, 'done');
    await until(() => wire.peer.closes.length > 0);
    expect(
      wire.peer.frames.map(({ first, payload }) => [first, payload.toString('latin1')]),
    ).toEqual([
      [0x82, 'blob'],
      [0x81, 'text'],
      [0x88, '\x0f\xa0done'],
    ]);
  });

  it('takes a broadcast only while it is open', async () => {
    const wire = makeWire();
    expect(sendShared(wire.socket, textForAll('a'))).toBe(true);
    wire.socket.close();
    expect(sendShared(wire.socket, textForAll('b'))).toBe(false);
    await turns();
    expect(wire.peer.texts).toEqual(['a']);
  });

  it('counts broadcasts that wait for a message in fragments to maxBackpressure', async () => {
    const wire = makeWire({ settings: { maxBackpressure: 10_000 } });
    wire.socket.send('never finished', { fin: false });
    for (let i = 0; i < 100; i++) sendShared(wire.socket, textForAll('x'.repeat(1000)));
    expect(wire.socket.bufferedAmount).toBeLessThan(12_000);
  });

  it('counts what waits behind a blob to bufferedAmount and maxBackpressure', async () => {
    const wire = makeWire({ settings: { maxBackpressure: 10_000, onBackpressure: 'drop' } });
    wire.socket.send(new Blob(['blob']));
    const taken = Array.from({ length: 100 }, () => wire.socket.send('x'.repeat(1000)));
    expect(wire.socket.bufferedAmount).toBeGreaterThan(9_000);
    expect(taken).toContain(false);
    await until(() => wire.peer.texts.length > 0);
    await turns();
    expect(wire.peer.texts.length).toBeLessThan(12);
  });
});

describe("§2.3 'drain'", () => {
  it('comes, to hook and listeners, when everything was taken after a send returned false', async () => {
    const order: string[] = [];
    const wire = makeWire({
      pair: narrowPair(),
      settings: { highWaterMark: 1000 },
      hooks: { drain: () => order.push('hook') },
    });
    wire.socket.on('drain', () => order.push('listener'));
    wire.peer.pause();
    expect(wire.socket.send('x'.repeat(900))).toBe(true);
    expect(wire.socket.send('x'.repeat(900))).toBe(false);
    expect(wire.socket.bufferedAmount).toBe(1808);
    await turns();
    expect(order).toEqual([]);
    wire.peer.resume();
    await until(() => order.length > 1);
    expect(order).toEqual(['hook', 'listener']);
    expect(wire.socket.bufferedAmount).toBe(0);
    expect(wire.socket.send('small')).toBe(true);
    await turns();
    expect(order).toHaveLength(2);
  });

  it('comes after a send that was dropped, too', async () => {
    // Broadcasts filled it up; whoever is told false waits for 'drain'.
    const wire = makeWire({
      pair: narrowPair(),
      settings: { highWaterMark: 1000, maxBackpressure: 2000, onBackpressure: 'drop' },
    });
    let drains = 0;
    wire.socket.on('drain', () => drains++);
    wire.peer.pause();
    for (let i = 0; i < 5; i++) {
      sendShared(wire.socket, textForAll('x'.repeat(500)));
      await turns(1);
    }
    expect(wire.socket.send('dropped')).toBe(false);
    wire.peer.resume();
    await until(() => wire.socket.bufferedAmount === 0);
    await turns();
    expect(drains).toBe(1);
  });
});
