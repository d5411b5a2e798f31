import { route, type Route } from '../../lib';
import type { ServerFrame } from '../scenarios/support/peer';
import { stopAll } from '../scenarios/support/server';
import { hex } from '../support/bytes';
import { echoTarget, Link, target } from '../rfc6455/support/target';
import { readFrames, transcript } from '../rfc6455/support/transcript';
import { expectEveryWay } from '../rfc6455/support/ways';
import { BROWSER, COMPRESSED, deflateTarget, offering } from './support/offers';
import { inflateAlone } from './support/zlib';

/* RFC 7692 §6: where the bit of a compressed message may stand. */

afterEach(stopAll);

/** Hello, compressed, in one frame and in two, and as it is. */
const HELLO = hex('c1 87 00000000 f248cdc9c90700');
const HEL = hex('41 83 00000000 f248cd');
const LO = hex('80 84 00000000 c9c90700');
const PLAIN = hex('81 85 00000000 48656c6c6f');

type Row = readonly [what: string, frames: readonly Buffer[], heard: readonly string[]];

describe('§6.1 and §6.2 what is taken', () => {
  it.each<Row>([
    ['a compressed message', [HELLO], ['text "Hello"']],
    ['a message that is not, for each is by itself', [PLAIN], ['text "Hello"']],
    ['the one and the other in turn', [HELLO, PLAIN, HELLO], Array(3).fill('text "Hello"')],
    ['a message that was compressed and then fragmented', [HEL, LO], ['text "Hello"']],
    [
      'a first fragment without payload',
      [hex('41 80 00000000'), hex('00 83 00000000 f248cd'), LO],
      ['text "Hello"'],
    ],
    [
      'control frames between its fragments, which are never compressed',
      [HEL, hex('89 81 00000000 aa'), hex('8a 80 00000000'), LO],
      ['pong aa', 'text "Hello"'],
    ],
    ['a close between its fragments', [HEL, hex('88 82 00000000 03e8'), LO], ['close 1000 ']],
    ['a compressed binary message', [hex('c2 87 00000000 f248cdc9c90700')], ['binary 48656c6c6f']],
  ])('%s', async (_what, frames, heard) =>
    expectEveryWay(await deflateTarget(), { frames, heard }, COMPRESSED),
  );
});

const MISPLACED: readonly Row[] = [
  ['a continuation', [HEL, hex('c0 84 00000000 c9c90700')], ['close 1002 ']],
  ['a continuation that goes on', [HEL, hex('40 80 00000000')], ['close 1002 ']],
  [
    'a continuation of a message that is not compressed',
    [hex('01 80 00000000'), hex('c0 80 00000000')],
    ['close 1002 '],
  ],
  ['a close', [hex('c8 82 00000000 03e8')], ['close 1002 ']],
  ['a ping', [hex('c9 80 00000000')], ['close 1002 ']],
  ['a pong', [hex('ca 80 00000000')], ['close 1002 ']],
  ['a ping between fragments', [HEL, hex('c9 80 00000000'), LO], ['close 1002 ']],
  ['a reserved opcode', [hex('c3 80 00000000')], ['close 1002 ']],
];

describe('§6.1 the bit is on first fragments of data and on nothing else', () => {
  it.each(MISPLACED)('fails at RSV1 on %s', async (_what, frames, heard) =>
    expectEveryWay(await deflateTarget(), { frames, heard }, COMPRESSED),
  );

  it.each(['a1', 'e1', '91', 'd1', 'f1', 'a9', 'b2'])(
    'fails at %s: RSV2 and RSV3 belong to nobody',
    async (first) => {
      const frames = [hex(`${first} 87 00000000 f248cdc9c90700`)];
      await expectEveryWay(await deflateTarget(), { frames, heard: ['close 1002 '] }, COMPRESSED);
    },
  );
});

describe('§6 without an agreement the bit means nothing', () => {
  const vector = { frames: [PLAIN, HELLO], heard: ['text "Hello"', 'close 1002 '] };

  it('fails when the client offered nothing', async () =>
    expectEveryWay(await deflateTarget(), vector));

  it('fails when the offer was declined', async () => {
    const fields = offering('permessage-deflate; server_max_window_bits=7');
    await expectEveryWay(await deflateTarget(), vector, { fields });
  });

  it('fails when the server does not compress', async () => {
    await expectEveryWay(await echoTarget(), vector, { fields: offering(BROWSER) });
  });
});

interface Heard {
  readonly head: string;
  readonly frames: readonly ServerFrame[];
}

/** All that a route sends of itself, to a client with this offer. */
async function hear(plain: Route, offer = BROWSER): Promise<Heard> {
  const fields = { 'Sec-WebSocket-Extensions': offer };
  const link = await Link.open(await target([plain], '/r'), undefined, fields);
  await link.send(hex('88 82 00000000 03e8'));
  return { head: link.head, frames: readFrames(await link.peer.readToEnd()) };
}

describe('§6.1 what the server sends', () => {
  const long = `{"a":[${Array(400).fill('{"n":1}').join()}]}`;

  it('compresses messages, and never control frames', async () => {
    const open = route('/r', { perMessageDeflate: true }, (socket) => {
      socket.ping('x'.repeat(120));
      socket.send(long);
      socket.close(1000, 'x'.repeat(120));
    });
    const { frames, head } = await hear(open);
    expect(head).toContain('permessage-deflate');
    expect(frames.map(({ first }) => first)).toEqual([0x89, 0xc1, 0x88]);
    expect(inflateAlone(frames[1]!.payload).toString()).toBe(long);
  });

  it('sends no compressed message to a client that has not agreed', async () => {
    const open = route('/r', { perMessageDeflate: true }, (socket) => {
      socket.send(long);
      socket.send(long, { compress: true });
      socket.close();
    });
    const { frames, head } = await hear(open, 'x-other');
    expect(head).not.toContain('permessage-deflate');
    expect(frames.map(({ first }) => first)).toEqual([0x81, 0x81, 0x88]);
  });

  it('has the bit on no continuation of what it sends in fragments', async () => {
    const open = route('/r', { perMessageDeflate: { threshold: 0 } }, (socket) => {
      socket.send(long, { fin: false });
      socket.send(long, { fin: false });
      socket.send(long);
      socket.close();
    });
    const { frames } = await hear(open);
    // Read as one message, compressed or not.
    const lines = transcript(frames, inflateAlone);
    expect(lines).toEqual([`text ${JSON.stringify(long.repeat(3))}`, 'close 1000 ']);
  });

  it('leaves as it is what is asked to be, or is below the threshold', async () => {
    const open = route('/r', { perMessageDeflate: { threshold: 100 } }, (socket) => {
      socket.send('a'.repeat(99));
      socket.send('a'.repeat(100));
      socket.send(long, { compress: false });
      socket.close();
    });
    const { frames } = await hear(open);
    expect(frames.map(({ first }) => first)).toEqual([0x81, 0xc1, 0x81, 0x88]);
  });
});
