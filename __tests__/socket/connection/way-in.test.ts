import { Buffer } from 'node:buffer';
import { frame, makeWire, netPair, turns, until } from '../wire';
import { makeNoted } from './noted';

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
