import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import type { Socket } from '../../../lib/socket/socket';
import { deferred, frame, makeWire, netPair, turns, until } from '../wire';
import { makeSlowHook, numbers } from './slow-hook';

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
