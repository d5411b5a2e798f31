import { Buffer, constants } from 'node:buffer';
import { Decoder, type DecoderLimits } from '../../../lib/protocol/decoder';
import { clientFrame, hex } from '../../support/bytes';
import {
  binary,
  closed,
  decode,
  drip,
  expectEveryWay,
  fault,
  faultOf,
  LIMITS,
  listener,
  M,
  ping,
  pong,
  text,
  zeros,
} from '../every-way';

describe('§10.4 the limit on a message', () => {
  const limits: DecoderLimits = { maxPayload: 300, maxFragments: 100 };
  const whole = (length: number): Buffer =>
    clientFrame({ first: 0x82, payload: Buffer.alloc(length) });
  const halves = (first: number, second: number): Buffer =>
    Buffer.concat([
      clientFrame({ first: 0x02, payload: Buffer.alloc(first) }),
      clientFrame({ first: 0x80, payload: Buffer.alloc(second) }),
    ]);

  it('takes a message of exactly maxPayload', () => {
    expectEveryWay(whole(300), [binary(zeros(300))], limits);
    expectEveryWay(halves(150, 150), [binary(zeros(300))], limits);
    expectEveryWay(halves(300, 0), [binary(zeros(300))], limits);
    expectEveryWay(halves(0, 300), [binary(zeros(300))], limits);
  });

  it('refuses one byte more, whole or in fragments', () => {
    expectEveryWay(whole(301), [fault(1009)], limits);
    expectEveryWay(halves(150, 151), [fault(1009)], limits);
    expectEveryWay(halves(300, 1), [fault(1009)], limits);
    expectEveryWay(halves(0, 301), [fault(1009)], limits);
  });

  it('counts each message for itself', () => {
    const two = Buffer.concat([halves(150, 150), whole(300)]);
    expectEveryWay(two, [binary(zeros(300)), binary(zeros(300))], limits);
  });

  it('does not count control frames in a message', () => {
    const bytes = hex(`02 81 ${M} 61 89 82 ${M} 6262 80 81 ${M} 63`);
    expectEveryWay(bytes, [ping('6262'), binary('6163')], { maxPayload: 2, maxFragments: 2 });
  });

  it('takes only empty messages when maxPayload is 0', () => {
    const none: DecoderLimits = { maxPayload: 0, maxFragments: 100 };
    expectEveryWay(hex(`81 80 ${M} 02 80 ${M} 80 80 ${M}`), [text(''), binary()], none);
    expectEveryWay(hex(`81 81 ${M} 61`), [fault(1009)], none);
  });

  it('L-2 refuses two fragments of maxPayload/2+1 at the second header', () => {
    const first = clientFrame({ first: 0x02, payload: Buffer.alloc(151) });
    expectEveryWay(Buffer.concat([first, hex(`80 fe 0097 ${M}`)]), [fault(1009)], limits);
  });

  it('L-2 refuses many small fragments as soon as their sum is above the limit', () => {
    const fragment = hex(`00 fe 0400 ${M} ${zeros(1024)}`);
    const start = hex(`02 fe 0400 ${M} ${zeros(1024)}`);
    const full = Buffer.concat([start, ...Array<Buffer>(1023).fill(fragment)]);
    expect(decode([full, hex(`80 80 ${M}`)])).toEqual([binary(zeros(1 << 20))]);
    expect(decode([full, hex(`80 81 ${M}`)])).toEqual([fault(1009)]);
  });

  it.each(['7fffffffffffffff', '001fffffffffffff', '00000000ffffffff', 'ffffffffffffffff'])(
    'L-2 is not deceived by a sum that overflows: 1 + %s',
    (length) => {
      expectEveryWay(hex(`02 81 ${M} 61 00 ff ${length} ${M}`), [fault(1009)]);
      expectEveryWay(hex(`01 81 ${M} 61 80 ff ${length} ${M} 6262`), [fault(1009)]);
    },
  );

  it('L-10 gives the same verdict when the payload dribbles in behind its header', () => {
    const header = hex(`82 fe 012d ${M}`);
    expect(decode([header, ...drip(Buffer.alloc(301))], limits)).toEqual([fault(1009)]);
    const lawful = hex(`82 fe 012c ${M}`);
    const heard = decode([lawful, ...drip(Buffer.alloc(300))], limits);
    expect(heard).toEqual([binary(zeros(300))]);
  });

  describe('L-13 with a maxPayload above what a string can hold', () => {
    const huge: DecoderLimits = { maxPayload: 2 ** 52, maxFragments: 100 };
    const length = (bytes: number): string => bytes.toString(16).padStart(16, '0');
    const longest = constants.MAX_STRING_LENGTH;

    it('refuses text that no string can hold, by its header', () => {
      expectEveryWay(hex(`81 ff ${length(longest + 1)} ${M}`), [fault(1009)], huge);
      expectEveryWay(hex(`01 ff ${length(longest + 1)} ${M}`), [fault(1009)], huge);
    });

    it('refuses a fragment that takes the text above it', () => {
      const start = `01 81 ${M} 61`;
      expectEveryWay(hex(`${start} 80 ff ${length(longest)} ${M}`), [fault(1009)], huge);
      expectEveryWay(hex(`${start} 80 ff ${length(longest - 1)} ${M}`), [], huge);
    });

    it('waits for text that fits and for binary data above it', () => {
      expectEveryWay(hex(`81 ff ${length(longest)} ${M}`), [], huge);
      expectEveryWay(hex(`82 ff ${length(longest + 1)} ${M}`), [], huge);
    });

    it('refuses binary data that no buffer can hold', () => {
      const tooLong = Math.min(constants.MAX_LENGTH + 1, 2 ** 52 + 1);
      expectEveryWay(hex(`82 ff ${length(tooLong)} ${M}`), [fault(1009)], huge);
    });
  });
});

describe('§5.4 fragmentation', () => {
  it('L-9 lets a ping come between two fragments, and tells it first', () => {
    const bytes = hex(`01 81 ${M} 61 89 80 ${M} 80 81 ${M} 62`);
    expectEveryWay(bytes, [ping(), text('ab')]);
  });

  it('lets several control frames with payload come between fragments', () => {
    const bytes = hex(
      `02 82 ${M} 0102 89 83 ${M} aabbcc 8a 81 ${M} dd 00 81 ${M} 03 89 80 ${M} 80 81 ${M} 04`,
    );
    expectEveryWay(bytes, [ping('aabbcc'), pong('dd'), ping(), binary('01020304')]);
  });

  it('obeys a close between two fragments', () => {
    const bytes = hex(`01 81 ${M} 61 88 82 ${M} 03e8 80 81 ${M} 62`);
    expectEveryWay(bytes, [closed(1000)]);
  });

  it('takes empty fragments', () => {
    expectEveryWay(hex(`01 80 ${M} 80 80 ${M}`), [text('')]);
    expectEveryWay(hex(`02 80 ${M} 00 80 ${M} 80 80 ${M}`), [binary()]);
    expectEveryWay(hex(`01 80 ${M} 00 81 ${M} 61 00 80 ${M} 80 80 ${M}`), [text('a')]);
  });

  it.each([
    ['a final continuation without a message', `80 81 ${M} 61`],
    ['a continuation without a message', `00 81 ${M} 61`],
    ['a whole text inside of a message', `01 81 ${M} 61 81 81 ${M} 62`],
    ['a whole binary inside of a message', `01 81 ${M} 61 82 81 ${M} 62`],
    ['a second beginning', `01 81 ${M} 61 02 81 ${M} 62`],
    ['a second beginning of the same kind', `01 81 ${M} 61 01 81 ${M} 62`],
    ['the same after an empty first fragment', `01 80 ${M} 81 81 ${M} 62`],
  ])('L-9 refuses %s', (_name, bytes) => {
    expectEveryWay(hex(bytes), [fault(1002)]);
  });

  it('L-9 refuses a continuation after the message has ended', () => {
    const ended = `01 81 ${M} 61 80 81 ${M} 62`;
    expectEveryWay(hex(`${ended} 80 81 ${M} 63`), [text('ab'), fault(1002)]);
    expectEveryWay(hex(`81 81 ${M} 61 80 80 ${M}`), [text('a'), fault(1002)]);
  });
});

describe('RFC 7692 §6 compressed messages', () => {
  it('are not expected unless it is told so', () => {
    expect(new Decoder(LIMITS, listener([])).mayDeflate).toBe(false);
    expect(new Decoder(LIMITS, listener([]), { mayDeflate: true }).mayDeflate).toBe(true);
  });

  /** What is heard where permessage-deflate was agreed on, whole and byte by byte. */
  function deflating(frames: string, limits = LIMITS): string[] {
    const heard = [[Buffer.from(hex(frames))], drip(hex(frames))].map((chunks) => {
      const lines: string[] = [];
      const decoder = new Decoder(limits, listener(lines), { mayDeflate: true });
      try {
        for (const chunk of chunks) decoder.push(chunk);
      } catch (error) {
        lines.push(faultOf(error));
      }
      return lines;
    });
    expect(heard[1]).toEqual(heard[0]);
    return heard[0]!;
  }

  it.each([
    ['in one frame', `c1 87 ${M} f248cdc9c90700`, ['compressed text f248cdc9c90700']],
    ['binary', `c2 87 ${M} f248cdc9c90700`, ['compressed binary f248cdc9c90700']],
    ['empty', `c1 80 ${M}`, ['compressed text ']],
    [
      'in fragments, with a ping between',
      `41 83 ${M} f248cd 89 80 ${M} 80 84 ${M} c9c90700`,
      [ping(), 'compressed text f248cdc9c90700'],
    ],
    [
      'between others',
      `81 81 ${M} 61 c2 81 ${M} 00 01 81 ${M} 62 80 81 ${M} 63`,
      [text('a'), 'compressed binary 00', text('bc')],
    ],
    ['that are no UTF-8 as they are', `c1 82 ${M} c080`, ['compressed text c080']],
  ])('are passed on as they came: %s', (_name, frames, expected) => {
    expect(deflating(frames)).toEqual(expected);
  });

  it.each([
    ['RSV1 on a continuation', `41 81 ${M} 00 c0 80 ${M}`],
    ['RSV1 on a ping', `c9 80 ${M}`],
    ['RSV1 on a close', `c8 80 ${M}`],
    ['RSV2', `a1 80 ${M}`],
    ['RSV1 and RSV3', `d1 80 ${M}`],
  ])('L-6 have RSV1 on their first frame and nowhere else: %s', (_name, frames) => {
    expect(deflating(frames)).toEqual([fault(1002)]);
  });

  it('may be a little larger than maxPayload, which counts what is inflated', () => {
    // 1000 bytes stored, and a sixty-fourth and 64 bytes for the headers of blocks.
    const limits = { ...LIMITS, maxPayload: 1000 };
    const whole = (length: number): string =>
      `c2 fe ${length.toString(16).padStart(4, '0')} ${M} ${'00'.repeat(length)}`;
    expect(deflating(whole(1080), limits)).toEqual([`compressed binary ${'00'.repeat(1080)}`]);
    expect(deflating(whole(1081), limits)).toEqual([fault(1009)]);
    const rest = (length: number): string =>
      `42 81 ${M} 00 80 fe ${length.toString(16).padStart(4, '0')} ${M}`;
    expect(deflating(rest(1080), limits)).toEqual([fault(1009)]);
    expect(deflating(rest(1079), limits)).toEqual([]);
  });
});
