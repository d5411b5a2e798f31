import { duplexPair } from 'node:stream';
import { startSocket } from '../../../lib/socket/socket';
import { clientFrame, hex } from '../../support/bytes';
import { deferred, frame, makeWire, stopTime, turns } from '../wire';
import { makeNoted } from './noted';

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
