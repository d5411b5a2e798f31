import { makeWire, turns } from '../wire';
import { makeSlowHook } from './slow-hook';

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
