import { broadcast } from '../../lib/rooms/broadcast';
import { openWire } from '../support/wire';

const plain = { decode: undefined, encode: undefined };

describe('broadcast', () => {
  it('encodes once, whatever the number of sockets', async () => {
    const wires = [openWire(), openWire(), openWire()];
    const encode = jest.fn((value: unknown) => JSON.stringify(value));
    const sockets = wires.map(({ socket }) => socket);
    expect(broadcast(sockets, { decode: undefined, encode }, { a: 1 })).toBe(3);
    expect(encode).toHaveBeenCalledTimes(1);
    for (const wire of wires) expect((await wire.frame()).payload.toString()).toBe('{"a":1}');
  });

  it('gives large payloads and small ones to everybody, in order', async () => {
    const wires = [openWire(), openWire()];
    const sockets = wires.map(({ socket }) => socket);
    const large = Buffer.alloc(100_000, 'x');
    for (const data of ['a', large, 'b']) broadcast(sockets, plain, data);
    for (const wire of wires) {
      const frames = [await wire.frame(), await wire.frame(), await wire.frame()];
      expect(frames.map(({ first }) => first)).toEqual([0x81, 0x82, 0x81]);
      expect(frames.map(({ payload }) => payload.length)).toEqual([1, 100_000, 1]);
    }
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
