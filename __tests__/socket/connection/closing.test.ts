import { shutSocket } from '../../../lib/socket/socket';
import { hex } from '../../support/bytes';
import { deferred, frame, makeWire, narrowPair, pass, stopTime, turns, type Wire } from '../wire';
import { makeNoted, opcodes } from './noted';

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
