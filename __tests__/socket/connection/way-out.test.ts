import { makeWire, narrowPair, turns, until } from '../wire';

it('counts what its transport holds before anything was sent on it', async () => {
  const { socket, transport } = makeWire({ pair: narrowPair() });
  transport.cork();
  transport.write('the rest of a 101');
  expect(socket.bufferedAmount).toBe(17);
  transport.uncork();
  await turns();
  expect(socket.bufferedAmount).toBe(0);
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
