import { deferred, frame, makeWire, turns, type Wire } from './wire';

const say = (wire: Wire, ...texts: string[]): Promise<void> => {
  wire.peer.say(...texts);
  return turns();
};

const ended = { value: undefined, done: true };

describe('for await (const message of socket)', () => {
  it('gives each message in order, and ends at the close', async () => {
    const wire = makeWire();
    const seen: unknown[] = [];
    wire.peer.say('a', 'b', 'c');
    wire.peer.close(1000);
    wire.peer.stream.end();
    for await (const message of wire.socket) seen.push(message);
    expect(seen).toEqual(['a', 'b', 'c']);
    expect(wire.closes).toEqual(['1000']);
  });

  it('loses nothing of 1000 messages to a loop that is slow', async () => {
    const wire = makeWire();
    const numbers = Array.from({ length: 1000 }, (_, i) => String(i));
    wire.peer.write(...numbers.map(frame.text), frame.close(1000));
    wire.peer.stream.end();
    const seen: unknown[] = [];
    for await (const message of wire.socket) {
      if (seen.length % 100 === 0) await turns(2);
      seen.push(message);
    }
    expect(seen).toEqual(numbers);
  });

  it('ends at once on a socket that has closed', async () => {
    const wire = makeWire();
    wire.socket.terminate();
    await turns();
    const seen: unknown[] = [];
    for await (const message of wire.socket) seen.push(message);
    expect(seen).toEqual([]);
  });

  it('ends when the socket is terminated while it waits', async () => {
    const wire = makeWire();
    const next = wire.socket[Symbol.asyncIterator]().next();
    wire.socket.terminate();
    expect(await next).toEqual(ended);
  });

  it('gives what came before the end, after it', async () => {
    const wire = makeWire();
    const iterator = wire.socket[Symbol.asyncIterator]();
    await say(wire, 'a', 'b');
    wire.transport.destroy();
    await turns();
    expect(wire.closes).toEqual(['1006']);
    expect(await iterator.next()).toEqual({ value: 'a', done: false });
    expect(await iterator.next()).toEqual({ value: 'b', done: false });
    expect(await iterator.next()).toEqual(ended);
    expect(await iterator.next()).toEqual(ended);
  });

  it('has the messages for itself, and gives them back when it is left early', async () => {
    const hooked: unknown[] = [];
    const wire = makeWire({ hooks: { message: (_, data) => hooked.push(data) } });
    const looped: unknown[] = [];
    const loop = (async () => {
      for await (const message of wire.socket) {
        looped.push(message);
        if (message === 'b') break;
      }
    })();
    await say(wire, 'a', 'b', 'c', 'd');
    await loop;
    await say(wire, 'e');
    expect([looped, hooked]).toEqual([
      ['a', 'b'],
      ['c', 'd', 'e'],
    ]);
    expect(wire.socket.readyState).toBe(1);
  });

  it('stops reading when nobody asks for the next', async () => {
    const wire = makeWire({ hooks: { message: () => undefined } });
    const iterator = wire.socket[Symbol.asyncIterator]();
    await say(wire, ...Array.from({ length: 20 }, (_, i) => String(i)));
    expect(wire.transport.isPaused()).toBe(true);
    await iterator.next();
    await turns();
    for (let i = 1; i < 20; i++)
      expect(await iterator.next()).toEqual({ value: String(i), done: false });
    expect(wire.transport.isPaused()).toBe(false);
  });

  it('is an iterator that can be iterated', () => {
    const iterator = makeWire().socket[Symbol.asyncIterator]();
    expect(iterator[Symbol.asyncIterator]()).toBe(iterator);
  });

  it('works before open has settled', async () => {
    const opening = deferred();
    const wire = makeWire({ open: () => opening.promise, hooks: { message: () => undefined } });
    const next = wire.socket[Symbol.asyncIterator]().next();
    await say(wire, 'a');
    expect(await next).toEqual({ value: 'a', done: false });
  });
});

describe('next and return', () => {
  it('answers calls of next in the order they were made', async () => {
    const wire = makeWire();
    const iterator = wire.socket[Symbol.asyncIterator]();
    const all = Promise.all([iterator.next(), iterator.next(), iterator.next()]);
    await say(wire, 'a', 'b');
    wire.socket.terminate();
    expect(await all).toEqual([{ value: 'a', done: false }, { value: 'b', done: false }, ended]);
  });

  it('shares the messages out between two iterators', async () => {
    const wire = makeWire();
    const one = wire.socket[Symbol.asyncIterator]();
    const two = wire.socket[Symbol.asyncIterator]();
    const both = Promise.all([one.next(), two.next()]);
    await say(wire, 'a', 'b');
    expect(await both).toEqual([
      { value: 'a', done: false },
      { value: 'b', done: false },
    ]);
    const next = two.next();
    await one.return?.();
    await say(wire, 'c');
    expect(await next).toEqual({ value: 'c', done: false });
  });

  it('ends a next that waits, at return', async () => {
    const wire = makeWire();
    const iterator = wire.socket[Symbol.asyncIterator]();
    const next = iterator.next();
    expect(await iterator.return?.()).toEqual(ended);
    expect(await next).toEqual(ended);
    expect(await iterator.return?.()).toEqual(ended);
    expect(await iterator.next()).toEqual(ended);
  });

  it('ends every next that waits at return, and takes no message with it', async () => {
    const hooked: unknown[] = [];
    const wire = makeWire({ hooks: { message: (_, data) => hooked.push(data) } });
    const iterator = wire.socket[Symbol.asyncIterator]();
    const waiting = [iterator.next(), iterator.next()];
    await iterator.return?.();
    await say(wire, 'a');
    wire.socket.terminate();
    expect(await Promise.all(waiting)).toEqual([ended, ended]);
    expect(hooked).toEqual(['a']);
  });

  it('ends a next that waits behind one that was answered, at return', async () => {
    const hooked: unknown[] = [];
    const wire = makeWire({ hooks: { message: (_, data) => hooked.push(data) } });
    const iterator = wire.socket[Symbol.asyncIterator]();
    const waiting = [iterator.next(), iterator.next()];
    await say(wire, 'a');
    await iterator.return?.();
    await say(wire, 'b');
    wire.socket.terminate();
    expect(await Promise.all(waiting)).toEqual([{ value: 'a', done: false }, ended]);
    expect(hooked).toEqual(['b']);
  });
});
