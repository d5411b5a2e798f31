import { Buffer } from 'node:buffer';
import { duplexPair, Duplex } from 'node:stream';
import { Opcode } from '../../lib/protocol/opcode';
import { flushIfLate, Outbox, whileShared, type OutboxOwner } from '../../lib/socket/outbox';
import { SharedMessage } from '../../lib/socket/shared-message';
import { slabWithRoom } from '../../lib/socket/slab';
import { sendShared, type Socket } from '../../lib/socket/socket';
import { hex } from '../support/bytes';
import {
  defaultSettings,
  frame,
  makeWire,
  narrowPair,
  netPair,
  stall,
  turns,
  until,
  type Seen,
  type Wire,
  textForAll,
} from './wire';

afterEach(() => jest.restoreAllMocks());

/** What a transport was given, call by call, as the very Buffers. */
interface Written {
  readonly chunks: Buffer[];
  /** Whether they were held together by cork(). */
  readonly corked: boolean[];
}

function watchWrites(transport: Duplex): Written {
  const written: Written = { chunks: [], corked: [] };
  const write = transport.write.bind(transport) as (...args: unknown[]) => boolean;
  jest.spyOn(transport, 'write').mockImplementation((...args: unknown[]) => {
    written.chunks.push(args[0] as Buffer);
    written.corked.push(transport.writableCorked > 0);
    return write(...args);
  });
  return written;
}

async function overTcp(): Promise<Wire> {
  return makeWire({ pair: await netPair() });
}

/** Bytes that tell by their value which message they are of. */
const block = (size: number, byte: number): Buffer => Buffer.alloc(size, byte);

const shapes = ({ peer }: Wire): [number, number][] =>
  peer.frames.map(({ first, payload }) => [first, payload.length]);

/** Whether every byte of a payload is the first one: nothing was written over it. */
const isWhole = ({ payload }: Seen): boolean =>
  payload.equals(block(payload.length, payload[0] ?? 0));

const areWhole = ({ peer }: Wire): boolean => peer.frames.every(isWhole);

describe('one write a turn', () => {
  it('gathers all frames of a turn, whatever their kind', async () => {
    const { socket, peer, transport } = await overTcp();
    const { chunks } = watchWrites(transport);
    const bytes: Buffer[] = [];
    peer.stream.on('data', (chunk: Buffer) => bytes.push(chunk));
    socket.send('Hello');
    socket.send(Buffer.from([1, 2]));
    socket.ping('Hello');
    expect(chunks).toEqual([]);
    await until(() => peer.frames.length === 3);
    expect(chunks).toHaveLength(1);
    expect(Buffer.concat(bytes)).toEqual(hex('81 05 48656c6c6f 82 02 0102 89 05 48656c6c6f'));
  });

  it('writes again only when there is something to write', async () => {
    const { socket, transport } = await overTcp();
    const { chunks } = watchWrites(transport);
    socket.send('a');
    await turns();
    await turns();
    socket.send('b');
    await turns();
    expect(chunks).toHaveLength(2);
  });

  it('holds frames that lie apart in memory together', async () => {
    const [a, b] = [await overTcp(), await overTcp()];
    const [ofA, ofB] = [watchWrites(a.transport), watchWrites(b.transport)];
    for (const text of ['1', '2', '3']) {
      a.socket.send(`a${text}`);
      b.socket.send(`b${text}`);
    }
    await until(() => a.peer.texts.length === 3 && b.peer.texts.length === 3);
    expect([a.peer.texts, b.peer.texts]).toEqual([
      ['a1', 'a2', 'a3'],
      ['b1', 'b2', 'b3'],
    ]);
    expect([ofA.corked, ofB.corked]).toEqual([
      [true, true, true],
      [true, true, true],
    ]);
  });

  it('writes before the end of the turn what has come to 64 KiB', async () => {
    const { socket, peer, transport } = await overTcp();
    const { chunks } = watchWrites(transport);
    const written = (): number => chunks.reduce((sum, { length }) => sum + length, 0);
    // 8000 bytes behind a header of four; the ninth goes beyond 65 536.
    for (let i = 0; i < 8; i++) socket.send(block(8000, i));
    expect(written()).toBe(0);
    socket.send(block(8000, 8));
    expect(written()).toBe(9 * 8004);
    socket.send('after');
    expect(written()).toBe(9 * 8004);
    await until(() => peer.frames.length === 10);
    expect(peer.texts).toEqual(['after']);
  });

  it('does not hold up others while a handler takes long', async () => {
    const other = await overTcp();
    const { chunks } = watchWrites(other.transport);
    const now = jest.spyOn(performance, 'now').mockReturnValue(1000);
    const early: number[] = [];
    const wire = makeWire({
      hooks: {
        message: (_, data) => {
          early.push(chunks.length);
          if (data !== 'slow') return;
          other.socket.send('not held up');
          now.mockReturnValue(1005);
        },
      },
    });
    // Two reads in one turn: between them, the turn is found to be late.
    wire.transport.emit('data', frame.text('slow'));
    wire.transport.emit('data', frame.text('next'));
    expect(early).toEqual([0, 1]);
    await until(() => other.peer.texts.length === 1);
  });
});

describe('views and copies', () => {
  /** What a transport was given for 'first', once the next turn has written something else. */
  const keptBy = async (wire: Wire): Promise<Buffer> => {
    const { chunks } = watchWrites(wire.transport);
    wire.socket.send('first');
    await turns();
    const other = await overTcp();
    other.socket.send('other');
    await turns();
    expect(chunks).toHaveLength(1);
    return chunks[0]!;
  };

  it('TCP, which takes bytes at once, reads memory that the next turn uses again', async () => {
    const wire = await overTcp();
    expect(await keptBy(wire)).toEqual(hex('81 05 6f74686572'));
    await until(() => wire.peer.texts.length === 1);
    expect(wire.peer.texts).toEqual(['first']);
  });

  it('a stream in memory gets a copy', async () => {
    expect(await keptBy(makeWire())).toEqual(hex('81 05 6669727374'));
  });

  it('TLS gets a copy: it encrypts later', async () => {
    const [ours, theirs] = await netPair();
    const pair: [Duplex, Duplex] = [Object.assign(ours, { encrypted: true }), theirs];
    expect(await keptBy(makeWire({ pair }))).toEqual(hex('81 05 6669727374'));
  });

  it('a TCP peer that is behind gets a copy, or each of its turns would cost 64 KiB', async () => {
    const wire = await overTcp();
    await fill(wire);
    const slab = slabWithRoom(1);
    const kept = await keptBy(wire);
    expect(kept).toEqual(hex('81 05 6669727374'));
    expect(kept.buffer).not.toBe(slab.bytes.buffer);
    expect(slab.pinned).toBe(false);
    wire.peer.resume();
    await until(() => wire.peer.texts.length > 0);
    expect(wire.peer.texts).toEqual(['first']);
  });

  it('copies a payload of 8 KiB, and hands over a larger one as it is', async () => {
    const { socket, peer, transport } = await overTcp();
    const { chunks } = watchWrites(transport);
    const [small, large] = [block(8192, 1), block(8193, 2)];
    socket.send(small);
    socket.send(large);
    await until(() => peer.frames.length === 2);
    expect(chunks).toHaveLength(2);
    // Both headers and the small payload in one piece, then the large payload itself.
    expect(chunks[0]).toHaveLength(4 + 8192 + 4);
    expect(chunks[1]).toBe(large);
    expect(peer.frames).toEqual([
      { first: 0x82, payload: small },
      { first: 0x82, payload: large },
    ]);
  });

  it('sends text of more than 8 KiB as its UTF-8', async () => {
    const { socket, peer } = await overTcp();
    const long = 'é'.repeat(10_000);
    socket.send(long);
    await until(() => peer.texts.length === 1);
    expect(peer.frames[0]?.payload).toHaveLength(20_000);
    expect(peer.texts).toEqual([long]);
  });
});

/** Sends to a peer that does not read until the kernel takes no more; how many messages it took. */
async function fill(wire: Wire, parts: readonly number[] = [8000, 8000]): Promise<number> {
  wire.peer.pause();
  let count = 0;
  for (; wire.transport.writableLength === 0 && count < 20_000; count += parts.length) {
    for (const [at, size] of parts.entries()) wire.socket.send(block(size, (count + at) % 251));
    await turns(1);
  }
  expect(wire.transport.writableLength).toBeGreaterThan(0);
  return count;
}

describe('memory that a transport still reads from', () => {
  it.each([
    ['one piece', [8000, 8000]],
    ['several pieces', [4000, 9000, 4000]],
  ] as const)('is not written to again, when it was given in %s', async (_, parts) => {
    const [slow, other] = [await overTcp(), await overTcp()];
    const count = await fill(slow, parts);
    // Turn after turn over the same memory, were it not left alone.
    for (let i = 0; i < 20; i++) {
      for (let at = 0; at < 7; at++) other.socket.send(block(8000, 0xee));
      await turns(1);
    }
    slow.peer.resume();
    await until(() => slow.peer.frames.length === count);
    const expected = Array.from({ length: count }, (_each, at) => at % 251);
    expect(slow.peer.frames.map(({ payload }) => payload[0])).toEqual(expected);
    expect(areWhole(slow)).toBe(true);
    await until(() => other.peer.frames.length === 140);
    expect(areWhole(other)).toBe(true);
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

describe('a transport whose write() throws', () => {
  const makeBroken = (): Wire => {
    const [, theirs] = duplexPair();
    const transport = new Duplex({
      read: () => undefined,
      write: () => {
        throw new Error('a stream of somebody else');
      },
    });
    return makeWire({ pair: [transport, theirs] });
  };

  it('ends its own socket, and no other', async () => {
    const before = makeWire();
    const broken = makeBroken();
    const after = makeWire();
    const errors: string[] = [];
    broken.socket.on('error', ({ message }) => errors.push(message));
    for (const { socket } of [before, broken, after]) socket.send('Hello');
    await turns();
    expect([before.peer.texts, after.peer.texts]).toEqual([['Hello'], ['Hello']]);
    expect([errors, broken.closes]).toEqual([['a stream of somebody else'], ['1006']]);
    before.socket.send('still');
    await turns();
    expect([before.peer.texts, before.socket.readyState]).toEqual([['Hello', 'still'], 1]);
  });

  it('still has the callbacks told why', async () => {
    const broken = makeBroken();
    const told: unknown[] = [];
    broken.socket.send('a', (error) => told.push(error?.message));
    broken.socket.send('b', (error) => told.push(error?.message));
    await turns();
    expect(told).toEqual(['a stream of somebody else', 'a stream of somebody else']);
  });
});

describe('a stream in memory, which may answer from inside of a write', () => {
  /** The peer says something from inside of the next write that reaches it. */
  const answer = (wire: Wire, text: string): void => {
    wire.peer.stream.once('data', () => wire.peer.say(text));
  };

  it('keeps header and payload of a large message together (§5.4)', async () => {
    let isInside = false;
    const inside: boolean[] = [];
    const wire = makeWire({
      hooks: {
        message: (socket) => {
          inside.push(isInside);
          socket.send('small');
          socket.send(block(9000, 2));
          socket.send(block(70_000, 3));
        },
      },
    });
    await turns();
    answer(wire, 'at once');
    // 65 530 bytes wait; the next header alone brings them to 64 KiB.
    for (let i = 0; i < 7; i++) wire.socket.send(block(8192, 1));
    wire.socket.send(block(8154, 1));
    expect(inside).toEqual([]);
    isInside = true;
    wire.socket.send(block(70_000, 4));
    isInside = false;
    expect(inside).toEqual([true]);
    await turns();
    expect(shapes(wire).slice(7)).toEqual([
      [0x82, 8154],
      [0x82, 70_000],
      [0x81, 5],
      [0x82, 9000],
      [0x82, 70_000],
    ]);
    expect(wire.peer.frames.map(({ payload }) => payload[0])).toEqual([
      ...Array<number>(8).fill(1),
      4,
      'small'.charCodeAt(0),
      2,
      3,
    ]);
    expect(wire.peer.of(0x82).every(isWhole)).toBe(true);
  });

  it('keeps the bytes of a broadcast until each member has them, however slow a handler', async () => {
    let time = 1000;
    jest.spyOn(performance, 'now').mockImplementation(() => time);
    let isInside = false;
    const inside: boolean[] = [];
    const message = (socket: Socket): void => {
      inside.push(isInside);
      // The turn is late from the first answer on; the second would write where the header is.
      time += 5;
      socket.send(block(1000, 0xee));
    };
    const members = Array.from({ length: 4 }, () => makeWire({ hooks: { message } }));
    await turns();
    for (const member of members) answer(member, 'slowly');
    isInside = true;
    const taken = whileShared(() => {
      // As much as this is written to each member at once.
      const shared = new SharedMessage({ opcode: Opcode.Binary, payload: block(70_000, 7) });
      return members.filter(({ socket }) => sendShared(socket, shared)).length;
    });
    isInside = false;
    expect([taken, inside]).toEqual([4, [true, true, true, true]]);
    await turns();
    for (const { peer } of members) {
      expect(peer.frames).toEqual([
        { first: 0x82, payload: block(70_000, 7) },
        { first: 0x82, payload: block(1000, 0xee) },
      ]);
    }
  });

  it('holds nothing up once the broadcast is out', async () => {
    const other = await overTcp();
    const { chunks } = watchWrites(other.transport);
    const now = jest.spyOn(performance, 'now').mockReturnValue(1000);
    whileShared(() => {
      sendShared(other.socket, textForAll('late'));
      now.mockReturnValue(1005);
      flushIfLate();
      expect(chunks).toEqual([]);
    });
    flushIfLate();
    expect(chunks).toHaveLength(1);
    await until(() => other.peer.texts.length === 1);
  });
});

describe('an outbox alone', () => {
  const makeOutbox = (
    owner: Partial<OutboxOwner> = {},
  ): { outbox: Outbox; sent: () => Buffer; theirs: Duplex } => {
    const [ours, theirs] = duplexPair();
    const bytes: Buffer[] = [];
    theirs.on('data', (chunk: Buffer) => bytes.push(chunk));
    const heard: OutboxOwner = {
      onDrain: () => undefined,
      runCallback: (callback, error) => callback(error),
      ...owner,
    };
    const outbox = new Outbox(ours, heard, defaultSettings());
    return { outbox, sent: () => Buffer.concat(bytes), theirs };
  };

  it('passes on what was encoded elsewhere, in its place', async () => {
    const { outbox, sent } = makeOutbox();
    outbox.pushText(0x81, 'a');
    outbox.pushEncoded(hex('81 01 62'));
    outbox.pushText(0x81, 'c');
    outbox.pushEncoded(hex('81 01 64'));
    expect(outbox.buffered).toBe(12);
    await turns();
    expect(sent()).toEqual(hex('81 01 61 81 01 62 81 01 63 81 01 64'));
    expect(outbox.buffered).toBe(0);
  });

  it('writes what is queued before the end of the stream', async () => {
    const { outbox, sent, theirs } = makeOutbox();
    let hasEnded = false;
    theirs.on('end', () => {
      hasEnded = true;
    });
    outbox.pushText(0x81, 'last');
    outbox.end();
    await turns();
    expect([sent(), hasEnded]).toEqual([hex('81 04 6c617374'), true]);
  });

  it('ends with nothing to write', async () => {
    const { outbox, sent, theirs } = makeOutbox();
    let hasEnded = false;
    theirs.on('end', () => {
      hasEnded = true;
    });
    outbox.end();
    await turns();
    expect([sent().length, hasEnded]).toEqual([0, true]);
  });

  it('forgets what is queued when it is told to', async () => {
    const { outbox, sent } = makeOutbox();
    outbox.pushText(0x81, 'gone');
    outbox.discard();
    expect(outbox.buffered).toBe(0);
    await turns();
    expect(sent()).toHaveLength(0);
  });

  it('tells of the drain when it was asked to, and only then', async () => {
    const onDrain = jest.fn();
    const { outbox } = makeOutbox({ onDrain });
    outbox.pushText(0x81, 'a');
    await turns();
    expect(onDrain).not.toHaveBeenCalled();
    outbox.wantDrain();
    outbox.pushText(0x81, 'b');
    await turns();
    outbox.pushText(0x81, 'c');
    await turns();
    expect(onDrain).toHaveBeenCalledTimes(1);
  });
});
