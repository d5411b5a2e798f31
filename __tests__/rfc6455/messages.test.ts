import { Buffer } from 'node:buffer';
import { route } from '../../lib';
import * as every from '../protocol/every-way';
import { deferred, stopAll } from '../scenarios/support/server';
import { hex } from '../support/bytes';
import {
  binary,
  binaryPart,
  close,
  last,
  part,
  ping,
  pong,
  text,
  textPart,
} from './support/frames';
import { Link, target, targetOf, type Open } from './support/target';
import { readFrames, transcript } from './support/transcript';

/* RFC 6455 §6: sending and receiving data. */

afterEach(stopAll);

/** Everything that a route sends of itself, and then the close of the client. */
async function sentBy(open: Open): Promise<string[]> {
  const link = await Link.open(await targetOf(open));
  await link.send(close(1000));
  return transcript(readFrames(await link.peer.readToEnd()));
}

describe('§6.1 sending', () => {
  it.each([
    ['a string as text', 'Hello', every.text('Hello')],
    ['an empty string as text', '', every.text('')],
    ['a Buffer as binary', Buffer.from('00ff', 'hex'), every.binary('00ff')],
    ['a view as binary', Uint16Array.of(0x0101), every.binary('0101')],
    ['an ArrayBuffer as binary', new ArrayBuffer(2), every.binary('0000')],
  ])('sends %s', async (_what, data, line) =>
    expect(await sentBy((socket) => void socket.send(data))).toEqual([line, every.closed(1000)]),
  );

  it('sends text that is UTF-8 even where the string is not sound', async () =>
    expect(await sentBy((socket) => void socket.send('a\ud800b'))).toEqual([
      every.text('a\ufffdb'),
      every.closed(1000),
    ]));

  it('sends fragments with FIN on the last, and one opcode', async () => {
    const server = await targetOf((socket) => {
      socket.send(Buffer.from('a'), { fin: false });
      socket.send(Buffer.from('b'), { fin: false });
      socket.send(Buffer.from('c'));
    });
    const link = await Link.open(server);
    expect(await link.peer.read(9)).toEqual(hex('02 01 61 00 01 62 80 01 63'));
  });

  it('sends messages in the order of the calls', async () => {
    const data = Array.from({ length: 300 }, (_, i) => 'x'.repeat((i * 37) % 500) + String(i));
    const lines = await sentBy((socket) => {
      for (const each of data) socket.send(each);
    });
    expect(lines).toEqual([...data.map((each) => every.text(each)), every.closed(1000)]);
  });

  it('sends nothing when the connection is not open any more', async () => {
    const answers: boolean[] = [];
    const lines = await sentBy((socket) => {
      socket.close(1000);
      answers.push(socket.send('late'));
    });
    expect([lines, answers]).toEqual([[every.closed(1000)], [false]]);
  });
});

describe('§6.2 receiving', () => {
  /** What a handler is told of these frames, before the close. */
  async function toldOf(frames: readonly Buffer[]): Promise<string[]> {
    const told: string[] = [];
    const closed = deferred();
    const handlers = {
      message(_socket: unknown, data: string | Buffer) {
        told.push(typeof data === 'string' ? every.text(data) : `binary ${data.toString('hex')}`);
      },
      close: () => closed.resolve(),
    };
    const link = await Link.open(await target([route('/r', handlers)], '/r'));
    for (const frame of [...frames, close(1000)]) await link.send(frame);
    await closed.promise;
    return told;
  }

  it('tells of text as a string, and of binary as bytes', async () =>
    expect(await toldOf([text('ä'), binary('ä'), text(), binary()])).toEqual([
      every.text('ä'),
      every.binary('c3a4'),
      every.text(''),
      every.binary(),
    ]));

  it('puts fragments together in their order, without the mask', async () =>
    expect(await toldOf([textPart('a'), part('b'), last('c'), binaryPart('d'), last('e')])).toEqual(
      [every.text('abc'), every.binary('6465')],
    ));

  it('tells of no control frame as a message', async () =>
    expect(await toldOf([ping('a'), pong('b'), text('c')])).toEqual([every.text('c')]));

  it('tells of no message that has not ended', async () =>
    expect(await toldOf([text('a'), textPart('b')])).toEqual([every.text('a')]));

  it('tells of no message while a byte of its frame is missing', async () => {
    const told: unknown[] = [];
    const closed = deferred();
    const handlers = {
      message: (_socket: unknown, data: unknown) => void told.push(data),
      close: () => closed.resolve(),
    };
    const link = await Link.open(await target([route('/r', handlers)], '/r'));
    await link.send(Buffer.concat([text('a'), text('Hello').subarray(0, -1)]));
    link.peer.socket.end();
    await closed.promise;
    expect(told).toEqual(['a']);
  });
});
