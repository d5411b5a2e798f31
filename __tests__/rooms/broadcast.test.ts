import { broadcast } from '../../lib/rooms/broadcast';
import { makeWire, turns, type Wire } from '../socket/wire';

const plain = { decode: undefined, encode: undefined };

/** What the peer has read. */
const texts = ({ peer }: Wire): string[] => peer.frames.map(({ payload }) => payload.toString());

describe('broadcast', () => {
  it('encodes once, whatever the number of sockets', async () => {
    const wires = [makeWire(), makeWire(), makeWire()];
    const encode = jest.fn((value: unknown) => JSON.stringify(value));
    const sockets = wires.map(({ socket }) => socket);
    expect(broadcast(sockets, { decode: undefined, encode }, { a: 1 })).toBe(3);
    expect(encode).toHaveBeenCalledTimes(1);
    await turns();
    for (const wire of wires) expect(texts(wire)).toEqual(['{"a":1}']);
  });

  it('gives large payloads and small ones to everybody, in order', async () => {
    const wires = [makeWire(), makeWire()];
    const sockets = wires.map(({ socket }) => socket);
    const large = Buffer.alloc(100_000, 'x');
    for (const data of ['a', large, 'b']) broadcast(sockets, plain, data);
    await turns();
    for (const { peer } of wires) {
      const { frames } = peer;
      expect(frames.map(({ first }) => first)).toEqual([0x81, 0x82, 0x81]);
      expect(frames.map(({ payload }) => payload.length)).toEqual([1, 100_000, 1]);
    }
  });

  it('counts those who took it: neither closing nor closed sockets', async () => {
    const wires = [makeWire(), makeWire(), makeWire()] as const;
    const sockets = wires.map(({ socket }) => socket);
    wires[0].socket.close();
    wires[1].socket.terminate();
    expect(broadcast(sockets, plain, 'Hello')).toBe(1);
    await turns();
    expect([texts(wires[2]), wires[0].peer.closes]).toEqual([['Hello'], ['1000']]);
  });

  it('keeps its bytes until every member has them, whatever handlers do meanwhile', async () => {
    // A pair in memory may answer from inside of the write of as much as this.
    let time = 1000;
    const now = jest.spyOn(performance, 'now').mockImplementation(() => time);
    const wires = Array.from({ length: 4 }, () => makeWire());
    let answers = 0;
    for (const { socket } of wires) {
      socket.on('message', () => {
        answers++;
        time += 5;
        socket.send('y'.repeat(1000));
      });
    }
    await turns();
    for (const { peer } of wires) peer.stream.once('data', () => peer.say('slowly'));
    const sockets = wires.map(({ socket }) => socket);
    expect([broadcast(sockets, plain, 'x'.repeat(70_000)), answers]).toEqual([4, 4]);
    now.mockRestore();
    await turns();
    for (const wire of wires) expect(texts(wire)).toEqual(['x'.repeat(70_000), 'y'.repeat(1000)]);
  });

  it('refuses a Blob, whose bytes would have to be waited for', () => {
    expect(() => broadcast([], plain, new Blob(['x']))).toThrow(
      new TypeError('a Blob cannot be sent to a room: read it with arrayBuffer() first'),
    );
  });

  it('refuses what cannot be sent, also to nobody', () => {
    expect(() => broadcast([], plain, 5)).toThrow(TypeError);
  });
});
