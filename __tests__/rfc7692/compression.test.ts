import { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { deflateRawSync, constants } from 'node:zlib';
import { stopAll } from '../scenarios/support/server';
import { hex } from '../support/bytes';
import { fragments } from '../rfc6455/support/frames';
import { closeCleanly, expectSameBytes } from '../rfc6455/support/messages';
import { echoTarget, Link } from '../rfc6455/support/target';
import { expectEveryWay } from '../rfc6455/support/ways';
import {
  BROWSER,
  COMPRESSED,
  deflateTarget,
  IN_CONTEXT,
  offering,
  readEcho,
} from './support/offers';
import { termsOf } from './support/terms';
import { Compressor, deflateAlone, Expander, inflateAlone } from './support/zlib';

/* RFC 7692 §7.2: what compressed messages are made of, both ways. */

afterEach(stopAll);

type Row = readonly [what: string, frames: readonly Buffer[], heard: readonly string[]];

const HELLO = hex('c1 87 00000000 f248cdc9c90700');
/** Refers to the Hello before it. */
const HELLO_AGAIN = hex('c1 85 00000000 f200110000');
const SAID = 'text "Hello"';

describe('§7.2.3 the examples', () => {
  it.each<Row>([
    ['§7.2.3.1 one message', [HELLO], [SAID]],
    [
      '§7.2.3.1 in two fragments',
      [hex('41 83 00000000 f248cd'), hex('80 84 00000000 c9c90700')],
      [SAID],
    ],
    ['§7.2.3.2 without sharing a window', [HELLO, HELLO], [SAID, SAID]],
    [
      '§7.2.3.3 a block without compression',
      [hex('c1 8b 00000000 00 0500 faff 48656c6c6f 00')],
      [SAID],
    ],
    [
      '§7.2.3.4 a block with BFINAL, and a message behind it',
      [hex('c1 88 00000000 f348cdc9c9070000'), HELLO],
      [SAID, SAID],
    ],
    [
      '§7.2.3.5 two blocks in one message',
      [hex('c1 8d 00000000 f24805000000ffffcac9c90700')],
      [SAID],
    ],
    ['§7.2.3.6 an empty message', [hex('c1 81 00000000 00')], ['text ""']],
  ])('%s', async (_what, frames, heard) =>
    expectEveryWay(await deflateTarget(), { frames, heard }, COMPRESSED),
  );

  it.each<Row>([
    ['§7.2.3.2 sharing the window', [HELLO, HELLO_AGAIN], [SAID, SAID]],
    [
      '§7.2.3.2 sharing it with a message that was not compressed between',
      [HELLO, hex('81 81 00000000 78'), HELLO_AGAIN],
      [SAID, 'text "x"', SAID],
    ],
    [
      '§7.2.3.4 sharing it behind a block with BFINAL',
      [hex('c1 88 00000000 f348cdc9c9070000'), HELLO_AGAIN],
      [SAID, SAID],
    ],
    [
      '§7.2.3.6 sharing it across an empty one',
      [HELLO, hex('c1 81 00000000 00'), HELLO_AGAIN],
      [SAID, 'text ""', SAID],
    ],
  ])('%s', async (_what, frames, heard) =>
    expectEveryWay(await deflateTarget({ contextTakeover: true }), { frames, heard }, IN_CONTEXT),
  );
});

describe('§7.2.2 what cannot be inflated', () => {
  const FAILED = ['close 1007 '];

  it.each<Row>([
    ['a block of the reserved kind', [hex('c1 81 00000000 06')], FAILED],
    ['lengths of a block that contradict each other', [hex('c1 85 00000000 00 0500 0000')], FAILED],
    ['a reference before the beginning', [HELLO_AGAIN], FAILED],
    ['a message that ends inside of a block', [hex('c2 84 00000000 f248cdc9')], FAILED],
    ['text that is not UTF-8', [hex('c1 87 00000000 00 0200 fdff c328')], FAILED],
    ['text that ends inside of a character', [hex('c1 87 00000000 00 0100 feff c3 00')], FAILED],
  ])('fails with 1007 at %s', async (_what, frames, heard) =>
    expectEveryWay(await deflateTarget(), { frames, heard }, COMPRESSED),
  );

  it('takes as binary what would be bad text', async () => {
    const frames = [hex('c2 88 00000000 00 0200 fdff c328 00')];
    await expectEveryWay(await deflateTarget(), { frames, heard: ['binary c328'] }, COMPRESSED);
  });

  it('fails with 1007 at a reference to a message before it, when no context was agreed on', async () =>
    expectEveryWay(
      await deflateTarget(),
      { frames: [HELLO, HELLO_AGAIN], heard: [SAID, ...FAILED] },
      COMPRESSED,
    ));

  it('fails with 1009 at what is too large once inflated, whatever it was before', async () => {
    const server = await echoTarget({ perMessageDeflate: true, maxPayload: 1000 });
    const bomb = deflateAlone(Buffer.alloc(1001, 'a'));
    const fits = deflateAlone(Buffer.alloc(1000, 'a'));
    const frames = [...fragments(0x41, fits), ...fragments(0x41, bomb)];
    const heard = [`text "${'a'.repeat(1000)}"`, 'close 1009 '];
    await expectEveryWay(server, { frames, heard }, COMPRESSED);
  });
});

describe('§7.2.1 kinds of deflate data that a client may send', () => {
  const text = Buffer.from('the quick brown fox jumps over the lazy dog, the lazy dog. '.repeat(9));
  const { Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE, Z_FILTERED, Z_DEFAULT_STRATEGY } = constants;

  it.each([
    ['stored blocks', { level: 0 }],
    ['fixed codes', { strategy: Z_FIXED }],
    ['Huffman codes only', { strategy: Z_HUFFMAN_ONLY }],
    ['runs', { strategy: Z_RLE }],
    ['filtered', { strategy: Z_FILTERED }],
    ['the best', { level: 9, memLevel: 9, strategy: Z_DEFAULT_STRATEGY }],
    ['a window of 9 bits', { windowBits: 9 }],
  ])('takes %s', async (_what, options) => {
    const flushed = deflateRawSync(text, { ...options, finishFlush: constants.Z_SYNC_FLUSH });
    const frames = fragments(0x41, flushed.subarray(0, -4), 100);
    const heard = [`text ${JSON.stringify(text.toString())}`];
    await expectEveryWay(await deflateTarget(), { frames, heard }, COMPRESSED);
  });

  it('takes a stream that was finished, with the byte that §7.2.3.4 puts behind it', async () => {
    const frames = fragments(0x41, Buffer.concat([deflateRawSync(text), hex('00')]));
    const heard = [`text ${JSON.stringify(text.toString())}`];
    await expectEveryWay(await deflateTarget(), { frames, heard }, COMPRESSED);
  });
});

describe('§7.1.1.1 and §7.2.1 the server without a context', () => {
  it.each(['permessage-deflate; server_no_context_takeover', BROWSER])(
    'lets no message refer to one before it: %s',
    async (offer) => {
      const options = offer === BROWSER ? {} : { contextTakeover: true };
      const link = await Link.open(await deflateTarget(options), undefined, offering(offer));
      const message = Buffer.from(randomBytes(2000).toString('hex'));
      for (let i = 0; i < 4; i++) {
        link.peer.write(...fragments(0x1, message));
        const { isCompressed, payload } = await readEcho(link);
        expect(isCompressed).toBe(true);
        expectSameBytes(inflateAlone(payload), message);
      }
      await closeCleanly(link);
    },
  );
});

describe('§7.2.1 the server with a context', () => {
  it('may refer to messages before, which a client with the same context understands', async () => {
    const server = await deflateTarget({ contextTakeover: true });
    const link = await Link.open(server, undefined, offering('permessage-deflate'));
    const expander = new Expander(true, 15);
    const message = Buffer.from(randomBytes(2000).toString('hex'));
    const sizes: number[] = [];
    for (let i = 0; i < 4; i++) {
      link.peer.write(...fragments(0x1, message));
      const { payload } = await readEcho(link);
      sizes.push(payload.length);
      expectSameBytes(await expander.expand(payload), message);
    }
    expect(sizes[1]).toBeLessThan(sizes[0]! / 10);
    expander.close();
    await closeCleanly(link);
  });
});

describe('§7.1.2.1 the window of what the server sends', () => {
  const bits = [9, 10, 11, 12, 13, 14, 15];

  /** The same bytes again where only a larger window would still have them. */
  function farApart(windowBits: number): Buffer {
    const head = randomBytes(200);
    const between = randomBytes(1.25 * 2 ** windowBits - head.length);
    return Buffer.concat([head, between, head, Buffer.alloc(300, 'a')]);
  }

  it.each(bits.slice(0, -1))('would show if it were larger than %i bits', (windowBits) => {
    const tooLarge = deflateAlone(farApart(windowBits), 15);
    expect(() => inflateAlone(tooLarge, windowBits)).toThrow('too far back');
  });

  it.each(bits)('is %i bits when that was agreed on, inside of a message', async (windowBits) => {
    const offer = `permessage-deflate; server_max_window_bits=${windowBits}`;
    const link = await Link.open(await deflateTarget(), undefined, offering(offer));
    for (const size of [windowBits - 1, windowBits, 14]) {
      const message = farApart(size);
      link.peer.write(...fragments(0x2, message));
      const { isCompressed, payload } = await readEcho(link);
      expect(isCompressed).toBe(true);
      expectSameBytes(inflateAlone(payload, windowBits), message);
    }
    await closeCleanly(link);
  });

  it.each(bits)('is %i bits when that was agreed on, across messages', async (windowBits) => {
    const server = await deflateTarget({ contextTakeover: true });
    const offer = `permessage-deflate; server_max_window_bits=${windowBits}`;
    const link = await Link.open(server, undefined, offering(offer));
    const expander = new Expander(true, windowBits);
    const text = Buffer.from(randomBytes(2 ** windowBits).toString('hex'));
    for (const size of [100, 2 ** windowBits, 300, text.length, 100, 400]) {
      link.peer.write(...fragments(0x1, text.subarray(0, size)));
      const { isCompressed, payload } = await readEcho(link);
      const message = isCompressed ? await expander.expand(payload) : payload;
      expectSameBytes(message, text.subarray(0, size));
    }
    expander.close();
    await closeCleanly(link);
  });
});

describe('§7.1.2.2 the window of what the client sends', () => {
  it.each([9, 10, 12, 15])('is kept with %i bits, across messages', async (windowBits) => {
    const server = await deflateTarget({ contextTakeover: true, windowBits });
    const link = await Link.open(server, undefined, offering(BROWSER));
    const { clientTakeover, clientBits } = termsOf(link.head)!;
    expect([clientTakeover, clientBits]).toEqual([true, windowBits]);
    const compressor = new Compressor(true, clientBits);
    const expander = new Expander(true, windowBits);
    const text = Buffer.from(randomBytes(2 ** windowBits).toString('hex'));
    for (const size of [100, 2 ** windowBits, 300, text.length, 100, 7, 400]) {
      const message = text.subarray(0, size);
      link.peer.write(...fragments(0x41, await compressor.compress(message), 1000));
      const { isCompressed, payload } = await readEcho(link);
      expectSameBytes(isCompressed ? await expander.expand(payload) : payload, message);
    }
    compressor.close();
    expander.close();
    await closeCleanly(link);
  });
});
