import { Buffer } from 'node:buffer';
import {
  SocketCloseEvent,
  SocketErrorEvent,
  SocketEvent,
  SocketMessageEvent,
} from '../../lib/socket/events';
import { startSocket } from '../../lib/socket/socket';
import { frame, makeWire, turns, type Wire } from './wire';

const NOTHING = Buffer.alloc(0);

/** Ends the connection from the peer's side, with both close frames. */
async function closeFromPeer({ peer }: Wire, code: number, reason: string): Promise<void> {
  peer.close(code, reason);
  peer.stream.end();
  await turns();
}

describe('WHATWG event objects', () => {
  it('message: data, and the socket as target', async () => {
    const wire = makeWire();
    const events: SocketMessageEvent[] = [];
    wire.socket.addEventListener('message', (event) => events.push(event));
    wire.peer.write(frame.text('Hello'), frame.binary(Buffer.from([1, 2])));
    await turns();
    expect(events.map(({ type, data }) => [type, data])).toEqual([
      ['message', 'Hello'],
      ['message', Buffer.from([1, 2])],
    ]);
    expect(events[0]).toBeInstanceOf(SocketMessageEvent);
    expect(events[0]).toBeInstanceOf(Event);
    expect(events[0]?.target).toBe(wire.socket);
    expect(events[0]?.currentTarget).toBe(wire.socket);
  });

  it('message: data follows binaryType', async () => {
    const wire = makeWire();
    const data: unknown[] = [];
    wire.socket.binaryType = 'arraybuffer';
    wire.socket.addEventListener('message', (event) => data.push(event.data));
    wire.peer.write(frame.binary(Buffer.from([1, 2, 3])));
    await turns();
    expect(data).toEqual([Uint8Array.of(1, 2, 3).buffer]);
  });

  it('close: code, reason, and wasClean after close frames from both sides', async () => {
    const wire = makeWire();
    const events: SocketCloseEvent[] = [];
    wire.socket.addEventListener('close', (event) => events.push(event));
    await closeFromPeer(wire, 4000, 'bye');
    expect(events).toHaveLength(1);
    expect(events[0]).toBeInstanceOf(SocketCloseEvent);
    expect(events[0]).toMatchObject({ type: 'close', code: 4000, reason: 'bye', wasClean: true });
    expect(events[0]?.target).toBe(wire.socket);
  });

  it('close: 1006 and not clean when the connection just ends (§7.1.5)', async () => {
    const wire = makeWire();
    const events: SocketCloseEvent[] = [];
    wire.socket.addEventListener('close', (event) => events.push(event));
    wire.socket.terminate();
    await turns();
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({ code: 1006, reason: '', wasClean: false });
  });

  it('error: the error and its message', async () => {
    const wire = makeWire();
    const events: SocketErrorEvent[] = [];
    const errors: Error[] = [];
    wire.socket.on('error', (error) => errors.push(error));
    wire.socket.addEventListener('error', (event) => events.push(event));
    wire.peer.write(frame.bad());
    await turns();
    expect(events).toHaveLength(1);
    expect(events[0]).toBeInstanceOf(SocketErrorEvent);
    expect(events[0]?.type).toBe('error');
    expect(events[0]?.error).toBe(errors[0]);
    expect(events[0]?.message).toBe(errors[0]?.message);
    expect(events[0]?.target).toBe(wire.socket);
  });

  it('open: told once, after the hook', () => {
    const wire = makeWire({ start: false });
    const told: unknown[] = [];
    wire.socket.addEventListener('open', (event) => told.push(event));
    startSocket(wire.socket, () => told.push('hook'), NOTHING);
    expect(told).toEqual(['hook', expect.any(SocketEvent)]);
    expect(told[1]).toMatchObject({ type: 'open', target: wire.socket });
  });
});

describe('addEventListener', () => {
  it('calls a function with the socket as this', async () => {
    const wire = makeWire();
    const seen: unknown[] = [];
    wire.socket.addEventListener('message', function (this: unknown) {
      seen.push(this);
    });
    wire.peer.say('x');
    await turns();
    expect(seen).toEqual([wire.socket]);
  });

  it('calls handleEvent of an object, as it is when the event comes', async () => {
    const wire = makeWire();
    const seen: unknown[] = [];
    const listener = {
      name: 'mine',
      handleEvent(event: SocketMessageEvent): void {
        seen.push(['replaced before the event', event.data]);
      },
    };
    wire.socket.addEventListener('message', listener);
    listener.handleEvent = function (event) {
      seen.push([this.name, event.data]);
    };
    wire.peer.say('x');
    await turns();
    expect(seen).toEqual([['mine', 'x']]);
  });

  it.each([
    [{ once: true }, ['a']],
    [{ once: false }, ['a', 'b']],
    [{ once: undefined }, ['a', 'b']],
    [{}, ['a', 'b']],
    [undefined, ['a', 'b']],
  ])('with the options %j hears %j', async (options, expected) => {
    const wire = makeWire({ hooks: { message: () => undefined } });
    const seen: unknown[] = [];
    wire.socket.addEventListener('message', ({ data }) => seen.push(data), options);
    wire.peer.say('a', 'b');
    await turns();
    expect(seen).toEqual(expected);
  });

  it('lets a listener that hears once listen again from inside', async () => {
    const wire = makeWire({ hooks: { message: () => undefined } });
    const seen: unknown[] = [];
    const listener = ({ data }: SocketMessageEvent): void => {
      seen.push(data);
      if (data === 'a') wire.socket.addEventListener('message', listener, { once: true });
    };
    wire.socket.addEventListener('message', listener, { once: true });
    wire.peer.say('a', 'b', 'c');
    await turns();
    expect(seen).toEqual(['a', 'b']);
  });

  it('takes the same listener once a type', async () => {
    const wire = makeWire();
    const types: string[] = [];
    const listener = ({ type }: SocketEvent): void => {
      types.push(type);
    };
    wire.socket.addEventListener('message', listener);
    wire.socket.addEventListener('message', listener, { once: true });
    wire.socket.addEventListener('close', listener);
    wire.peer.say('a', 'b');
    await closeFromPeer(wire, 1000, '');
    expect(types).toEqual(['message', 'message', 'close']);
  });

  it('is called in the order of listening, between Node listeners', async () => {
    const wire = makeWire();
    const order: number[] = [];
    wire.socket.on('message', () => order.push(1));
    wire.socket.addEventListener('message', () => order.push(2));
    wire.socket.on('message', () => order.push(3));
    wire.peer.say('x');
    await turns();
    expect(order).toEqual([1, 2, 3]);
  });

  it('hears the messages that were held for want of a listener', async () => {
    const wire = makeWire();
    const seen: unknown[] = [];
    wire.peer.say('a', 'b');
    await turns();
    wire.socket.addEventListener('message', ({ data }) => seen.push(data));
    expect(seen).toEqual([]);
    await turns();
    expect(seen).toEqual(['a', 'b']);
  });
});

describe('removeEventListener', () => {
  it('stops a function, and an object, of that type only', async () => {
    const wire = makeWire({ hooks: { message: () => undefined } });
    const seen: string[] = [];
    const asFunction = ({ type }: SocketEvent): void => {
      seen.push(`function ${type}`);
    };
    const asObject = {
      handleEvent: ({ type }: SocketEvent) => seen.push(`object ${type}`),
    };
    for (const listener of [asFunction, asObject]) {
      wire.socket.addEventListener('message', listener);
      wire.socket.addEventListener('close', listener);
    }
    wire.peer.say('a');
    await turns();
    for (const listener of [asFunction, asObject]) {
      wire.socket.removeEventListener('message', listener);
      wire.socket.removeEventListener('message', listener);
    }
    expect(wire.socket.listenerCount('message')).toBe(0);
    wire.peer.say('b');
    await closeFromPeer(wire, 1000, '');
    expect(seen).toEqual(['function message', 'object message', 'function close', 'object close']);
  });

  it('takes back what was to hear once, before it did', async () => {
    const wire = makeWire({ hooks: { message: () => undefined } });
    const listener = jest.fn();
    wire.socket.addEventListener('message', listener, { once: true });
    wire.socket.removeEventListener('message', listener);
    wire.peer.say('x');
    await turns();
    expect(listener).not.toHaveBeenCalled();
  });

  it('lets a listener be added again', async () => {
    const wire = makeWire();
    const listener = jest.fn();
    wire.socket.addEventListener('message', listener);
    wire.socket.removeEventListener('message', listener);
    wire.socket.addEventListener('message', listener);
    wire.peer.say('x');
    await turns();
    expect(listener).toHaveBeenCalledTimes(1);
  });

  it('does nothing for a listener that never listened', async () => {
    const wire = makeWire();
    const listener = jest.fn();
    wire.socket.removeEventListener('message', listener);
    wire.socket.addEventListener('message', listener);
    wire.socket.removeEventListener('message', () => undefined);
    wire.socket.removeEventListener('error', listener);
    wire.peer.say('x');
    await turns();
    expect(listener).toHaveBeenCalledTimes(1);
  });
});

/** Each of the four, by the name of its type. */
const HANDLERS = {
  open: 'onopen',
  message: 'onmessage',
  error: 'onerror',
  close: 'onclose',
} as const;

type Type = keyof typeof HANDLERS;

/** Makes each event happen once: open, a message, then a fault of the peer, which closes. */
async function causeAll(wire: Wire): Promise<void> {
  startSocket(wire.socket, () => undefined, NOTHING);
  wire.peer.write(frame.text('x'), frame.bad());
  await turns();
  wire.peer.stream.end();
  await turns();
}

describe.each(Object.entries(HANDLERS) as [Type, (typeof HANDLERS)[Type]][])(
  'the handler of %s',
  (type, name) => {
    // Each of the four takes functions of another type; here it is handed anything.
    const set = ({ socket }: Wire, handler: unknown): void => {
      socket[name] = handler as null;
    };
    const makeWaiting = (): Wire => makeWire({ start: false, hooks: { message: () => undefined } });

    it('is null until it is set, and gives back what was set', () => {
      const wire = makeWaiting();
      const handler = jest.fn();
      expect(wire.socket[name]).toBeNull();
      set(wire, handler);
      expect(wire.socket[name]).toBe(handler);
      set(wire, null);
      expect(wire.socket[name]).toBeNull();
    });

    it('is called with the event, the socket as this', async () => {
      const wire = makeWaiting();
      const seen: unknown[] = [];
      set(wire, function (this: unknown, event: SocketEvent) {
        seen.push(this, event.type, event.target);
      });
      await causeAll(wire);
      expect(seen).toEqual([wire.socket, type, wire.socket]);
    });

    it('takes the place of the one before', async () => {
      const wire = makeWaiting();
      const [first, second] = [jest.fn(), jest.fn()];
      set(wire, first);
      set(wire, second);
      expect(wire.socket[name]).toBe(second);
      await causeAll(wire);
      expect([first.mock.calls.length, second.mock.calls.length]).toEqual([0, 1]);
    });

    it('is called once when it is set twice', async () => {
      const wire = makeWaiting();
      const handler = jest.fn();
      set(wire, handler);
      set(wire, handler);
      await causeAll(wire);
      expect(handler).toHaveBeenCalledTimes(1);
    });

    it.each([null, undefined, {}, 5])('is taken away by %p', async (nothing) => {
      const wire = makeWaiting();
      const handler = jest.fn();
      set(wire, handler);
      set(wire, nothing);
      expect(wire.socket[name]).toBeNull();
      await causeAll(wire);
      expect(handler).not.toHaveBeenCalled();
    });

    it('may be a listener by addEventListener, too, and neither takes the other away', async () => {
      const heard = async (change: (wire: Wire, listener: jest.Mock) => void): Promise<number> => {
        const wire = makeWaiting();
        const listener = jest.fn();
        wire.socket.addEventListener(type, listener);
        set(wire, listener);
        change(wire, listener);
        await causeAll(wire);
        return listener.mock.calls.length;
      };
      expect(await heard(() => undefined)).toBe(2);
      expect(await heard((wire) => set(wire, null))).toBe(1);
      const asHandler = await heard((wire, listener) => {
        wire.socket.removeEventListener(type, listener);
        expect(wire.socket[name]).toBe(listener);
      });
      expect(asHandler).toBe(1);
      const none = await heard((wire, listener) => {
        set(wire, null);
        wire.socket.removeEventListener(type, listener);
      });
      expect(none).toBe(0);
    });
  },
);
