import { Members, Rooms } from '../../lib/rooms/rooms';
import { makeWire, turns, type Wire } from '../socket/wire';

const codec = { decode: undefined, encode: undefined };

/** Wires of one route: they share their rooms. */
function openMany(
  count: number,
  limits = { maxRooms: 128, maxRoomNameLength: 255 },
): { rooms: Rooms; wires: Wire[] } {
  const rooms = new Rooms(limits, codec);
  const release = (socket: Wire['socket']): void => rooms.release(socket);
  const wires = Array.from({ length: count }, () => makeWire({ settings: { rooms, release } }));
  return { rooms, wires };
}

/** What each peer was sent, once it is all out. */
async function received(wires: readonly Wire[]): Promise<string[][]> {
  await turns();
  return wires.map(({ peer }) => peer.texts);
}

describe('Rooms', () => {
  it('delivers to the members of a room, the sender too if it is one', async () => {
    const { wires } = openMany(3);
    const [a, b, c] = wires as [Wire, Wire, Wire];
    for (const { socket } of [a, b]) socket.join('x');
    expect(c.socket.to('x').send('hello')).toBe(2);
    c.socket.send('end');
    expect(await received(wires)).toEqual([['hello'], ['hello'], ['end']]);
  });

  it('leaves out those who are excepted', async () => {
    const { wires } = openMany(3);
    const [a, b, c] = wires as [Wire, Wire, Wire];
    for (const { socket } of wires) socket.join('x');
    expect(a.socket.to('x').except(a.socket).send('1')).toBe(2);
    expect(a.socket.to('x').except(a.socket, b.socket).send('2')).toBe(1);
    expect(a.socket.to('x').except(a.socket).except(c.socket).send('3')).toBe(1);
    expect(await received(wires)).toEqual([[], ['1', '3'], ['1', '2']]);
  });

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf', 'é'])(
    'H-4 takes %p for a name like any other',
    async (name) => {
      const { rooms, wires } = openMany(1);
      const [a] = wires as [Wire];
      expect(a.socket.to(name).send('nobody')).toBe(0);
      a.socket.join(name);
      expect([...a.socket.rooms]).toEqual([name]);
      expect(a.socket.to(name).send('me')).toBe(1);
      a.socket.leave(name);
      expect([rooms.size, ({} as { x?: unknown }).x]).toEqual([0, undefined]);
      expect(await received(wires)).toEqual([['me']]);
    },
  );

  it('R-1 returns to nothing, however often sockets join and leave', async () => {
    const { rooms, wires } = openMany(2);
    const [a, b] = wires as [Wire, Wire];
    for (let at = 0; at < 10_000; at++) {
      a.socket.join(`room ${at % 50}`);
      a.socket.leave(`room ${at % 50}`);
    }
    expect(rooms.size).toBe(0);
    a.socket.join('x');
    a.socket.join('x');
    b.socket.join('x');
    b.socket.leave('y');
    a.socket.terminate();
    await turns();
    expect([rooms.size, rooms.membersOf('x').size, a.socket.rooms.size]).toEqual([1, 1, 0]);
    b.socket.leave('x');
    b.socket.leave('x');
    expect(rooms.size).toBe(0);
  });

  it('keeps a socket in its other rooms when it leaves one', async () => {
    const { rooms, wires } = openMany(2);
    const [a, b] = wires as [Wire, Wire];
    for (const { socket } of wires) for (const room of ['x', 'y']) socket.join(room);
    a.socket.leave('x');
    expect([[...a.socket.rooms], [...b.socket.rooms], rooms.size]).toEqual([['y'], ['x', 'y'], 2]);
    expect([a.socket.to('x').send('to x'), a.socket.to('y').send('to y')]).toEqual([1, 2]);
    expect(await received(wires)).toEqual([['to y'], ['to x', 'to y']]);
  });

  it('does not take in a socket whose connection is gone', async () => {
    const { rooms, wires } = openMany(1);
    const [a] = wires as [Wire];
    a.socket.terminate();
    await turns();
    a.socket.join('x');
    expect([rooms.size, a.socket.rooms.size]).toEqual([0, 0]);
  });

  it('R-1 limits rooms and names', () => {
    const { wires } = openMany(1, { maxRooms: 2, maxRoomNameLength: 3 });
    const [a] = wires as [Wire];
    a.socket.join('abc');
    a.socket.join('b');
    a.socket.join('b');
    expect(() => a.socket.join('c')).toThrow(
      new RangeError('a socket may be in 2 rooms (maxRooms)'),
    );
    expect(() => a.socket.join('abcd')).toThrow(
      new RangeError('a room name has at most 3 characters (maxRoomNameLength), got 4'),
    );
    for (const name of ['', 5, undefined]) {
      expect(() => a.socket.join(name as string)).toThrow(
        expect.objectContaining({ code: 'ERR_WS_INVALID_ARGUMENT' }),
      );
    }
    expect(a.socket.rooms.size).toBe(2);
  });

  it('does not count members that are closing', async () => {
    const { wires } = openMany(2);
    const [a, b] = wires as [Wire, Wire];
    for (const { socket } of wires) socket.join('x');
    a.socket.close();
    expect(b.socket.to('x').send('hello')).toBe(1);
    await turns();
    expect([a.peer.closes, b.peer.texts]).toEqual([['1000'], ['hello']]);
  });
});

describe('Members', () => {
  it('can be any sockets of a route', async () => {
    const { wires } = openMany(2);
    const all = new Members(() => wires.map(({ socket }) => socket), codec, new Set());
    expect(all.send('all')).toBe(2);
    expect(await received(wires)).toEqual([['all'], ['all']]);
  });
});
