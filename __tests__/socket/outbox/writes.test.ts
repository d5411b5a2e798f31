import { Buffer } from 'node:buffer';
import { Duplex, duplexPair } from 'node:stream';
import { hex } from '../../support/bytes';
import { frame, makeWire, turns, until, type Wire } from '../wire';
import { block, overTcp, watchWrites } from './written';

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
