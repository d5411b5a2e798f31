import { Buffer } from 'node:buffer';
import { duplexPair } from 'node:stream';
import { shutSocket, startSocket } from '../../lib/socket/socket';
import { clientFrame, hex } from '../support/bytes';
import {
  deferred,
  frame,
  makeWire,
  narrowPair,
  netPair,
  pass,
  stall,
  stopTime,
  turns,
  until,
  type Wire,
  type WireOptions,
} from './wire';

/** A socket that keeps what 'error' brought. */
function makeNoted(options?: WireOptions): Wire & { errors: Error[] } {
  const errors: Error[] = [];
  const wire = makeWire(options);
  wire.socket.on('error', (error) => errors.push(error));
  return { ...wire, errors };
}

const opcodes = (wire: Wire): string[] =>
  wire.peer.frames.map(({ first }) => first.toString(16).padStart(2, '0'));

it('counts what its transport holds before anything was sent on it', async () => {
  const { socket, transport } = makeWire({ pair: narrowPair() });
  transport.cork();
  transport.write('the rest of a 101');
  expect(socket.bufferedAmount).toBe(17);
  transport.uncork();
  await turns();
  expect(socket.bufferedAmount).toBe(0);
});

describe('§5.5.2, §5.5.3 ping and pong', () => {
  it('answers a ping with a pong of the same bytes', async () => {
    const { peer, socket } = makeWire();
    const pings: string[] = [];
    socket.on('ping', (payload) => pings.push(payload.toString()));
    peer.ping('are you there');
    await turns();
    expect(peer.frames).toEqual([{ first: 0x8a, payload: Buffer.from('are you there') }]);
    expect(pings).toEqual(['are you there']);
  });

  it('does not answer a pong', async () => {
    const { peer, socket } = makeWire();
    const pongs: string[] = [];
    socket.on('pong', (payload) => pongs.push(payload.toString()));
    peer.pong('unasked');
    await turns();
    expect(pongs).toEqual(['unasked']);
    expect(peer.frames).toEqual([]);
  });

  it('sends pings and pongs of its own', async () => {
    const { peer, socket } = makeWire();
    socket.ping('a');
    socket.pong(Buffer.from('b'));
    socket.ping();
    socket.pong();
    await turns();
    expect(peer.frames.map(({ first, payload }) => [first, payload.toString()])).toEqual([
      [0x89, 'a'],
      [0x8a, 'b'],
      [0x89, ''],
      [0x8a, ''],
    ]);
  });

  it('answers each of 500 pings in one read of a peer that reads', async () => {
    const { peer } = makeWire();
    const names = Array.from({ length: 500 }, (_, i) => `ping ${i}`);
    peer.write(...names.map((name) => frame.ping(name)));
    await until(() => peer.pongs.length === 500);
    expect(peer.pongs).toEqual(names);
  });

  it.each(['open', 'message'])('answers while %s has not settled', async (hook) => {
    const never = deferred();
    const { peer } = makeWire({
      open: () => (hook === 'open' ? never.promise : undefined),
      hooks: { message: () => never.promise },
    });
    peer.say('a', 'b');
    peer.ping('still?');
    await turns();
    expect(peer.pongs).toEqual(['still?']);
    never.resolve();
    await turns();
  });

  it('lets a ping come between two fragments (§5.4)', async () => {
    const { peer, socket } = makeWire();
    const messages: unknown[] = [];
    socket.on('message', (data) => messages.push(data));
    peer.write(
      clientFrame({ first: 0x01, payload: 'Hel' }),
      frame.ping('between'),
      clientFrame({ first: 0x80, payload: 'lo' }),
    );
    await turns();
    expect(messages).toEqual(['Hello']);
    expect(peer.pongs).toEqual(['between']);
  });

  it('sends neither ping nor pong once the closing handshake has begun', async () => {
    const { peer, socket } = makeWire();
    socket.close();
    socket.ping('late');
    socket.pong('late');
    peer.ping('late too');
    await turns();
    expect(opcodes({ peer } as Wire)).toEqual(['88']);
  });

  it('sends no pong after the close frame to a peer that was slow to read (§5.5.1)', async () => {
    // The newest pong waited for the one before, which left after the close frame was queued.
    const wire = makeNoted({ pair: narrowPair() });
    const { peer } = wire;
    await stall(wire);
    peer.ping('1');
    peer.ping('2');
    peer.close(1000, 'bye');
    await turns();
    peer.resume();
    await until(() => wire.closes.length > 0 || peer.hasEnded);
    await turns();
    expect(opcodes(wire)).toEqual(['81', '81', '8a', '88']);
    expect(wire.errors).toEqual([]);
  });

  it('sends no pong after its own close frame to a peer that was slow to read', async () => {
    const wire = makeNoted({ pair: narrowPair() });
    const { peer, socket } = wire;
    await stall(wire);
    peer.ping('1');
    peer.ping('2');
    await turns();
    socket.close(4000);
    await turns();
    peer.resume();
    await until(() => peer.closes.length > 0);
    await turns();
    expect(opcodes(wire)).toEqual(['81', '81', '8a', '88']);
    expect(wire.errors).toEqual([]);
  });
});

describe('§7.1.2 closing from our side', () => {
  it('sends the close frame, waits for the answer, then ends', async () => {
    const wire = makeWire();
    const { peer, socket } = wire;
    socket.close(4001, 'enough');
    expect(socket.readyState).toBe(socket.CLOSING);
    await turns();
    expect(peer.closes).toEqual(['4001 enough']);
    expect(peer.hasEnded).toBe(false);
    peer.close(4001, 'ok');
    await turns();
    expect(peer.hasEnded).toBe(true);
    peer.stream.end();
    await turns();
    expect(wire.closes).toEqual(['4001 ok']);
    expect(socket.wasClean).toBe(true);
    expect(socket.readyState).toBe(socket.CLOSED);
  });

  it('sends one close frame however often close is called', async () => {
    const { peer, socket } = makeWire();
    socket.close(4001);
    socket.close(4002);
    await turns();
    socket.close();
    await turns();
    expect(peer.closes).toEqual(['4001']);
  });

  it('delivers nothing that comes after our close frame (§1.4)', async () => {
    const messages: unknown[] = [];
    const { peer, socket } = makeWire({ hooks: { message: (_, data) => messages.push(data) } });
    socket.close();
    peer.say('too late');
    await turns();
    expect(messages).toEqual([]);
  });

  it('counts a crossing of two close frames as clean, with one frame from us', async () => {
    const wire = makeWire();
    wire.socket.close(4001);
    wire.peer.close(4002, 'me too');
    await turns();
    wire.peer.stream.end();
    await turns();
    expect(wire.peer.closes).toEqual(['4001']);
    expect(wire.closes).toEqual(['4002 me too']);
    expect(wire.socket.wasClean).toBe(true);
  });

  it('is not clean when the peer ends without a close frame', async () => {
    const wire = makeWire();
    wire.socket.close(4001);
    await turns();
    wire.peer.stream.end();
    await turns();
    expect(wire.closes).toEqual(['1006']);
    expect(wire.socket.wasClean).toBe(false);
  });

  it('keeps its first code when the server has a reason of its own later', async () => {
    const { peer, socket } = makeWire();
    socket.close(4001);
    shutSocket(socket, 1001, 'going away');
    await turns();
    expect(peer.closes).toEqual(['4001']);
  });

  it('lets what was sent before leave first', async () => {
    const { peer, socket } = makeWire();
    socket.send('first');
    socket.close();
    await turns();
    expect(opcodes({ peer } as Wire)).toEqual(['81', '88']);
  });

  it.each([999, 1004, 1005, 1006, 1015, 2999, 5000])('refuses the code %i', (code) => {
    const { socket } = makeWire();
    expect(() => socket.close(code)).toThrow(
      expect.objectContaining({ name: 'RangeError', code: 'ERR_WS_OUT_OF_RANGE' }) as Error,
    );
    expect(socket.readyState).toBe(1);
  });

  it('takes a reason of 123 bytes of UTF-8, not of 124', async () => {
    const { peer, socket } = makeWire();
    expect(() => socket.close(1000, 'é'.repeat(62))).toThrow(RangeError);
    socket.close(1000, `é${'x'.repeat(121)}`);
    await turns();
    expect(peer.closes).toEqual([`1000 é${'x'.repeat(121)}`]);
  });

  it('terminates a peer that does not answer within closeTimeout', async () => {
    stopTime();
    const wire = makeWire({ settings: { closeTimeout: 3000 } });
    wire.socket.close(4001);
    await pass(2900);
    expect(wire.closes).toEqual([]);
    await pass(400);
    expect(wire.closes).toEqual(['1006']);
  });

  it('counts closeTimeout from the close frame, whatever is buffered', async () => {
    stopTime();
    const wire = makeWire({ pair: narrowPair(), settings: { closeTimeout: 3000 } });
    wire.peer.pause();
    wire.socket.send('x'.repeat(10_000));
    wire.socket.close();
    await pass(3300);
    expect(wire.closes).toEqual(['1006']);
  });

  it('gives a peer no second closeTimeout for its late answer', async () => {
    stopTime();
    const wire = makeWire({ settings: { closeTimeout: 3000 } });
    wire.socket.close(1000);
    await pass(2500);
    wire.peer.close(1000);
    await pass(800);
    expect(wire.closes).toEqual(['1000']);
  });

  it('terminates a peer that answers, but never ends', async () => {
    stopTime();
    const wire = makeWire();
    wire.socket.close(1000);
    await pass(500);
    wire.peer.close(1000);
    await pass(20_000);
    expect(wire.closes).toEqual(['1000']);
    expect(wire.socket.wasClean).toBe(true);
  });

  it('waits for ever with an endless closeTimeout', async () => {
    stopTime();
    const wire = makeWire({ settings: { closeTimeout: Infinity } });
    wire.socket.close();
    await pass(60_000);
    expect(wire.closes).toEqual([]);
    wire.socket.terminate();
    await turns();
    expect(wire.closes).toEqual(['1006']);
  });
});

describe('§5.5.1 a close frame of the peer', () => {
  it('is echoed with its code and without its reason, and our FIN follows', async () => {
    const wire = makeWire();
    wire.peer.close(4000, 'private');
    await turns();
    expect(wire.peer.closes).toEqual(['4000']);
    expect(wire.peer.hasEnded).toBe(true);
    expect(wire.socket.readyState).toBe(wire.socket.CLOSING);
    wire.peer.stream.end();
    await turns();
    expect(wire.closes).toEqual(['4000 private']);
    expect(wire.socket.wasClean).toBe(true);
  });

  it('without a code is answered without one, and told as 1005', async () => {
    const wire = makeWire();
    wire.peer.write(hex('88 80 00000000'));
    wire.peer.stream.end();
    await turns();
    expect(wire.peer.closes).toEqual(['none']);
    expect(wire.closes).toEqual(['1005']);
  });

  it('is answered while open has not settled', async () => {
    const opening = deferred();
    const wire = makeWire({ open: () => opening.promise });
    wire.peer.close(1000);
    await turns();
    expect(wire.peer.closes).toEqual(['1000']);
    opening.resolve();
    wire.peer.stream.end();
    await turns();
    expect(wire.closes).toEqual(['1000']);
  });

  it('ends everything: what follows it is dropped', async () => {
    const messages: unknown[] = [];
    const wire = makeNoted({ hooks: { message: (_, data) => messages.push(data) } });
    wire.peer.write(frame.close(1000), frame.text('after'), frame.bad());
    await turns();
    wire.peer.write(frame.text('much later'), frame.bad());
    await turns();
    expect(messages).toEqual([]);
    expect(wire.errors).toEqual([]);
    expect(wire.peer.closes).toEqual(['1000']);
  });
});

describe('§7.1.7 a fault of the peer', () => {
  const invalidText = clientFrame({ first: 0x81, payload: hex('c3 28') });
  it.each([
    ['a reserved opcode', frame.bad(), '1002'],
    ['a reserved bit', hex('c1 80 00000000'), '1002'],
    ['a frame without a mask', hex('81 05 48656c6c6f'), '1002'],
    ['a ping in fragments', hex('09 80 00000000'), '1002'],
    ['a ping of 126 bytes', hex('89 fe 007e 00000000'), '1002'],
    ['a continuation of nothing', hex('80 80 00000000'), '1002'],
    ['a close body of one byte', hex('88 81 00000000 03'), '1002'],
    ['a close code that must not be sent', frame.close(1005), '1002'],
    ['text that is not UTF-8', invalidText, '1007'],
    ['a message above maxPayload', hex('82 fe 03e9 00000000'), '1009'],
  ])('%s: one close frame with the code, one close', async (_, bytes, code) => {
    const wire = makeNoted({ settings: { maxPayload: 1000 } });
    wire.peer.write(bytes, frame.text('after'));
    await turns();
    wire.peer.stream.end();
    await turns();
    expect(wire.peer.closes).toEqual([code]);
    expect(wire.peer.hasEnded).toBe(true);
    expect(wire.closes).toHaveLength(1);
    expect(wire.closes[0]).toMatch(new RegExp(`^${code} `));
    expect(wire.errors).toHaveLength(1);
    expect(wire.errors[0]).toHaveProperty('code', 'ERR_WS_PROTOCOL');
    expect(wire.socket.wasClean).toBe(false);
  });

  it('needs no error listener', async () => {
    const wire = makeWire();
    wire.peer.write(frame.bad());
    wire.peer.stream.end();
    await turns();
    expect(wire.closes).toHaveLength(1);
    expect(wire.reports).toEqual([]);
  });

  it('sends no second close frame when ours is on its way', async () => {
    const wire = makeNoted();
    wire.socket.close(4001);
    wire.peer.write(frame.bad());
    await turns();
    wire.peer.stream.end();
    await turns();
    expect(wire.peer.closes).toEqual(['4001']);
    expect(wire.errors).toHaveLength(1);
    expect(wire.closes).toHaveLength(1);
  });

  it('counts too many fragments as one (1008)', async () => {
    const wire = makeWire({ settings: { maxFragments: 4 } });
    wire.peer.write(hex('01 81 00000000 61'), hex('00 80 00000000'));
    await turns();
    expect(wire.peer.closes).toEqual(['1008']);
  });

  it('hears of it when the transport itself is broken: 1011', async () => {
    const pair = duplexPair();
    pair[0].pause = () => {
      throw new Error('cannot be paused');
    };
    const wire = makeNoted({ pair, open: () => deferred().promise });
    stopTime();
    wire.peer.say(...Array.from({ length: 17 }, (_, i) => String(i)));
    await turns();
    expect(wire.peer.closes).toEqual(['1011']);
    expect(wire.errors.map((error) => error.message)).toEqual(['cannot be paused']);
  });
});

describe('§7.1.5 the end of the transport', () => {
  it('by FIN is 1006, and our FIN follows', async () => {
    const wire = makeWire();
    wire.peer.stream.end();
    await turns();
    expect(wire.peer.hasEnded).toBe(true);
    expect(wire.peer.frames).toEqual([]);
    expect(wire.closes).toEqual(['1006']);
  });

  it('by an error is 1006 after error', async () => {
    const wire = makeNoted();
    const order: string[] = [];
    wire.socket.on('error', () => order.push('error')).on('close', () => order.push('close'));
    wire.transport.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
    await turns();
    expect(order).toEqual(['error', 'close']);
    expect(wire.closes).toEqual(['1006']);
    expect(wire.errors).toHaveLength(1);
  });

  it('by an error needs no listener', async () => {
    const wire = makeWire();
    wire.transport.destroy(new Error('read ECONNRESET'));
    await turns();
    expect(wire.closes).toEqual(['1006']);
  });

  it('by terminate is 1006, without a close frame', async () => {
    const wire = makeWire();
    wire.socket.send('lost');
    wire.socket.terminate();
    wire.socket.terminate();
    await turns();
    expect(wire.peer.closes).toEqual([]);
    expect(wire.closes).toEqual(['1006']);
    expect(wire.released).toEqual([wire.socket]);
  });

  it('before the start still gives one open and one close', async () => {
    const wire = makeWire({ start: false });
    wire.transport.destroy();
    await turns();
    const opens: unknown[] = [];
    startSocket(wire.socket, () => opens.push(1), frame.text('lost'));
    await turns();
    expect(opens).toHaveLength(1);
    expect(wire.closes).toEqual(['1006']);
  });

  it('from inside of open gives one close, and takes nothing of the head', async () => {
    const messages: unknown[] = [];
    const wire = makeWire({
      open: (socket) => socket.terminate(),
      hooks: { message: (_, data) => messages.push(data) },
      head: frame.text('lost'),
    });
    await turns();
    expect(wire.closes).toEqual(['1006']);
    expect(messages).toEqual([]);
    expect(wire.released).toHaveLength(1);
  });

  it('that happened before anybody listened is noticed', async () => {
    const [transport, other] = duplexPair();
    transport.resume();
    other.end();
    await turns();
    expect(transport.readableEnded).toBe(true);
    const wire = makeWire({ pair: [transport, other] });
    await turns();
    expect(wire.closes).toEqual(['1006']);
  });
});

describe('§2.3 send after the close, and above maxBackpressure', () => {
  it('returns false and calls back with an error, later, and never throws', async () => {
    const { socket } = makeWire();
    socket.close();
    const errors: unknown[] = [];
    expect(socket.send('late', (error) => errors.push(error))).toBe(false);
    expect(socket.send('late')).toBe(false);
    expect(errors).toEqual([]);
    await turns();
    expect(errors).toEqual([expect.objectContaining({ code: 'ERR_WS_NOT_OPEN' })]);
  });

  it('closes a reader that is too slow with 1013', async () => {
    const wire = makeWire({ pair: narrowPair(), settings: { maxBackpressure: 5000 } });
    wire.peer.pause();
    const errors: unknown[] = [];
    wire.socket.send('x'.repeat(6000));
    await turns();
    expect(wire.socket.send('y', (error) => errors.push(error))).toBe(false);
    expect(wire.socket.readyState).toBe(wire.socket.CLOSING);
    wire.peer.resume();
    await until(() => wire.peer.closes.length > 0);
    expect(wire.peer.closes).toEqual(['1013 too slow to read']);
    expect(errors).toEqual([expect.objectContaining({ message: expect.stringContaining('max') })]);
    wire.socket.terminate();
    await turns();
    expect(wire.closes).toEqual(['1013 too slow to read']);
    expect(wire.socket.wasClean).toBe(false);
  });

  it("drops what is too much with 'drop', and goes on when there is room", async () => {
    const wire = makeWire({
      pair: narrowPair(),
      settings: { maxBackpressure: 5000, onBackpressure: 'drop' },
    });
    wire.peer.pause();
    wire.socket.send('x'.repeat(6000));
    await turns();
    expect(wire.socket.send('dropped')).toBe(false);
    wire.peer.resume();
    await until(() => wire.socket.bufferedAmount === 0);
    expect(wire.socket.send('taken')).toBe(true);
    await turns();
    expect(wire.peer.texts).toEqual(['x'.repeat(6000), 'taken']);
    expect(wire.socket.readyState).toBe(1);
  });
});

describe('the way in', () => {
  it('takes what came right behind the handshake first', async () => {
    const messages: unknown[] = [];
    const wire = makeWire({
      hooks: { message: (_, data) => messages.push(data) },
      head: Buffer.concat([frame.text('head'), frame.text('again')]),
    });
    wire.peer.say('tail');
    await turns();
    expect(messages).toEqual(['head', 'again', 'tail']);
  });

  it('leaves the chunks of a stream of somebody else as they are', async () => {
    const wire = makeWire({ hooks: { message: () => undefined } });
    const bytes = frame.text('Hello');
    const before = Buffer.from(bytes);
    wire.peer.stream.write(bytes);
    await turns();
    expect(bytes.equals(before)).toBe(true);
  });

  it('stops with pause, and goes on where it was with resume', async () => {
    const messages: unknown[] = [];
    const wire = makeWire({
      hooks: {
        message: (socket, data) => {
          messages.push(data);
          if (data === 'b') socket.pause();
        },
      },
    });
    wire.peer.write(...['a', 'b', 'c', 'd'].map(frame.text), frame.ping('last'));
    await turns();
    wire.peer.say('e');
    await turns();
    expect(messages).toEqual(['a', 'b']);
    expect(wire.peer.pongs).toEqual([]);
    wire.socket.resume();
    await turns();
    expect(messages).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(wire.peer.pongs).toEqual(['last']);
  });

  it('reads no further when it is paused again before it went on', async () => {
    const wire = makeWire({ hooks: { message: (socket) => socket.pause() } });
    wire.peer.write(frame.text('pauses'), frame.ping('kept'));
    await turns();
    wire.socket.resume();
    wire.socket.pause();
    await turns();
    expect(wire.peer.pongs).toEqual([]);
    wire.socket.resume();
    await turns();
    expect(wire.peer.pongs).toEqual(['kept']);
  });

  it('fails the connection for a fault among the bytes that a pause has kept', async () => {
    const wire = makeNoted({
      hooks: { message: (socket) => socket.pause() },
    });
    wire.peer.write(frame.text('a'), frame.bad());
    await turns();
    expect(wire.errors).toEqual([]);
    wire.socket.resume();
    await turns();
    expect(wire.peer.closes).toEqual(['1002']);
    expect(wire.errors).toHaveLength(1);
  });

  it('tells of nothing from inside of close, whatever a pause has kept', async () => {
    const order: string[] = [];
    const wire = makeWire({ hooks: { message: (socket) => socket.pause() } });
    wire.socket.on('ping', () => order.push('ping')).on('error', () => order.push('error'));
    wire.peer.write(frame.text('a'), frame.ping(), frame.bad());
    await turns();
    wire.socket.close();
    order.push('close returned');
    await turns();
    expect(order[0]).toBe('close returned');
  });

  it('keeps the order with a stream that is answered from inside of a write', async () => {
    // As much as this is written at once; a pair in memory may bring the answer before it returns.
    const messages: unknown[] = [];
    const wire = makeWire({
      hooks: {
        message: (socket, data) => {
          messages.push(data);
          if (data === '0') socket.send('x'.repeat(70_000));
        },
      },
    });
    const cut = frame.text('in two reads');
    wire.peer.stream.once('data', () => wire.peer.write(frame.text('answer'), cut.subarray(0, 5)));
    wire.peer.say('0', '1', '2');
    await turns();
    wire.peer.write(cut.subarray(5));
    await turns();
    expect(messages).toEqual(['0', '1', '2', 'answer', 'in two reads']);
    expect(wire.peer.closes).toEqual([]);
  });

  it('reads from a TCP socket', async () => {
    const wire = makeWire({
      pair: await netPair(),
      hooks: { message: (socket, data) => socket.send(data) },
    });
    wire.peer.say('over', 'TCP');
    await until(() => wire.peer.texts.length === 2);
    expect(wire.peer.texts).toEqual(['over', 'TCP']);
    wire.peer.close(1000);
    await until(() => wire.peer.hasEnded);
    wire.peer.stream.end();
    await until(() => wire.closes.length > 0);
    expect(wire.closes).toEqual(['1000']);
  });

  it('hears nothing on a stream that is no connection of its own', () => {
    const { transport, peer } = makeWire();
    for (const event of ['data', 'end', 'error', 'close']) {
      for (const listener of transport.listeners(event)) {
        expect(() => void Reflect.apply(listener, peer.stream, [Buffer.alloc(0)])).not.toThrow();
      }
    }
  });
});

describe('§5.5.2 the heartbeat of a connection', () => {
  it('pings a silent peer, then terminates it', async () => {
    stopTime();
    const wire = makeWire({ settings: { pingInterval: 5000, pingTimeout: 2000 } });
    await pass(5400);
    expect(opcodes(wire)).toEqual(['89']);
    await pass(2400);
    expect(wire.closes).toEqual(['1006']);
  });

  it('takes any byte for life', async () => {
    stopTime();
    const wire = makeWire({ settings: { pingInterval: 5000, pingTimeout: 2000 } });
    await pass(5400);
    wire.peer.stream.write(frame.text('abc').subarray(0, 1));
    await pass(2400);
    expect(wire.closes).toEqual([]);
  });

  it('ends with the closing handshake', async () => {
    stopTime();
    const wire = makeWire({ settings: { pingInterval: 1000, pingTimeout: 500 } });
    wire.socket.close();
    await pass(5000);
    expect(opcodes(wire)).toEqual(['88']);
  });

  it('does not kill a peer that is not read from', async () => {
    stopTime();
    const wire = makeWire({ settings: { pingInterval: 5000, pingTimeout: 2000 } });
    wire.socket.pause();
    await pass(30_000);
    expect(wire.closes).toEqual([]);
    expect(opcodes(wire).length).toBeGreaterThan(1);
  });
});
