import { Buffer } from 'node:buffer';
import type { Duplex } from 'node:stream';
import { Opcode } from '../../../lib/protocol/opcode';
import { flushIfLate, whileShared } from '../../../lib/socket/outbox';
import { SharedMessage } from '../../../lib/socket/shared-message';
import { slabWithRoom } from '../../../lib/socket/slab';
import { sendShared, type Socket } from '../../../lib/socket/socket';
import { hex } from '../../support/bytes';
import { makeWire, netPair, textForAll, turns, until, type Wire } from '../wire';
import { areWhole, block, fill, isWhole, overTcp, shapes, watchWrites } from './written';

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
