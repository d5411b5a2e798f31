import { Duplex, duplexPair } from 'node:stream';
import { frame, makeWire, narrowPair, stall, turns, until, type Wire } from '../wire';
import { areWhole, block, fill, overTcp, shapes, watchWrites } from './written';

describe('callbacks', () => {
  it('come in the order of the sends, when the bytes were taken', async () => {
    const wire = makeWire({ pair: narrowPair() });
    const told: unknown[] = [];
    wire.peer.pause();
    wire.socket.send('x'.repeat(100));
    for (const name of ['a', 'b', 'c']) wire.socket.send(name, (...args) => told.push(name, args));
    await turns();
    expect(told).toEqual([]);
    wire.peer.resume();
    await until(() => told.length === 6);
    expect(told).toEqual(['a', [], 'b', [], 'c', []]);
  });

  it('hear ERR_WS_NOT_OPEN, in order, when the connection ends before', async () => {
    const wire = makeWire();
    const told: unknown[] = [];
    for (const name of ['a', 'b']) {
      wire.socket.send(name, (error) => told.push([name, (error as { code?: string }).code]));
    }
    wire.socket.terminate();
    await turns();
    expect(told).toEqual([
      ['a', 'ERR_WS_NOT_OPEN'],
      ['b', 'ERR_WS_NOT_OPEN'],
    ]);
    expect(wire.peer.frames).toEqual([]);
    expect(wire.socket.bufferedAmount).toBe(0);
  });

  it('are told before the close', async () => {
    const order: string[] = [];
    const wire = makeWire({ hooks: { close: () => order.push('close') } });
    wire.socket.send('a', () => order.push('callback'));
    wire.socket.terminate();
    await turns();
    expect(order).toEqual(['callback', 'close']);
  });

  it('hear the error of the transport; nobody is told to go on', async () => {
    const [, theirs] = duplexPair();
    const transport = new Duplex({
      read: () => undefined,
      write: (_chunk, _encoding, done) => done(new Error('the cable is cut')),
    });
    const wire = makeWire({ pair: [transport, theirs], settings: { highWaterMark: 1 } });
    const told: string[] = [];
    wire.socket.on('drain', () => told.push('drain'));
    wire.socket.on('error', ({ message }) => told.push(`error: ${message}`));
    wire.socket.send('abc', (error) => told.push(`callback: ${String(error?.message)}`));
    await turns();
    expect(told.sort()).toEqual(['callback: the cable is cut', 'error: the cable is cut']);
    expect(wire.closes).toEqual(['1006']);
  });

  it('may send more', async () => {
    const wire = makeWire();
    wire.socket.send('a', () => wire.socket.send('b', () => wire.socket.close(4000)));
    await turns();
    expect([wire.peer.texts, wire.peer.closes]).toEqual([['a', 'b'], ['4000']]);
  });
});

describe("'drain'", () => {
  it('comes once everything was taken, over TCP too', async () => {
    const wire = await overTcp();
    let drains = 0;
    wire.socket.on('drain', () => drains++);
    wire.peer.pause();
    let isRoom = true;
    while (isRoom) {
      isRoom = wire.socket.send(block(8000, 1));
      await turns(1);
    }
    expect([drains, wire.socket.bufferedAmount > 65_536]).toEqual([0, true]);
    wire.peer.resume();
    await until(() => drains > 0);
    expect(wire.socket.bufferedAmount).toBe(0);
    expect(wire.socket.send('more')).toBe(true);
    await turns();
    expect(drains).toBe(1);
  });

  it('does not come after a close of the connection', async () => {
    const wire = makeWire({ pair: narrowPair(), settings: { highWaterMark: 10 } });
    const drain = jest.fn();
    wire.socket.on('drain', drain);
    wire.peer.pause();
    expect(wire.socket.send('x'.repeat(100))).toBe(false);
    wire.socket.terminate();
    await turns();
    expect(drain).not.toHaveBeenCalled();
  });

  it('does not come to who never had to wait', async () => {
    const wire = makeWire();
    const drain = jest.fn();
    wire.socket.on('drain', drain);
    expect(wire.socket.send('x')).toBe(true);
    await turns();
    expect(drain).not.toHaveBeenCalled();
  });
});

describe('§5.5.3 pongs to a peer that is slow to read', () => {
  const makeSlow = async (): Promise<Wire> => {
    const wire = makeWire({ pair: narrowPair() });
    await stall(wire);
    return wire;
  };

  it('collapse to the first and the newest', async () => {
    const wire = await makeSlow();
    for (const name of ['1', '2', '3', '4', '5']) {
      wire.peer.ping(name);
      await turns();
    }
    wire.peer.resume();
    await until(() => wire.peer.pongs.length === 2);
    await turns();
    expect(wire.peer.pongs).toEqual(['1', '5']);
    // Who has caught up gets each answer again.
    wire.peer.ping('6');
    wire.peer.ping('7');
    await turns();
    expect(wire.peer.pongs).toEqual(['1', '5', '6', '7']);
  });

  it('are all sent when there was only one', async () => {
    const wire = await makeSlow();
    wire.peer.ping('only');
    await turns();
    wire.peer.resume();
    await until(() => wire.peer.pongs.length === 1);
    await turns();
    expect(wire.peer.pongs).toEqual(['only']);
  });

  it('are forgotten with the connection', async () => {
    const wire = await makeSlow();
    // From inside of the read that brought both: neither has been written.
    wire.socket.on('ping', (payload) => {
      if (payload.toString() === '2') wire.socket.terminate();
    });
    wire.peer.write(frame.ping('1'), frame.ping('2'));
    const { chunks } = watchWrites(wire.transport);
    await turns();
    expect([chunks, wire.closes, wire.reports]).toEqual([[], ['1006'], []]);
  });
});

describe('the end, when the peer has ended already', () => {
  it('is closed in one go behind what was queued', async () => {
    const wire = await overTcp();
    const end = jest.spyOn(wire.transport, 'end');
    wire.socket.send('last');
    wire.peer.stream.end();
    await until(() => wire.peer.hasEnded && wire.closes.length === 1);
    expect(shapes(wire)).toEqual([[0x81, 4]]);
    expect([wire.closes, end.mock.calls]).toEqual([['1006'], []]);
  });

  it('waits until a peer that is slow to read has everything', async () => {
    const wire = await overTcp();
    const end = jest.spyOn(wire.transport, 'end');
    const count = await fill(wire, [8000]);
    wire.peer.stream.end();
    await until(() => end.mock.calls.length === 1);
    expect(wire.transport.destroyed).toBe(false);
    wire.peer.resume();
    await until(() => wire.peer.hasEnded);
    expect(wire.peer.frames).toHaveLength(count);
    expect(areWhole(wire)).toBe(true);
  });
});
