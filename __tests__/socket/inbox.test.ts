import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { Inbox } from '../../lib/socket/inbox';
import type { Decoded, SocketHooks } from '../../lib/socket/settings';
import type { Socket } from '../../lib/socket/socket';
import { clientFrame } from '../support/bytes';
import {
  deferred,
  frame,
  makeWire,
  netPair,
  pass,
  stopTime,
  turns,
  until,
  type Deferred,
  type Wire,
} from './wire';

const numbers = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, i) => String(from + i));

/** A message hook that notes what came, and settles when it is told. */
function makeSlowHook(): {
  readonly seen: unknown[];
  readonly begun: Deferred[];
  readonly message: (socket: Socket, data: unknown) => Promise<void>;
} {
  const seen: unknown[] = [];
  const begun: Deferred[] = [];
  const message = (_: Socket, data: unknown): Promise<void> => {
    seen.push(data);
    const waiting = deferred();
    begun.push(waiting);
    return waiting.promise;
  };
  return { seen, begun, message };
}

describe('§2.4.2 no message is lost', () => {
  it('to a hook, in order, from one read', async () => {
    const seen: unknown[] = [];
    const { peer } = makeWire({ hooks: { message: (_, data) => seen.push(data) } });
    peer.say(...numbers(1000));
    await turns();
    expect(seen).toEqual(numbers(1000));
  });

  it('while open has not settled', async () => {
    const opening = deferred();
    const seen: unknown[] = [];
    const { peer } = makeWire({
      open: () => opening.promise,
      hooks: { message: (_, data) => seen.push(data) },
    });
    peer.say(...numbers(100));
    await turns();
    expect(seen).toEqual([]);
    opening.resolve();
    await turns();
    peer.say('last');
    await turns();
    expect(seen).toEqual([...numbers(100), 'last']);
  });

  it("until a 'message' listener is attached, which then hears all, not from inside of on()", async () => {
    const { peer, socket } = makeWire();
    peer.say(...numbers(100));
    await turns();
    const seen: unknown[] = [];
    socket.on('message', (data) => seen.push(data));
    expect(seen).toEqual([]);
    await turns();
    expect(seen).toEqual(numbers(100));
  });

  it('a listener that open attaches hears before open settles', async () => {
    const opening = deferred();
    const seen: unknown[] = [];
    const { peer } = makeWire({
      open: (socket) => {
        socket.on('message', (data) => seen.push(data));
        return opening.promise;
      },
    });
    peer.say('a');
    await turns();
    expect(seen).toEqual(['a']);
    opening.resolve();
    await turns();
  });

  it("between one once('message') and the next", async () => {
    const { peer, socket } = makeWire();
    const seen: unknown[] = [];
    peer.say(...numbers(40));
    for (let i = 0; i < 40; i++) seen.push(...(await once(socket, 'message')).slice(0, 1));
    expect(seen).toEqual(numbers(40));
    await turns();
    peer.say('later');
    expect(await once(socket, 'message')).toEqual(['later', false]);
  });

  it('when the listener goes, and another comes', async () => {
    const { peer, socket } = makeWire();
    const first: unknown[] = [];
    const second: unknown[] = [];
    const listener = (data: unknown): void => void first.push(data);
    socket.on('message', listener);
    peer.say('a');
    await turns();
    socket.off('message', listener);
    peer.say('b', 'c');
    await turns();
    socket.prependListener('message', (data) => second.push(data));
    await turns();
    expect([first, second]).toEqual([['a'], ['b', 'c']]);
  });

  it('that came before a close frame and a FIN', async () => {
    const opening = deferred();
    const order: unknown[] = [];
    const { peer, closes } = makeWire({
      open: () => opening.promise,
      hooks: { message: (_, data) => order.push(data), close: (_, code) => order.push(code) },
    });
    peer.write(...numbers(10).map(frame.text), frame.close(4000));
    peer.stream.end();
    await turns();
    expect(order).toEqual([]);
    opening.resolve();
    await turns();
    expect(order).toEqual([...numbers(10), 4000]);
    expect(closes).toEqual(['4000']);
  });

  it.each(['memory', 'TCP'])('that came before the FIN of a peer over %s', async (over) => {
    // Resuming a stream that has ended tells its 'end' at once, before what was kept is decoded.
    const seen: unknown[] = [];
    const wire = makeWire({
      ...(over === 'TCP' ? { pair: await netPair() } : {}),
      hooks: {
        message: (_, data) => {
          seen.push(data);
          return turns(1);
        },
      },
    });
    wire.peer.write(...numbers(100).map(frame.text), frame.close(4000));
    wire.peer.stream.end();
    await until(() => wire.closes.length > 0);
    expect(seen).toEqual(numbers(100));
    expect(wire.closes).toEqual(['4000']);
  });

  it('to both the hook and the listeners', async () => {
    const seen: unknown[] = [];
    const { peer, socket } = makeWire({
      hooks: { message: (_, data) => seen.push(`hook ${String(data)}`) },
    });
    socket.on('message', (data, isBinary) => seen.push(`listener ${String(data)} ${isBinary}`));
    peer.say('a');
    peer.write(frame.binary(Buffer.from('b')));
    await turns();
    expect(seen).toEqual(['hook a', 'listener a false', 'hook b', 'listener b true']);
  });
});

describe('§2.4.3 one at a time', () => {
  it('starts the next handler when the one before has settled', async () => {
    const { seen, begun, message } = makeSlowHook();
    const { peer } = makeWire({ hooks: { message } });
    peer.say('a', 'b', 'c');
    await turns();
    expect(seen).toEqual(['a']);
    begun[0]!.resolve();
    await turns();
    expect(seen).toEqual(['a', 'b']);
    begun[1]!.resolve();
    await turns();
    expect(seen).toEqual(['a', 'b', 'c']);
    begun[2]!.resolve();
  });

  it('goes on after a handler rejects only to close', async () => {
    const { seen, begun, message } = makeSlowHook();
    const { peer, reports } = makeWire({ hooks: { message } });
    peer.say('a', 'b');
    await turns();
    begun[0]!.reject('no');
    await turns();
    expect(seen).toEqual(['a']);
    expect(reports).toEqual(['no']);
    expect(peer.closes).toEqual(['1011']);
  });

  it('keeps the order with handlers that settle at once, later, and not at all', async () => {
    const seen: unknown[] = [];
    const message = (_: Socket, data: unknown): unknown => {
      seen.push(data);
      if (Number(data) % 3 === 0) return undefined;
      return Number(data) % 3 === 1 ? Promise.resolve() : turns(1);
    };
    const { peer } = makeWire({ hooks: { message } });
    peer.say(...numbers(60));
    await turns(2);
    peer.say(...numbers(60, 60));
    await until(() => seen.length === 120);
    expect(seen).toEqual(numbers(120));
  });
});

describe('what is held is bounded', () => {
  it('by 16 messages; then reading stops, and later goes on', async () => {
    const { seen, begun, message } = makeSlowHook();
    const { peer, socket, transport } = makeWire({ hooks: { message } });
    // One is with the handler, 16 are held; what follows stays in the decoder, unread.
    peer.write(...numbers(17).map(frame.text), frame.ping('behind'));
    await turns();
    expect(transport.isPaused()).toBe(true);
    expect(socket.isPaused).toBe(false);
    expect(peer.pongs).toEqual([]);
    begun[0]!.resolve();
    await turns();
    expect(seen).toEqual(['0', '1']);
    expect(transport.isPaused()).toBe(false);
    expect(peer.pongs).toEqual(['behind']);
    begun[1]!.resolve();
    await turns();
  });

  it('reads on with 15', async () => {
    const { begun, message } = makeSlowHook();
    const { peer, transport } = makeWire({ hooks: { message } });
    peer.write(...numbers(16).map(frame.text), frame.ping('read'));
    await turns();
    expect(transport.isPaused()).toBe(false);
    expect(peer.pongs).toEqual(['read']);
    begun[0]!.resolve();
    await turns();
  });

  it('by maxPayload bytes', async () => {
    const { begun, message } = makeSlowHook();
    const { peer, transport } = makeWire({ hooks: { message }, settings: { maxPayload: 1000 } });
    peer.say('first', 'x'.repeat(999));
    await turns();
    expect(transport.isPaused()).toBe(false);
    peer.say('x');
    await turns();
    expect(transport.isPaused()).toBe(true);
    begun[0]!.resolve();
    await turns();
    expect(transport.isPaused()).toBe(false);
  });

  it('lets the peer feel it', async () => {
    const { peer } = makeWire();
    for (let i = 0; i < 2000; i++) peer.say('x'.repeat(100));
    await turns(20);
    expect(peer.stream.writableLength).toBeGreaterThan(100_000);
  });

  it('loses nothing of all that, whatever stops and goes on', async () => {
    const seen: unknown[] = [];
    const { peer, socket } = makeWire({
      hooks: {
        message: (_, data) => {
          seen.push(data);
          if (Number(data) % 7 === 0) {
            socket.pause();
            setImmediate(() => socket.resume());
          }
          return Number(data) % 5 === 0 ? turns(1) : undefined;
        },
      },
    });
    const bytes = Buffer.concat(numbers(500).map(frame.text));
    for (let at = 0; at < bytes.length; at += 333) peer.write(bytes.subarray(at, at + 333));
    await until(() => seen.length === 500);
    expect(seen).toEqual(numbers(500));
  });
});

describe('§2.3 pause and resume', () => {
  it('delivers nothing while paused, then all of it', async () => {
    const seen: unknown[] = [];
    const { peer, socket } = makeWire({ hooks: { message: (_, data) => seen.push(data) } });
    socket.pause();
    expect(socket.isPaused).toBe(true);
    peer.say('a', 'b');
    await turns();
    expect(seen).toEqual([]);
    socket.resume();
    expect(socket.isPaused).toBe(false);
    await turns();
    expect(seen).toEqual(['a', 'b']);
  });

  it('works from inside of a handler: nothing is delivered before resume', async () => {
    const seen: unknown[] = [];
    const { peer, socket } = makeWire({
      hooks: {
        message: (_, data) => {
          seen.push(data);
          socket.pause();
        },
      },
    });
    peer.say('a', 'b', 'c');
    await turns();
    expect(seen).toEqual(['a']);
    socket.resume();
    await turns();
    expect(seen).toEqual(['a', 'b']);
    socket.resume();
    await turns();
    expect(seen).toEqual(['a', 'b', 'c']);
  });

  it('pauses and resumes in one handler without one handler inside of another', async () => {
    const order: string[] = [];
    const { peer, socket } = makeWire({
      hooks: {
        message: (_, data) => {
          order.push(`> ${String(data)}`);
          socket.pause();
          socket.resume();
          order.push(`< ${String(data)}`);
        },
      },
    });
    socket.pause();
    peer.say('a', 'b', 'c');
    await turns();
    socket.resume();
    await turns();
    expect(order).toEqual(['> a', '< a', '> b', '< b', '> c', '< c']);
  });

  it('keeps what was held when the peer has gone, until it is resumed', async () => {
    const { begun, seen, message } = makeSlowHook();
    const wire = makeWire({ hooks: { message } });
    wire.peer.say('a', 'b');
    await turns();
    wire.socket.pause();
    wire.transport.destroy();
    begun[0]!.resolve();
    await turns();
    expect(wire.closes).toEqual([]);
    wire.socket.resume();
    await turns();
    expect(seen).toEqual(['a', 'b']);
    begun[1]!.resolve();
    await turns();
    expect(wire.closes).toEqual(['1006']);
  });

  it('reads on to the end when closed while paused (§1.4)', async () => {
    const seen: unknown[] = [];
    const wire = makeWire({ hooks: { message: (_, data) => seen.push(data) } });
    wire.socket.pause();
    wire.peer.say('a');
    await turns();
    wire.socket.close(4000);
    wire.peer.close(4000);
    wire.peer.stream.end();
    await turns();
    expect(seen).toEqual([]);
    expect(wire.socket.isPaused).toBe(false);
    expect(wire.closes).toEqual(['4000']);
    expect(wire.socket.wasClean).toBe(true);
  });

  it('cannot be paused while closing', async () => {
    const { socket } = makeWire();
    socket.close();
    socket.pause();
    expect(socket.isPaused).toBe(false);
  });
});

describe('§2.4.6 the close comes after what was held', () => {
  it('drops what nobody wants, and tells the close at once', async () => {
    const wire = makeWire();
    wire.peer.say('a');
    wire.peer.close(4000);
    wire.peer.stream.end();
    await turns();
    expect(wire.closes).toEqual(['4000']);
    const seen: unknown[] = [];
    wire.socket.on('message', (data) => seen.push(data));
    await turns();
    expect(seen).toEqual([]);
  });

  it('waits for what is held for a slow handler', async () => {
    const { begun, seen, message } = makeSlowHook();
    const wire = makeWire({ hooks: { message } });
    wire.peer.say('a', 'b');
    wire.peer.close(4000);
    wire.peer.stream.end();
    await turns();
    expect(wire.closes).toEqual([]);
    begun[0]!.resolve();
    await turns();
    expect(seen).toEqual(['a', 'b']);
    expect(wire.closes).toEqual([]);
    begun[1]!.resolve();
    await turns();
    expect(wire.closes).toEqual(['4000']);
  });

  it('drops what is left after closeTimeout, and delivers nothing after the close', async () => {
    stopTime();
    const { begun, seen, message } = makeSlowHook();
    const wire = makeWire({ hooks: { message }, settings: { closeTimeout: 1000 } });
    wire.peer.say('a', 'b');
    wire.peer.close(4000);
    wire.peer.stream.end();
    await pass(1500);
    expect(wire.closes).toEqual(['4000']);
    begun[0]!.resolve();
    await turns();
    expect(seen).toEqual(['a']);
  });

  it('is told when the socket is paused for ever', async () => {
    stopTime();
    const { begun, message } = makeSlowHook();
    const wire = makeWire({ hooks: { message }, settings: { closeTimeout: 1000 } });
    wire.peer.say('a', 'b');
    await turns();
    wire.socket.pause();
    wire.socket.terminate();
    begun[0]!.resolve();
    await pass(1500);
    expect(wire.closes).toEqual(['1006']);
  });

  it('delivers no message from the hook to the listener after our close', async () => {
    const seen: unknown[] = [];
    const wire = makeWire({
      hooks: {
        message: (socket, data) => {
          seen.push(data);
          socket.close();
        },
      },
    });
    wire.peer.say('a', 'b', 'c');
    await turns();
    expect(seen).toEqual(['a']);
  });

  it('delivers nothing after the close that an iterator left behind', async () => {
    const order: unknown[] = [];
    const wire = makeWire({
      hooks: { message: (_, data) => order.push(data), close: () => order.push('close') },
    });
    const iterator = wire.socket[Symbol.asyncIterator]();
    wire.peer.say('a', 'b', 'c');
    wire.peer.close(1000);
    wire.peer.stream.end();
    await turns();
    expect(await iterator.next()).toEqual({ value: 'a', done: false });
    await iterator.return?.();
    await turns();
    expect(order.indexOf('close')).toBe(order.length - 1);
  });
});

it('counts the characters of text and the bytes of binary messages', async () => {
  const { begun, message } = makeSlowHook();
  const { peer, transport } = makeWire({ hooks: { message }, settings: { maxPayload: 1000 } });
  peer.write(
    frame.text('first'),
    clientFrame({ first: 0x82, payload: Buffer.alloc(500) }),
    frame.text('x'.repeat(500)),
  );
  await turns();
  expect(transport.isPaused()).toBe(true);
  begun[0]!.resolve();
  await turns();
});

describe('an inbox alone', () => {
  const makeInbox = (
    message?: (socket: Socket, data: unknown) => unknown,
  ): { inbox: Inbox; recipient: { isOpening: boolean }; reading: string[] } => {
    const { socket, settings } = makeWire({
      start: false,
      hooks: message === undefined ? {} : { message },
    });
    const recipient = {
      socket,
      settings,
      isOpening: message === undefined,
      onUserError: () => {},
      shut: () => {},
    };
    const reading: string[] = [];
    const reader = {
      stopReading: () => reading.push('stop'),
      startReading: () => reading.push('start'),
    };
    return { inbox: new Inbox(recipient, reader), recipient, reading };
  };

  it('says whether the peer is read from, and steers it once each way', () => {
    const { inbox, reading } = makeInbox();
    expect(inbox.isReading).toBe(true);
    inbox.pause();
    inbox.pause();
    expect(inbox.isReading).toBe(false);
    inbox.resume();
    inbox.resume();
    expect(inbox.isReading).toBe(true);
    expect(reading).toEqual(['stop', 'start']);
  });

  it('delivers what is accepted from inside of a handler after that handler', () => {
    const order: unknown[] = [];
    const socketOf: { inbox?: Inbox } = {};
    const { inbox } = makeInbox((_, data) => {
      order.push(`> ${String(data)}`);
      if (data === 'a') socketOf.inbox?.accept('b', false);
      order.push(`< ${String(data)}`);
    });
    socketOf.inbox = inbox;
    inbox.accept('a', false);
    expect(order).toEqual(['> a', '< a', '> b', '< b']);
  });

  it('ends once, and not by an alarm that nobody set', () => {
    const { inbox, recipient } = makeInbox();
    let ends = 0;
    inbox.ring();
    inbox.end(() => ends++);
    expect(ends).toBe(0);
    recipient.isOpening = false;
    inbox.drain();
    inbox.ring();
    inbox.drain();
    expect(ends).toBe(1);
  });
});

describe('messages that a schema checks', () => {
  /** A schema that takes as long as the test wants for what begins with 'slow'. */
  const makeChecked = (
    hooks: SocketHooks = {},
    maxPayload = 1000,
  ): Wire & { checks: Deferred<Decoded>[] } => {
    const checks: Deferred<Decoded>[] = [];
    const decode = (text: string): Decoded | Promise<Decoded> => {
      if (!text.startsWith('slow')) return { kind: 'value', value: `checked ${text}` };
      const checking = deferred<Decoded>();
      checks.push(checking);
      return checking.promise;
    };
    const codec = { decode, encode: undefined };
    return { ...makeWire({ hooks, settings: { codec, maxPayload } }), checks };
  };

  it('are delivered in order, however long each is checked', async () => {
    const seen: unknown[] = [];
    const { peer, checks } = makeChecked({ message: (_, data) => seen.push(data) });
    peer.say('a', 'slow 1', 'b', 'slow 2', 'c');
    await turns();
    expect([seen, checks.length]).toEqual([['checked a'], 1]);
    checks[0]?.resolve({ kind: 'value', value: 'one' });
    await turns();
    expect([seen, checks.length]).toEqual([['checked a', 'one', 'checked b'], 2]);
    checks[1]?.resolve({ kind: 'value', value: 'two' });
    await turns();
    expect(seen).toEqual(['checked a', 'one', 'checked b', 'two', 'checked c']);
  });

  it('wait for somebody again, in their place, when nobody is left who wants them', async () => {
    const { peer, socket, checks } = makeChecked();
    const seen: unknown[] = [];
    const leaving = jest.fn();
    socket.on('message', leaving);
    peer.say('slow 1', 'b');
    await turns();
    socket.off('message', leaving);
    checks[0]?.resolve({ kind: 'value', value: 'one' });
    await turns();
    socket.on('message', (data) => seen.push(data));
    await turns();
    expect(seen).toEqual(['one', 'checked b']);
    expect(leaving).not.toHaveBeenCalled();
  });

  it('count while they wait again: reading stops at maxPayload', async () => {
    const { peer, socket, transport, checks } = makeChecked({}, 200);
    const leaving = (): void => undefined;
    socket.on('message', leaving);
    peer.say(`slow ${'x'.repeat(150)}`);
    await turns();
    socket.off('message', leaving);
    checks[0]?.resolve({ kind: 'value', value: 'short' });
    await turns();
    expect(transport.isPaused()).toBe(false);
    peer.say('y'.repeat(50));
    await turns();
    expect(transport.isPaused()).toBe(true);
    const seen: unknown[] = [];
    socket.on('message', (data) => seen.push(data));
    await turns();
    expect([seen.length, transport.isPaused()]).toEqual([2, false]);
  });

  it('are dropped when we close while they are checked (§1.4)', async () => {
    const seen: unknown[] = [];
    const { peer, socket, checks } = makeChecked({ message: (_, data) => seen.push(data) });
    peer.say('slow 1', 'b');
    await turns();
    socket.close();
    checks[0]?.resolve({ kind: 'value', value: 'one' });
    await turns();
    expect(seen).toEqual([]);
  });

  it('are left out when they are not valid, and the next one comes', async () => {
    const seen: unknown[] = [];
    const { peer, checks } = makeChecked({
      message: (_, data) => seen.push(data),
      invalid: () => seen.push('invalid'),
    });
    peer.say('slow 1', 'b');
    await turns();
    checks[0]?.resolve({ kind: 'invalid', issues: [] });
    await turns();
    expect(seen).toEqual(['invalid', 'checked b']);
  });

  it('close the socket at once when they are no text', async () => {
    const seen: unknown[] = [];
    const { peer } = makeChecked({ message: (_, data) => seen.push(data) });
    peer.write(frame.binary(Buffer.from([1])), frame.text('b'));
    await turns();
    expect([peer.closes, seen]).toEqual([['1003 JSON text expected'], []]);
  });
});
