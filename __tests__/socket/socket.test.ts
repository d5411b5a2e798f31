import { Blob, Buffer } from 'node:buffer';
import { Emitter } from '../../lib/socket/emitter';
import { expireSocket, sendShared, shutSocket, Socket, startSocket } from '../../lib/socket/socket';
import { clientFrame } from '../support/bytes';
import { frame, makeWire, NotedRooms, pass, stopTime, textForAll, turns, type Wire } from './wire';

const NOTHING = Buffer.alloc(0);

/** First bytes and payloads of what the peer got. */
const seen = ({ peer }: Wire): [number, string][] =>
  peer.frames.map(({ first, payload }) => [first, payload.toString()]);

/** What a call throws; that it throws at all is part of it. */
function thrownBy(call: () => unknown): { name: string; message: string; code: unknown } {
  try {
    call();
  } catch (error) {
    const { name, message, code } = error as NodeJS.ErrnoException;
    return { name, message, code };
  }
  throw new Error('nothing was thrown');
}

describe('what a socket was opened with', () => {
  it('is there to be read', () => {
    const { socket } = makeWire();
    expect(socket.url).toBe('/chat/blue?x=1');
    expect(socket.protocol).toBe('chat.v2');
    expect(socket.params).toEqual({ room: 'blue' });
    expect(socket.context).toEqual({ user: 7 });
    expect(socket.extensions).toBe('');
    expect(socket).toBeInstanceOf(Emitter);
  });

  it('WHATWG: the states have their names, on the class and on each socket', () => {
    const { socket } = makeWire();
    for (const { CONNECTING, OPEN, CLOSING, CLOSED } of [Socket, socket]) {
      expect([CONNECTING, OPEN, CLOSING, CLOSED]).toEqual([0, 1, 2, 3]);
    }
  });
});

describe('readyState and wasClean', () => {
  it('goes 1, 2, 3 with a closing handshake, which is clean', async () => {
    const wire = makeWire();
    const { socket, peer } = wire;
    const inside: number[] = [];
    socket.on('close', () => inside.push(socket.readyState));
    expect([socket.readyState, socket.wasClean]).toEqual([1, false]);
    socket.close(4000, 'enough');
    expect(socket.readyState).toBe(2);
    peer.close(4000);
    await turns();
    expect([socket.readyState, socket.wasClean]).toEqual([2, false]);
    peer.stream.end();
    await turns();
    expect([socket.readyState, socket.wasClean]).toEqual([3, true]);
    expect(inside).toEqual([3]);
  });

  it('goes 1, 2, 3 with terminate(), which is not clean', async () => {
    const { socket, peer } = makeWire();
    socket.terminate();
    expect(socket.readyState).toBe(2);
    await turns();
    expect([socket.readyState, socket.wasClean]).toEqual([3, false]);
    expect(peer.frames).toEqual([]);
  });

  it('is 2 from the close frame of the peer until the transport has gone', async () => {
    const { socket, peer } = makeWire();
    peer.close(1000);
    await turns();
    expect(socket.readyState).toBe(2);
    peer.stream.end();
    await turns();
    expect([socket.readyState, socket.wasClean]).toEqual([3, true]);
  });

  it('is not clean when only we sent a close frame (§7.1.4)', async () => {
    const { socket } = makeWire();
    socket.close();
    socket.terminate();
    expect(socket.readyState).toBe(2);
    await turns();
    expect([socket.readyState, socket.wasClean]).toEqual([3, false]);
  });

  it('stays as it is, whatever is called after the end', async () => {
    const wire = makeWire();
    const { socket } = wire;
    socket.terminate();
    await turns();
    socket.close();
    socket.terminate();
    socket.pause();
    socket.resume();
    socket.ping();
    socket.pong();
    await turns();
    expect([socket.readyState, socket.isPaused, wire.closes]).toEqual([3, false, ['1006']]);
  });
});

describe('close', () => {
  it('is 1000 without a reason by default (§7.4.1)', async () => {
    const wire = makeWire();
    wire.socket.close();
    await turns();
    // 0x03e8 is 1000.
    expect(wire.peer.frames).toEqual([{ first: 0x88, payload: Buffer.from([0x03, 0xe8]) }]);
  });
});

describe('binaryType', () => {
  it('is nodebuffer at first, and can be each of the three', () => {
    const { socket } = makeWire();
    expect(socket.binaryType).toBe('nodebuffer');
    for (const type of ['arraybuffer', 'blob', 'nodebuffer'] as const) {
      socket.binaryType = type;
      expect(socket.binaryType).toBe(type);
    }
  });

  it.each([
    ['fragments', "'fragments'"],
    ['Blob', "'Blob'"],
    ['', "''"],
    [undefined, 'undefined'],
    [Symbol('blob'), 'Symbol(blob)'],
  ])('refuses %p, and stays what it was', (type, named) => {
    const { socket } = makeWire();
    socket.binaryType = 'blob';
    const set = (): void => {
      socket.binaryType = type as 'blob';
    };
    expect(thrownBy(set)).toEqual({
      name: 'TypeError',
      code: 'ERR_WS_INVALID_ARGUMENT',
      message: `binaryType must be 'nodebuffer', 'arraybuffer' or 'blob', got ${named}`,
    });
    expect(socket.binaryType).toBe('blob');
  });
});

describe('send', () => {
  it('§5.6 sends strings as text, and each kind of bytes as binary, exactly', async () => {
    const wire = makeWire();
    const bytes = Uint8Array.of(0, 1, 2, 3, 4, 5);
    wire.socket.send('Hello');
    wire.socket.send(Buffer.from([1, 2]));
    wire.socket.send(bytes.subarray(2, 4));
    wire.socket.send(new DataView(bytes.buffer, 4, 2));
    wire.socket.send(bytes.buffer);
    await turns();
    expect(wire.peer.frames).toEqual([
      { first: 0x81, payload: Buffer.from('Hello') },
      { first: 0x82, payload: Buffer.from([1, 2]) },
      { first: 0x82, payload: Buffer.from([2, 3]) },
      { first: 0x82, payload: Buffer.from([4, 5]) },
      { first: 0x82, payload: Buffer.from([0, 1, 2, 3, 4, 5]) },
    ]);
  });

  it('takes the options second, and the callback second or third', async () => {
    const wire = makeWire();
    const taken: string[] = [];
    const note = (name: string) => (): void => {
      taken.push(name);
    };
    expect(wire.socket.send('a', note('a'))).toBe(true);
    expect(wire.socket.send('b', { binary: true }, note('b'))).toBe(true);
    expect(wire.socket.send(Buffer.from('c'), { binary: false })).toBe(true);
    expect(wire.socket.send('d', undefined, note('d'))).toBe(true);
    expect(wire.socket.send('e', {}, undefined)).toBe(true);
    expect(taken).toEqual([]);
    await turns();
    expect(seen(wire)).toEqual([
      [0x81, 'a'],
      [0x82, 'b'],
      [0x81, 'c'],
      [0x81, 'd'],
      [0x81, 'e'],
    ]);
    expect(taken).toEqual(['a', 'b', 'd']);
  });

  it.each([5, null, undefined, {}, [], true, () => undefined])(
    'throws for %p, and the socket stays open',
    (data) => {
      const { socket } = makeWire();
      expect(thrownBy(() => socket.send(data))).toMatchObject({
        name: 'TypeError',
        code: 'ERR_WS_INVALID_DATA',
      });
      expect([socket.readyState, socket.bufferedAmount]).toEqual([1, 0]);
    },
  );

  it('counts what it was given to bufferedAmount until it was taken', async () => {
    const { socket } = makeWire();
    expect(socket.bufferedAmount).toBe(0);
    socket.send('Hello');
    // Two bytes of header and five of payload.
    expect(socket.bufferedAmount).toBe(7);
    await turns();
    expect(socket.bufferedAmount).toBe(0);
  });
});

describe.each([
  ['ping', 0x89],
  ['pong', 0x8a],
] as const)('%s (§5.5)', (name, first) => {
  it('carries strings as UTF-8, views, buffers, and nothing', async () => {
    const wire = makeWire();
    const bytes = Uint8Array.of(0, 1, 2, 3);
    wire.socket[name]('é');
    wire.socket[name](bytes.subarray(1, 3));
    wire.socket[name](bytes.buffer);
    wire.socket[name]();
    await turns();
    expect(wire.peer.frames).toEqual([
      { first, payload: Buffer.from([0xc3, 0xa9]) },
      { first, payload: Buffer.from([1, 2]) },
      { first, payload: Buffer.from([0, 1, 2, 3]) },
      { first, payload: NOTHING },
    ]);
  });

  it('is told of with bytes of its own, which do not hold the read that brought it', async () => {
    const wire = makeWire();
    const payloads: Buffer[] = [];
    wire.socket.on(name, (payload) => payloads.push(payload));
    const read = Buffer.alloc(65_536);
    clientFrame({ first, payload: '0123456789' }).copy(read);
    clientFrame({ first: 0x82, payload: Buffer.alloc(65_506) }).copy(read, 16);
    wire.peer.write(read);
    await turns();
    expect(payloads.map(String)).toEqual(['0123456789']);
    expect(payloads[0]?.buffer.byteLength).toBeLessThanOrEqual(8192);
  });

  it('carries 125 bytes, not 126', async () => {
    const wire = makeWire();
    wire.socket[name]('x'.repeat(125));
    for (const tooLong of ['x'.repeat(126), 'é'.repeat(63), Buffer.alloc(126)]) {
      expect(() => wire.socket[name](tooLong)).toThrow(RangeError);
    }
    await turns();
    expect(seen(wire)).toEqual([[first, 'x'.repeat(125)]]);
  });

  it('refuses what is neither string nor bytes, a Blob too', () => {
    const { socket } = makeWire();
    for (const data of [5, null, {}, new Blob(['x'])]) {
      expect(thrownBy(() => socket[name](data as string))).toMatchObject({
        name: 'TypeError',
        code: 'ERR_WS_INVALID_DATA',
      });
    }
  });
});

describe('pause and resume', () => {
  it('isPaused tells', () => {
    const { socket } = makeWire();
    expect(socket.isPaused).toBe(false);
    socket.pause();
    expect(socket.isPaused).toBe(true);
    socket.resume();
    expect(socket.isPaused).toBe(false);
  });

  it('is not paused any more once it closes, nor can it be', () => {
    const { socket } = makeWire();
    socket.pause();
    socket.close();
    expect(socket.isPaused).toBe(false);
    socket.pause();
    expect(socket.isPaused).toBe(false);
  });
});

describe('rooms', () => {
  it('are asked of the directory of the route', () => {
    const rooms = new NotedRooms();
    const { socket } = makeWire({ settings: { rooms } });
    socket.join('blue');
    socket.leave('blue');
    socket.to('red').send('hello');
    expect(socket.rooms).toEqual(new Set(['noted']));
    expect(rooms.calls).toEqual(['join blue', 'leave blue', 'to red: hello']);
  });
});

describe('the WHATWG listeners', () => {
  it('hear open, message, error and close, set as handlers', async () => {
    const { socket, peer } = makeWire({ start: false });
    const told: unknown[] = [];
    const handlers = [
      ({ type }: { type: string }) => told.push(type),
      ({ data }: { data: unknown }) => told.push(data),
      ({ error }: { error: Error }) => told.push(error),
      ({ code }: { code: number }) => told.push(code),
    ] as const;
    [socket.onopen, socket.onmessage, socket.onerror, socket.onclose] = handlers;
    expect([socket.onopen, socket.onmessage, socket.onerror, socket.onclose]).toEqual(handlers);
    startSocket(socket, () => undefined, NOTHING);
    peer.write(frame.text('Hello'), frame.bad());
    await turns();
    peer.stream.end();
    await turns();
    expect(told).toEqual(['open', 'Hello', expect.any(Error), 1002]);
  });

  it('come and go by addEventListener and removeEventListener', async () => {
    const { socket, peer } = makeWire({ hooks: { message: () => undefined } });
    const seen: unknown[] = [];
    const listener = ({ data }: { data: unknown }): void => {
      seen.push(data);
    };
    socket.removeEventListener('message', listener);
    socket.addEventListener('message', listener);
    socket.addEventListener('message', ({ data }) => seen.push([data]), { once: true });
    peer.say('a', 'b');
    await turns();
    socket.removeEventListener('message', listener);
    peer.say('c');
    await turns();
    expect(seen).toEqual(['a', ['a'], 'b']);
  });

  it('hear what was held before there was one', async () => {
    const { socket, peer } = makeWire();
    const seen: unknown[] = [];
    peer.say('held');
    await turns();
    socket.onmessage = ({ data }) => seen.push(data);
    await turns();
    expect(seen).toEqual(['held']);
  });
});

describe('for await and stream', () => {
  it('pulls messages until the close', async () => {
    const wire = makeWire();
    wire.peer.say('a', 'b');
    wire.peer.close(1000);
    wire.peer.stream.end();
    const pulled: unknown[] = [];
    for await (const message of wire.socket) pulled.push(message);
    expect(pulled).toEqual(['a', 'b']);
  });

  it('is a Duplex of messages', async () => {
    const wire = makeWire();
    const stream = wire.socket.stream();
    const pulled: unknown[] = [];
    stream.on('data', (message) => pulled.push(message));
    stream.write('out');
    wire.peer.say('in');
    await turns();
    expect([pulled, wire.peer.texts]).toEqual([['in'], ['out']]);
  });
});

describe('Symbol.asyncDispose', () => {
  it('closes with 1000 and waits for the end', async () => {
    const { socket, peer, closes } = makeWire();
    let isDisposed = false;
    const disposing = socket[Symbol.asyncDispose]().then(() => {
      isDisposed = true;
    });
    await turns();
    expect([peer.closes, isDisposed]).toEqual([['1000'], false]);
    peer.close(1000);
    await turns();
    expect(isDisposed).toBe(false);
    peer.stream.end();
    await disposing;
    expect([socket.readyState, closes]).toEqual([3, ['1000']]);
  });

  it('waits for a close that is under way, and keeps its code', async () => {
    const { socket, peer } = makeWire();
    socket.close(4000);
    const disposing = socket[Symbol.asyncDispose]();
    peer.close(4000);
    peer.stream.end();
    await disposing;
    expect([peer.closes, socket.readyState]).toEqual([['4000'], 3]);
  });

  it('does nothing when the socket has closed', async () => {
    const { socket, closes } = makeWire();
    socket.terminate();
    await turns();
    await socket[Symbol.asyncDispose]();
    expect(closes).toEqual(['1006']);
  });
});

describe('open and the head', () => {
  it('calls open, then takes the bytes that came right behind the handshake', async () => {
    const order: unknown[] = [];
    const { socket } = makeWire({
      start: false,
      hooks: { message: (_, data) => order.push(data) },
    });
    startSocket(socket, () => order.push('open'), frame.text('head'));
    await turns();
    expect(order).toEqual(['open', 'head']);
  });
});

describe('what the floors above may do that users may not', () => {
  it('close for a reason of the server, cut to what fits a close frame (§5.5)', async () => {
    const wire = makeWire();
    shutSocket(wire.socket, 1001, 'x'.repeat(200));
    await turns();
    expect(wire.peer.closes).toEqual([`1001 ${'x'.repeat(123)}`]);
  });

  it('have it closed with 1008 at a time', async () => {
    stopTime();
    const wire = makeWire();
    expireSocket(wire.socket, Date.now() + 2000);
    await pass(1500);
    expect(wire.peer.closes).toEqual([]);
    await pass(1000);
    expect(wire.peer.closes).toEqual(['1008 authorisation expired']);
  });

  it('send a frame that was encoded for many', async () => {
    const wire = makeWire();
    expect(sendShared(wire.socket, textForAll('to all'))).toBe(true);
    await turns();
    expect(wire.peer.texts).toEqual(['to all']);
    wire.socket.close();
    expect(sendShared(wire.socket, textForAll('late'))).toBe(false);
  });
});
