import { Buffer } from 'node:buffer';
import * as every from '../protocol/every-way';
import { stopAll } from '../scenarios/support/server';
import { hex } from '../support/bytes';
import {
  binary,
  binaryPart,
  close,
  closeWith,
  fragments,
  last,
  part,
  ping,
  pong,
  text,
  textPart,
  unfinished,
} from './support/frames';
import { echoTarget, Link, targetOf } from './support/target';
import { readFrames, transcript } from './support/transcript';
import { expectEarly, expectEveryWay } from './support/ways';

/* RFC 6455 §5.4 and §5.5: fragments, and control frames. */

afterEach(stopAll);

const FAILED = every.closed(1002);
const HELLO = every.text('Hello');

type Row = readonly [what: string, frames: readonly Buffer[], heard: readonly string[]];

async function expectHeard(frames: readonly Buffer[], heard: readonly string[]): Promise<void> {
  await expectEveryWay(await echoTarget(), { frames, heard });
}

describe('§5.4 fragments', () => {
  it.each<Row>([
    ['one frame', [text('Hello')], [HELLO]],
    ['two', [textPart('Hel'), last('lo')], [HELLO]],
    ['many', [textPart('H'), part('e'), part('l'), part('l'), last('o')], [HELLO]],
    ['an empty first', [textPart(), last('Hello')], [HELLO]],
    ['an empty last', [textPart('Hello'), last()], [HELLO]],
    ['nothing but empty ones', [textPart(), part(), last()], [every.text('')]],
    ['binary', [binaryPart(hex('00')), part(hex('ff')), last(hex('80'))], [every.binary('00ff80')]],
    [
      'one after the other',
      [textPart('a'), last('b'), text('c')],
      [every.text('ab'), every.text('c')],
    ],
  ])('a message may come in %s', (_what, frames, heard) => expectHeard(frames, heard));

  it('have the type of the first of them', () =>
    expectHeard(
      [binaryPart('a'), last('b'), textPart('a'), last('b')],
      [every.binary('6162'), every.text('ab')],
    ));

  it.each([1, 2, 7, 125, 126, 1000])('may have any size: %i', async (size) => {
    const payload = Buffer.from('0123456789'.repeat(110));
    await expectHeard(fragments(0x1, payload, size), [every.text(payload.toString())]);
  });

  it.each<Row>([
    ['a text', [textPart('a'), text('b'), last('c')], [FAILED]],
    ['a first fragment', [textPart('a'), textPart('b'), last('c')], [FAILED]],
    ['a binary message', [textPart('a'), binary('b')], [FAILED]],
    ['a text in a binary message', [binaryPart('a'), text('b')], [FAILED]],
  ])('of two messages must not be mixed: %s inside of a message fails', (_what, frames, heard) =>
    expectHeard(frames, heard),
  );

  it.each<Row>([
    ['at the start', [last('a')], [FAILED]],
    ['that goes on', [part('a')], [FAILED]],
    ['after a message in one frame', [text('a'), last('b')], [every.text('a'), FAILED]],
    ['after the last fragment', [textPart('a'), last('b'), last()], [every.text('ab'), FAILED]],
  ])('a continuation of nothing fails: %s', (_what, frames, heard) => expectHeard(frames, heard));

  it('tell nothing of a message before the last of them', async () => {
    const link = await Link.open(await echoTarget());
    await link.send(textPart('Hel'));
    await link.send(ping('x'));
    expect(transcript([await link.peer.readFrame()])).toEqual([every.pong('78')]);
    await link.send(last('lo'));
    expect(transcript([await link.peer.readFrame()])).toEqual([HELLO]);
  });

  it('let control frames between them, in any number', () =>
    expectHeard(
      [textPart('Hel'), ping('1'), pong('2'), ping('3'), part(), ping(), last('lo')],
      [every.pong('31'), every.pong('33'), every.pong(), HELLO],
    ));

  it('are given up for a close between them', () =>
    expectHeard([textPart('Hel'), close(1000), last('lo')], [every.closed(1000)]));
});

describe('§5.5 control frames', () => {
  it.each([0, 1, 124, 125])('may have %i bytes', (size) =>
    expectHeard([ping(Buffer.alloc(size, 1))], [every.pong('01'.repeat(size))]),
  );

  it.each<Row>([
    ['a ping of 126', [ping(Buffer.alloc(126))], [FAILED]],
    ['a pong of 126', [pong(Buffer.alloc(126))], [FAILED]],
    ['a close of 126', [closeWith(Buffer.concat([hex('03e8'), Buffer.alloc(124)]))], [FAILED]],
    ['a ping of 65536', [hex('89 ff 0000000000010000 00000000')], [FAILED]],
  ])('must not have more than 125: %s fails', (_what, frames, heard) => expectHeard(frames, heard));

  it('fail at the length alone, before the payload is there', async () =>
    expectEarly(await echoTarget(), { sent: [hex('89 fe')], heard: [FAILED] }));

  it.each<Row>([
    ['a ping', [unfinished(0x9)], [FAILED]],
    ['a pong', [unfinished(0xa)], [FAILED]],
    ['a close', [unfinished(0x8, hex('03e8'))], [FAILED]],
    ['a ping inside of a message', [textPart('a'), unfinished(0x9), last('b')], [FAILED]],
  ])('must not be fragmented: %s without FIN fails', (_what, frames, heard) =>
    expectHeard(frames, heard),
  );
});

describe('§5.5.1 close', () => {
  it.each<Row>([
    ['nothing', [closeWith(hex(''))], [every.closed(1005)]],
    ['a code', [close(4000)], [every.closed(4000)]],
    ['a code and a reason', [close(4000, 'bye')], [every.closed(4000)]],
    ['a reason of 123 bytes', [close(1000, 'é'.repeat(61) + 'e')], [every.closed(1000)]],
  ])('may carry %s, and is answered with its code', (_what, frames, heard) =>
    expectHeard(frames, heard),
  );

  it.each<Row>([
    ['one byte', [closeWith(hex('03'))], [FAILED]],
    ['a reason that is not UTF-8', [close(1000, hex('ff'))], [every.closed(1007)]],
    ['a reason cut in a character', [close(1000, hex('e282'))], [every.closed(1007)]],
  ])('must not carry %s', (_what, frames, heard) => expectHeard(frames, heard));

  it('is the last that is listened to', () =>
    expectHeard([close(1000), text('a'), ping(), close(1001)], [every.closed(1000)]));

  it('is the last that the server sends', async () => {
    const server = await targetOf((socket) => {
      socket.send('before');
      socket.close(1001, 'bye');
      socket.send('after');
      socket.ping();
      socket.close(1000);
    });
    const link = await Link.open(server);
    await link.send(close(1001));
    const lines = transcript(readFrames(await link.peer.readToEnd()));
    expect(lines).toEqual([every.text('before'), every.closed(1001, 'bye')]);
  });

  it('of both sides at once is one closing handshake', async () => {
    const server = await targetOf((socket) => socket.close(1001));
    const link = await Link.open(server, close(1000));
    expect(transcript(readFrames(await link.peer.readToEnd()))).toEqual([every.closed(1001)]);
  });

  it('lets what was sent before it leave first', async () => {
    const payload = 'x'.repeat(1_000_000);
    const server = await targetOf((socket) => {
      socket.send(payload);
      socket.close();
    });
    const link = await Link.open(server, close(1000));
    const lines = transcript(readFrames(await link.peer.readToEnd()));
    expect(lines).toEqual([every.text(payload), every.closed(1000)]);
  });
});

describe('§5.5.2 ping and §5.5.3 pong', () => {
  it.each(['', '00', 'ff', '48656c6c6f', '00ff00ff', 'c328'])(
    'a ping of %s is answered by a pong of the same bytes',
    (digits) => expectHeard([ping(hex(digits))], [every.pong(digits)]),
  );

  it('pings are answered in their order', () =>
    expectHeard(
      [ping('1'), ping('2'), text('a'), ping('3')],
      [every.pong('31'), every.pong('32'), every.text('a'), every.pong('33')],
    ));

  it('a ping is answered while a large message is coming', async () => {
    const link = await Link.open(await echoTarget());
    const pieces = fragments(0x1, Buffer.alloc(100_000, 'a'), 10_000);
    for (const piece of pieces.slice(0, -1)) await link.send(piece);
    await link.send(ping('now'));
    expect(transcript([await link.peer.readFrame()])).toEqual([every.pong('6e6f77')]);
    await link.send(pieces.at(-1)!);
    expect((await link.peer.readFrame()).payload).toHaveLength(100_000);
  });

  it('a ping is answered while user code takes its time', async () => {
    const server = await targetOf(() => new Promise(() => undefined));
    const link = await Link.open(server);
    await link.send(text('held'));
    await link.send(ping('now'));
    expect(transcript([await link.peer.readFrame()])).toEqual([every.pong('6e6f77')]);
  });

  it('a pong that nobody asked for is not answered', () =>
    expectHeard([pong(), pong('x'), text('a'), pong('x')], [every.text('a')]));

  it('a ping behind a close is not answered', () =>
    expectHeard([close(1000), ping('x')], [every.closed(1000)]));
});
