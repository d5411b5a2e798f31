import { makeWire, pass, stopTime, turns } from '../wire';
import { makeSlowHook } from './slow-hook';

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
