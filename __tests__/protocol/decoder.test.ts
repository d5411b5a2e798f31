import { Buffer, constants, isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { Decoder, type DecoderLimits } from '../../lib/protocol/decoder';
import { ProtocolError } from '../../lib/protocol/errors';
import { bytesOfText } from '../../lib/protocol/relay';
import { clientFrame, hex, repeat } from '../support/bytes';
import { allocationsOf, sum } from './allocations';
import { anyBytes, lawfulStream, nearUtf8, offsets } from './arbitraries';
import {
  binary,
  closed,
  cut,
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
  rekey,
  text,
} from './every-way';
import { unlikeTheTable } from './frame-starts';

/** The payload zeros that a vector of a declared length needs. */
const zeros = (length: number): string => '00'.repeat(length);

describe('§5.7 examples, as a client sends them', () => {
  it.each([
    ['a text message in one frame', '81 85 37fa213d 7f9f4d5158', [text('Hello')]],
    ['a text message in two frames', '01 83 37fa213d 7f9f4d 80 82 37fa213d 5b95', [text('Hello')]],
    ['a ping', '89 85 37fa213d 7f9f4d5158', [ping('48656c6c6f')]],
    ['a pong', '8a 85 37fa213d 7f9f4d5158', [pong('48656c6c6f')]],
    ['256 bytes of binary data', `82 fe 0100 ${M} ${'ab'.repeat(256)}`, [binary('ab'.repeat(256))]],
    [
      '64 KiB of binary data',
      `82 ff 0000000000010000 ${M} ${'cd'.repeat(65_536)}`,
      [binary('cd'.repeat(65_536))],
    ],
  ])('reads %s', (_name, bytes, heard) => {
    expectEveryWay(hex(bytes), heard);
  });

  it('reads one frame after the other', () => {
    const hello = '81 85 37fa213d 7f9f4d5158';
    expectEveryWay(hex(`${hello} 89 80 37fa213d 82 81 37fa213d 37 ${hello}`), [
      text('Hello'),
      ping(),
      binary('00'),
      text('Hello'),
    ]);
  });
});

describe('§5.2 payload length', () => {
  it.each([0, 1, 125, 126, 127, 65_535, 65_536])('takes a message of %i bytes', (length) => {
    const payload = Buffer.alloc(length, 'é€a');
    expectEveryWay(clientFrame({ first: 0x82, payload }), [binary(payload.toString('hex'))]);
    const ascii = 'x'.repeat(length);
    expectEveryWay(clientFrame({ first: 0x81, payload: ascii }), [text(ascii)]);
  });

  it.each([
    ['82 fe 0000', `82 fe 0000 ${M}`],
    ['82 fe 0001', `82 fe 0001 ${M} 61`],
    ['82 fe 007d', `82 fe 007d ${M} ${zeros(125)}`],
    ['82 ff 0…00', `82 ff 0000000000000000 ${M}`],
    ['82 ff 0…01', `82 ff 0000000000000001 ${M} 61`],
    ['82 ff 0…7d', `82 ff 000000000000007d ${M} ${zeros(125)}`],
    ['82 ff 0…7e', `82 ff 000000000000007e ${M} ${zeros(126)}`],
    ['82 ff 0…ffff', `82 ff 000000000000ffff ${M} ${zeros(65_535)}`],
  ])('L-4 refuses a length that is not in its shortest form: %s', (_name, bytes) => {
    expectEveryWay(hex(bytes), [fault(1002)]);
  });

  it.each([
    ['2^63', '8000000000000000'],
    ['2^64-1', 'ffffffffffffffff'],
    ['2^63-1', '7fffffffffffffff'],
    ['2^53', '0020000000000000'],
    ['2^53-1', '001fffffffffffff'],
    ['2^55+1', '0080000000000001'],
    ['2^32+1, which is 1 when cut to 32 bits', '0000000100000001'],
    ['2^31, which is negative as a signed word', '0000000080000000'],
    ['2^32-1', '00000000ffffffff'],
    ['maxPayload+1', '0000000000100001'],
  ])('L-1 refuses a declared length of %s at the end of the header', (_name, length) => {
    for (const first of ['81', '82', '01', '02']) {
      expectEveryWay(hex(`${first} ff ${length} ${M}`), [fault(1009)]);
      expectEveryWay(hex(`${first} ff ${length} ${M} 616263`), [fault(1009)]);
    }
  });

  it('L-1 asks for no memory by a length that was only declared', () => {
    const allocated = allocationsOf(() => {
      for (let socket = 0; socket < 1000; socket++) {
        const first = socket % 2 === 0 ? '82' : '81';
        expect(decode([hex(`${first} ff 0000000000100000 ${M}`)])).toEqual([]);
      }
    });
    expect(sum(allocated)).toBeLessThan(1 << 20);
  });
});

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

describe('§5.1 masking', () => {
  it.each([
    ['82 01 61'],
    ['81 00'],
    ['88 02 03e8'],
    ['89 00'],
    ['8a 00'],
    ['82 7e 0100'],
    ['82 7f 0000000000010000'],
    [`01 81 ${M} 61 80 01 62`],
  ])('L-5 refuses an unmasked frame: %s', (bytes) => {
    expectEveryWay(hex(bytes), [fault(1002)]);
  });
});

describe('§5.3 masking keys', () => {
  it('starts the key anew with every frame', () => {
    const bytes = hex('01 83 37fa213d 7f9f4d 80 82 a1b2c3d4 cddd');
    expectEveryWay(bytes, [text('Hello')]);
  });

  it('keeps its place in the key over reads of any length', () => {
    const payload = Buffer.from(Array.from({ length: 200 }, (_, i) => (i * 7) & 0xff));
    const frame = clientFrame({ first: 0x82, payload, key: '37fa213d' });
    for (const size of [1, 2, 3, 5, 7, 50, 51, 64]) {
      const at = Array.from({ length: 220 / size }, (_, i) => i * size);
      expect(decode(cut(frame, at))).toEqual([binary(payload.toString('hex'))]);
    }
  });
});

describe('§5.2 reserved bits', () => {
  it.each([
    ['RSV1 on binary, nothing negotiated', `c2 80 ${M}`],
    ['RSV1 on text', `c1 80 ${M}`],
    ['RSV2', `a2 80 ${M}`],
    ['RSV3', `92 80 ${M}`],
    ['all three', `f2 80 ${M}`],
    ['RSV1 on a first fragment', `42 81 ${M} 00`],
    ['RSV1 on a ping', `c9 80 ${M}`],
    ['RSV1 on a pong', `ca 80 ${M}`],
    ['RSV1 on a close', `c8 80 ${M}`],
  ])('L-6 refuses %s', (_name, bytes) => {
    expectEveryWay(hex(bytes), [fault(1002)]);
  });

  it('L-6 refuses a reserved bit on a continuation, and on a control frame in between', () => {
    expectEveryWay(hex(`02 81 ${M} 00 c0 81 ${M} 00`), [fault(1002)]);
    expectEveryWay(hex(`02 81 ${M} 00 40 81 ${M} 00`), [fault(1002)]);
    expectEveryWay(hex(`02 81 ${M} 00 a9 80 ${M}`), [fault(1002)]);
  });

  it('U-6 refuses a compressed text before looking at it', () => {
    expectEveryWay(hex(`c1 87 ${M} f248cdc9c90700`), [fault(1002)]);
    expectEveryWay(hex(`41 83 ${M} f248cd 80 84 ${M} c9c90700`), [fault(1002)]);
  });
});

describe('§5.2 reserved opcodes', () => {
  const reserved = ['83', '84', '85', '86', '87', '8b', '8c', '8d', '8e', '8f', '03', '0b'];

  it.each(reserved)('L-7 refuses %s', (first) => {
    expectEveryWay(hex(`${first} 80 ${M}`), [fault(1002)]);
  });

  it.each(reserved)('L-7 refuses %s in the middle of a fragmented message', (first) => {
    expectEveryWay(hex(`01 81 ${M} 61 ${first} 80 ${M} 80 81 ${M} 62`), [fault(1002)]);
  });
});

describe('§5.2 the first two bytes', () => {
  it.each([
    ['between messages', false, ''],
    ['inside of a message', true, `01 80 ${M}`],
  ])('decide as the RFC says, all 65 536 of them, %s', (_name, inMessage, before) => {
    const opening = hex(before);
    const verdicts = new Set<string>();
    const unlike = unlikeTheTable(inMessage, (first, second) => {
      const heard = decode([Buffer.from(opening), Buffer.from([first, second])]);
      for (const line of heard) verdicts.add(line);
      return heard.length === 0;
    });
    expect(unlike).toEqual([]);
    expect([...verdicts]).toEqual([fault(1002)]);
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

describe('§5.5 control frames', () => {
  it.each([0, 1, 124, 125])('tells a ping, a pong and a close with %i bytes', (length) => {
    const payload = Buffer.alloc(length, 0x5a);
    const digits = payload.toString('hex');
    expectEveryWay(clientFrame({ first: 0x89, payload }), [ping(digits)]);
    expectEveryWay(clientFrame({ first: 0x8a, payload }), [pong(digits)]);
  });

  it.each([
    ['a close that is not final', `08 80 ${M}`],
    ['a ping that is not final', `09 80 ${M}`],
    ['a pong that is not final', `0a 80 ${M}`],
    ['a close that is neither final nor without RSV1', `48 80 ${M}`],
    ['a ping of 126 bytes', `89 fe 007e ${M} ${zeros(126)}`],
    ['a close of 126 bytes', `88 fe 007e ${M}`],
    ['a pong of 126 bytes', `8a fe 007e ${M}`],
    ['a ping of 126 bytes in 64 bits', `89 ff 000000000000007e ${M}`],
    ['a pong of 2^63 bytes', `8a ff 8000000000000000 ${M}`],
  ])('L-8 refuses %s', (_name, bytes) => {
    expectEveryWay(hex(bytes), [fault(1002)]);
    expectEveryWay(hex(bytes).subarray(0, 2), [fault(1002)]);
    expectEveryWay(hex(`01 81 ${M} 61 ${bytes}`), [fault(1002)]);
  });

  it.each([8, 504, 65_000])('may begin %i bytes into a read, and end in the next', (ahead) => {
    const pings = repeat(`89 82 ${M} 6162`, ahead / 8);
    const bytes = Buffer.concat([pings, hex('8a 85 37fa213d 7f9f4d5158')]);
    const heard = [...Array<string>(ahead / 8).fill(ping('6162')), pong('48656c6c6f')];
    for (const at of [7, 8, 10]) expect(decode(cut(bytes, [ahead + at]))).toEqual(heard);
  });

  it('P-3 tells a pong as it is: unsolicited, wrong or doubled', () => {
    const bytes = hex(`8a 80 ${M} 89 81 ${M} 61 8a 81 ${M} 62 8a 81 ${M} 61 8a 81 ${M} 61`);
    expectEveryWay(bytes, [pong(), ping('61'), pong('62'), pong('61'), pong('61')]);
  });
});

describe('§5.5.1 close', () => {
  const withCode = (code: number): Buffer =>
    hex(`88 82 ${M} ${code.toString(16).padStart(4, '0')}`);

  it.each([
    1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
  ])('C-1 tells code %i', (code) => {
    expectEveryWay(withCode(code), [closed(code)]);
  });

  it.each([0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535])(
    'C-1 refuses code %i',
    (code) => {
      expectEveryWay(withCode(code), [fault(1002)]);
    },
  );

  it('C-1 refuses a body of one byte and takes an empty one as "no code"', () => {
    expectEveryWay(hex(`88 81 ${M} 03`), [fault(1002)]);
    expectEveryWay(hex(`88 80 ${M}`), [closed(1005)]);
  });

  it('tells the reason, up to 123 bytes of UTF-8', () => {
    const reason = '€'.repeat(41);
    const payload = Buffer.concat([hex('0fa0'), Buffer.from(reason)]);
    expectEveryWay(clientFrame({ first: 0x88, payload }), [closed(4000, reason)]);
  });

  it('U-5 refuses a reason that is not UTF-8', () => {
    expectEveryWay(hex(`88 83 ${M} 03e8 ce`), [fault(1007)]);
    expectEveryWay(hex(`88 85 ${M} 03e8 eda080`), [fault(1007)]);
  });

  it('C-2 ignores everything behind a close', () => {
    const close = `88 82 ${M} 03e8`;
    expectEveryWay(hex(`${close} 81 81 ${M} 61`), [closed(1000)]);
    expectEveryWay(hex(`${close} ${close}`), [closed(1000)]);
    expectEveryWay(hex(`${close} ff ff ff`), [closed(1000)]);
  });
});

describe('§7.1.7 a fault', () => {
  it('L-12 is told once, and nothing behind it is', () => {
    const bad = Buffer.concat([hex(`81 81 ${M} 61`), repeat(`83 80 ${M}`, 11)]);
    expectEveryWay(Buffer.concat([bad, hex(`81 81 ${M} 62`)]), [text('a'), fault(1002)]);
  });

  it('leaves what was told before it', () => {
    const bytes = hex(`89 81 ${M} 61 82 81 ${M} 01 81 81 ${M} 62 81 81 ${M} ff`);
    expectEveryWay(bytes, [ping('61'), binary('01'), text('b'), fault(1007)]);
  });
});

describe('§8.1 text is UTF-8', () => {
  it.each([
    ['Hello', '48656c6c6f'],
    ['\u03ba\u1f79\u03c3\u03bc\u03b5', 'cebae1bdb9cf83cebcceb5'],
    ['\u0000', '00'],
    ['\u007f\u0080\u07ff\u0800\uffff', '7f c280 dfbf e0a080 efbfbf'],
    ['\ud7ff\ue000\u{10000}\u{10ffff}', 'ed9fbf ee8080 f0908080 f48fbfbf'],
    ['\ufeffa BOM stays', `efbbbf ${Buffer.from('a BOM stays').toString('hex')}`],
    ['a \ufffd that was meant', `6120efbfbd20 ${Buffer.from('that was meant').toString('hex')}`],
  ])('tells %j', (data, digits) => {
    const payload = hex(digits);
    expectEveryWay(clientFrame({ first: 0x81, payload }), [text(data)]);
    for (let at = 0; at <= payload.length; at++) {
      const frames = [
        clientFrame({ first: 0x01, payload: payload.subarray(0, at) }),
        clientFrame({ first: 0x80, payload: payload.subarray(at) }),
      ];
      expectEveryWay(Buffer.concat(frames), [text(data)]);
    }
  });

  const invalid: [string, string][] = [
    ['an over-long NUL', 'c080'],
    ['the over-long lead c1', 'c1bf'],
    ['a surrogate', 'eda080'],
    ['a code point above U+10FFFF', 'f4908080'],
    ['a continuation byte alone', '80'],
    ['a character cut at the end', 'e282'],
    ['f8', 'f8'],
    ['fe', 'fe'],
    ['ff', 'ff'],
    ['an over-long form of three bytes', 'e08080'],
    ['an over-long form of four bytes', 'f0808080'],
    ['a lead byte behind text', '6162c3'],
  ];

  it.each(invalid)('U-1 refuses %s', (_name, digits) => {
    const payload = hex(digits);
    expectEveryWay(clientFrame({ first: 0x81, payload }), [fault(1007)]);
    const two = [
      clientFrame({ first: 0x01, payload }),
      clientFrame({ first: 0x80, payload: hex('') }),
    ];
    expectEveryWay(Buffer.concat(two), [fault(1007)]);
  });

  it.each(invalid)('U-1 refuses %s behind a long text', (_name, digits) => {
    for (const length of [8, 30, 3000]) {
      const payload = Buffer.concat([Buffer.alloc(length, 'a'), hex(digits)]);
      expectEveryWay(clientFrame({ first: 0x81, payload }), [fault(1007)]);
    }
  });

  it('takes any bytes as binary data', () => {
    expectEveryWay(hex(`82 83 ${M} eda080`), [binary('eda080')]);
    expectEveryWay(hex(`02 82 ${M} e282 80 80 ${M}`), [binary('e282')]);
  });

  it('U-2 takes a character over two fragments', () => {
    expectEveryWay(hex(`01 82 ${M} e282 80 81 ${M} ac`), [text('€')]);
  });

  it('U-2 takes a character over four fragments with pings and empty fragments between', () => {
    const between = `89 80 ${M} 00 80 ${M}`;
    const bytes = hex(
      `01 81 ${M} f0 ${between} 00 81 ${M} 9f ${between} 00 81 ${M} 98 ${between} 80 81 ${M} 80`,
    );
    expectEveryWay(bytes, [ping(), ping(), ping(), text('😀')]);
  });

  it('U-3 refuses a character that goes wrong in a later fragment', () => {
    expectEveryWay(hex(`01 81 ${M} e2 80 81 ${M} 28`), [fault(1007)]);
    expectEveryWay(hex(`01 81 ${M} e2 00 80 ${M} 00 81 ${M} 28`), [fault(1007)]);
  });

  it('U-3 does not carry half a character into the next message', () => {
    expectEveryWay(hex(`81 81 ${M} e2 81 82 ${M} 82ac`), [fault(1007)]);
    expectEveryWay(hex(`01 81 ${M} e2 80 80 ${M} 81 82 ${M} 82ac`), [fault(1007)]);
  });

  it('U-4 refuses at the first impossible byte, with the rest of the message outstanding', () => {
    expectEveryWay(hex(`01 82 ${M} f490`), [fault(1007)]);
    expectEveryWay(hex(`81 8a ${M} f490`), [fault(1007)]);
    expectEveryWay(hex(`81 8a ${M} 616162c0`), [fault(1007)]);
    expectEveryWay(hex(`81 8a ${M} 61eda0`), [fault(1007)]);
  });

  it('U-4 waits while the text can still become valid', () => {
    expectEveryWay(hex(`01 82 ${M} f48f`), []);
    expectEveryWay(hex(`81 8a ${M} 61ed9f`), []);
  });
});

describe('floods', () => {
  it('L-11 takes a million empty frames in one read', () => {
    let messages = 0;
    const sink = { ...listener([]), onMessage: () => messages++ };
    new Decoder(LIMITS, sink).push(repeat(`82 80 ${M}`, 1_000_000));
    expect(messages).toBe(1_000_000);
  });

  it('L-11 takes 65 536 fragments in one read', () => {
    const flood = Buffer.concat([
      hex(`02 81 ${M} 61`),
      repeat(`00 81 ${M} 61`, 65_534),
      hex(`80 81 ${M} 61`),
    ]);
    expect(decode([flood])).toEqual([binary('61'.repeat(65_536))]);
  });

  it('counts the frames of a message up to maxFragments', () => {
    const limits = { maxPayload: 100, maxFragments: 4 };
    const message = (frames: number): Buffer =>
      Buffer.concat([
        hex(`01 81 ${M} 61`),
        repeat(`00 81 ${M} 61`, frames - 2),
        hex(`80 81 ${M} 61`),
      ]);
    expectEveryWay(message(4), [text('aaaa')], limits);
    expectEveryWay(message(5), [fault(1008)], limits);
    expectEveryWay(Buffer.concat([message(4), message(4)]), [text('aaaa'), text('aaaa')], limits);
  });

  it('does not count control frames as frames of the message', () => {
    const bytes = Buffer.concat([
      hex(`01 81 ${M} 61`),
      repeat(`8a 80 ${M}`, 10),
      hex(`80 81 ${M} 62`),
    ]);
    const heard = [...Array<string>(10).fill(pong()), text('ab')];
    expectEveryWay(bytes, heard, { maxPayload: 100, maxFragments: 2 });
  });

  it('counts an empty fragment as eight', () => {
    const start = hex(`02 81 ${M} 61`);
    const fragments = (empty: number): Buffer =>
      Buffer.concat([start, repeat(`00 80 ${M}`, empty), hex(`80 81 ${M} 62`)]);
    expectEveryWay(fragments(2), [binary('6162')], { maxPayload: 100, maxFragments: 18 });
    expectEveryWay(fragments(2), [fault(1008)], { maxPayload: 100, maxFragments: 17 });
  });

  it('F-2 ends a message of empty fragments that never ends', () => {
    const endless = Buffer.concat([hex(`02 80 ${M}`), repeat(`00 80 ${M}`, 100_000)]);
    const allocated = allocationsOf(() => {
      expect(decode([endless])).toEqual([fault(1008)]);
    });
    expect(sum(allocated)).toBeLessThan(64 << 10);
  });

  it('F-1 holds at most twice the payload of one-byte fragments', () => {
    const flood = Buffer.concat([hex(`02 81 ${M} 61`), repeat(`00 81 ${M} 61`, 16_000)]);
    const allocated = allocationsOf(() => {
      expect(decode([flood, hex(`80 80 ${M}`)])).toEqual([binary('61'.repeat(16_001))]);
    });
    expect(Math.max(...allocated)).toBeLessThanOrEqual(2 * 16_001 + 4096);
  });

  it('F-3 holds what was received of a long frame, not what was declared', () => {
    const limits = { maxPayload: 200 << 20, maxFragments: 100 };
    const header = hex(`82 ff 0000000006400000 ${M}`);
    const allocated = allocationsOf(() => {
      expect(decode([header, ...Array<Buffer>(4000).fill(hex('61'))], limits)).toEqual([]);
    });
    // The drip itself asks for none of these: Buffer.from is not among what is counted.
    expect(Math.max(...allocated)).toBeGreaterThanOrEqual(4000);
    expect(Math.max(...allocated)).toBeLessThanOrEqual(2 * 4000 + 4096);
  });

  it.each([12, 13, 14, 15, 16, 17])('F-4 works in proportion to 2^%i fragments', (power) => {
    const count = 2 ** power;
    const limits = { maxPayload: 1 << 20, maxFragments: count + 8 };
    const flood = Buffer.concat([hex(`02 81 ${M} 61`), repeat(`00 81 ${M} 61`, count - 1)]);
    const heard: string[] = [];
    const allocated = allocationsOf(() => {
      heard.push(...decode([flood, hex(`80 80 ${M}`)], limits));
    });
    expect(heard).toEqual([binary('61'.repeat(count))]);
    // Each buffer is filled once from the one before: the copied bytes are below this sum.
    expect(sum(allocated)).toBeLessThanOrEqual(4 * count + 4096);
  });

  it('F-6 takes a lawful message of 4 MiB in fragments of 64 bytes', () => {
    const limits = { maxPayload: 16 << 20, maxFragments: 1 << 20 };
    const payload = Buffer.alloc(64, 'abcdefgh');
    const fragment = clientFrame({ first: 0x00, payload, key: '37fa213d' });
    const bytes = Buffer.concat([
      clientFrame({ first: 0x01, payload, key: '37fa213d' }),
      ...Array<Buffer>(65_534).fill(fragment),
      clientFrame({ first: 0x80, payload, key: '37fa213d' }),
    ]);
    const expected = text('abcdefgh'.repeat(1 << 19));
    for (const size of [bytes.length, 65_536, 1000]) {
      const at = Array.from({ length: bytes.length / size }, (_, i) => i * size);
      expect(decode(cut(bytes, at), limits)[0] === expected).toBe(true);
    }
  });
});

describe('F-5 memory that is handed on', () => {
  /** A read of 64 KiB, in memory of its own as a socket gives it. */
  const read = (...frames: Buffer[]): Buffer => {
    const chunk = Buffer.allocUnsafeSlow(65_536);
    const used = Buffer.concat(frames).copy(chunk);
    return chunk.subarray(0, used);
  };

  const payloadsOf = (chunk: Buffer): Buffer[] => {
    const payloads: Buffer[] = [];
    const keep = (payload: Buffer): number => payloads.push(payload);
    new Decoder(LIMITS, { ...listener([]), onMessage: (data) => keep(data as Buffer) }).push(chunk);
    return payloads;
  };

  it('does not let a message of ten bytes pin a read of 64 KiB', () => {
    const chunk = read(clientFrame({ first: 0x82, payload: '0123456789' }));
    const [payload] = payloadsOf(chunk);
    expect(payload).toEqual(Buffer.from('0123456789'));
    expect(payload?.buffer === chunk.buffer).toBe(false);
    expect(payload?.buffer.byteLength).toBeLessThanOrEqual(8192);
  });

  it('hands on a payload that fills a quarter of its read without copying it', () => {
    for (const [length, isInPlace] of [
      [16_384, true],
      [16_383, false],
    ] as const) {
      const chunk = read(clientFrame({ first: 0x82, payload: Buffer.alloc(length, 7) }));
      const [payload] = payloadsOf(chunk);
      expect(payload?.equals(Buffer.alloc(length, 7))).toBe(true);
      expect(payload?.buffer === chunk.buffer).toBe(isInPlace);
    }
  });

  it('holds no read while a message is open, however the reads are filled up', () => {
    const heard: string[] = [];
    const decoder = new Decoder(LIMITS, listener(heard));
    const pongs = repeat(`8a 80 ${M}`, 1000);
    for (let fragment = 0; fragment < 4000; fragment++) {
      const chunk = Buffer.concat([
        hex(`${fragment === 0 ? '02' : '00'} 81 ${M} 61`),
        pongs.subarray(0, 600),
      ]);
      decoder.push(chunk);
      // A piece that was kept as a view would change with the read it lies in.
      chunk.fill(0xff);
    }
    decoder.push(hex(`80 80 ${M}`));
    expect(heard.at(-1)).toBe(binary('61'.repeat(4000)));
    expect(heard).toHaveLength(400_001);
  });

  it('holds no read for half a control frame or half a header', () => {
    const heard: string[] = [];
    const decoder = new Decoder(LIMITS, listener(heard));
    const bytes = hex('89 85 37fa213d 7f9f4d5158');
    for (const chunk of [...cut(bytes, [3, 8]), ...cut(bytes, [1, 9])]) {
      decoder.push(chunk);
      chunk.fill(0xff);
    }
    expect(heard).toEqual([ping('48656c6c6f'), ping('48656c6c6f')]);
  });

  it('asks for none where a frame lies whole in its read', () => {
    const bytes = hex(`89 80 ${M} 8a 82 ${M} 6162 81 83 ${M} 616263 89 80 ${M}`);
    const heard: string[] = [];
    const decoder = new Decoder(LIMITS, listener(heard));
    expect(allocationsOf(() => decoder.push(bytes))).toEqual([]);
    expect(heard).toEqual([ping(), pong('6162'), text('abc'), ping()]);
  });

  it('asks for none when it is halted at the end of a read', () => {
    const decoder: Decoder = new Decoder(LIMITS, {
      ...listener([]),
      onPing: () => decoder.halt(),
    });
    const pushes = [hex(`89 80 ${M}`), hex(`81 81 ${M} 62`)];
    expect(allocationsOf(() => pushes.forEach((chunk) => decoder.push(chunk)))).toEqual([]);
  });

  it('does not let a short rest pin its read while halted', () => {
    const heard: string[] = [];
    const decoder: Decoder = new Decoder(LIMITS, {
      ...listener(heard),
      onPing: () => decoder.halt(),
    });
    const chunk = read(hex(`89 80 ${M} 81 81 ${M} 62`));
    decoder.push(chunk);
    chunk.fill(0xff);
    decoder.resume();
    expect(heard).toEqual([text('b')]);
  });
});

describe('halting', () => {
  /** Halts at each event. */
  const halting = (limits = LIMITS): { heard: string[]; decoder: Decoder } => {
    const heard: string[] = [];
    const inner = listener(heard);
    const decoder: Decoder = new Decoder(limits, {
      ...inner,
      onMessage: (data, isBinary) => (inner.onMessage(data, isBinary), decoder.halt()),
      onPing: (payload) => (inner.onPing(payload), decoder.halt()),
      onPong: (payload) => (inner.onPong(payload), decoder.halt()),
      onClose: (close) => (inner.onClose(close), decoder.halt()),
    });
    return { heard, decoder };
  };

  const three = `81 81 ${M} 61 81 81 ${M} 62 89 80 ${M}`;

  it('tells nothing more until it is resumed', () => {
    const { heard, decoder } = halting();
    decoder.push(hex(three));
    expect(heard).toEqual([text('a')]);
    decoder.resume();
    expect(heard).toEqual([text('a'), text('b')]);
    decoder.resume();
    expect(heard).toEqual([text('a'), text('b'), ping()]);
    decoder.resume();
    expect(heard).toHaveLength(3);
  });

  it('keeps what is pushed meanwhile, in order', () => {
    const { heard, decoder } = halting();
    for (const chunk of cut(hex(three), [7, 9, 14, 16])) decoder.push(chunk);
    expect(heard).toEqual([text('a')]);
    decoder.resume();
    decoder.push(hex(`81 81 ${M} 63`));
    decoder.resume();
    decoder.resume();
    expect(heard).toEqual([text('a'), text('b'), ping(), text('c')]);
  });

  it('finds a fault only when it gets there', () => {
    const { heard, decoder } = halting();
    decoder.push(hex(`81 81 ${M} 61 83 80 ${M}`));
    expect(heard).toEqual([text('a')]);
    expect(() => decoder.resume()).toThrow(ProtocolError);
  });

  it('loses nothing when it is halted within a frame', () => {
    const heard: string[] = [];
    const decoder = new Decoder(LIMITS, listener(heard));
    const [start, middle, end] = cut(hex('81 85 37fa213d 7f9f4d5158'), [3, 8]);
    decoder.push(start!);
    decoder.halt();
    decoder.push(middle!);
    decoder.resume();
    decoder.halt();
    decoder.push(end!);
    expect(heard).toEqual([]);
    decoder.resume();
    expect(heard).toEqual([text('Hello')]);
  });

  it('goes straight on when it is resumed within the event', () => {
    const heard: string[] = [];
    const inner = listener(heard);
    const decoder: Decoder = new Decoder(LIMITS, {
      ...inner,
      onMessage: (data, isBinary) => {
        inner.onMessage(data, isBinary);
        decoder.halt();
        decoder.resume();
      },
    });
    decoder.push(hex(three));
    expect(heard).toEqual([text('a'), text('b'), ping()]);
  });

  it('is no matter to a decoder that runs', () => {
    const heard: string[] = [];
    const decoder = new Decoder(LIMITS, listener(heard));
    decoder.resume();
    decoder.push(hex(three));
    decoder.resume();
    expect(heard).toEqual([text('a'), text('b'), ping()]);
  });

  it('tells the same events in the same order wherever it is halted', () => {
    fc.assert(
      fc.property(anyBytes, offsets(400), (stream, at) => {
        const { heard, decoder } = halting({ maxPayload: 200, maxFragments: 40 });
        try {
          for (const chunk of cut(stream, at)) decoder.push(chunk);
          for (let before = -1; before < heard.length; decoder.resume()) before = heard.length;
        } catch (error) {
          heard.push(faultOf(error));
        }
        const expected = decode(cut(stream, []), { maxPayload: 200, maxFragments: 40 });
        expect(heard).toEqual(expected);
      }),
    );
  });
});

describe('§1.4 after the close', () => {
  it('ignores what is pushed after finish()', () => {
    const heard: string[] = [];
    const decoder = new Decoder(LIMITS, listener(heard));
    decoder.finish();
    decoder.push(hex(`81 81 ${M} 61 83 80 ${M}`));
    expect(heard).toEqual([]);
  });

  it('ignores the rest of a read when it is finished within an event', () => {
    const heard: string[] = [];
    const decoder: Decoder = new Decoder(LIMITS, {
      ...listener(heard),
      onPing: () => decoder.finish(),
    });
    decoder.push(hex(`81 81 ${M} 61 89 80 ${M} 81 81 ${M} 62 ff ff`));
    expect(heard).toEqual([text('a')]);
  });

  it('forgets what was kept, and a message that was open', () => {
    const heard: string[] = [];
    const decoder: Decoder = new Decoder(LIMITS, {
      ...listener(heard),
      onPing: () => decoder.halt(),
    });
    decoder.push(hex(`01 81 ${M} 61 89 80 ${M} 80 81 ${M} 62`));
    decoder.finish();
    decoder.halt();
    decoder.resume();
    decoder.push(hex(`80 81 ${M} 62`));
    expect(heard).toEqual([]);
  });

  it('keeps nothing of what comes after, also when it was halted', () => {
    const flood = (stop: (decoder: Decoder) => void): number[] => {
      const decoder: Decoder = new Decoder(LIMITS, {
        ...listener([]),
        onPing: () => stop(decoder),
      });
      const chunk = hex(`89 80 ${M} 81 81 ${M} 62`);
      return allocationsOf(() => {
        for (let push = 0; push < 100; push++) decoder.push(chunk);
      });
    };
    const halted = flood((decoder) => decoder.halt());
    expect(sum(halted)).toBeGreaterThan(0);
    expect(flood((decoder) => decoder.finish())).toEqual([]);
    expect(flood((decoder) => (decoder.halt(), decoder.finish()))).toEqual([]);
  });

  it('copies nothing of a read that has more behind a close', () => {
    const decoder = new Decoder(LIMITS, listener([]));
    const chunk = Buffer.allocUnsafeSlow(65_536);
    const used = hex(`88 82 ${M} 03e8 81 81 ${M} 62`).copy(chunk);
    const copies = jest.spyOn(Buffer, 'from');
    decoder.push(chunk.subarray(0, used));
    const { length } = copies.mock.calls;
    copies.mockRestore();
    expect(length).toBe(0);
  });

  it('forgets what it kept while it was halted', () => {
    const decoder = new Decoder(LIMITS, listener([]));
    decoder.halt();
    decoder.push(hex(`81 81 ${M} 62`));
    decoder.finish();
    expect(allocationsOf(() => decoder.push(hex(`81 81 ${M} 62`)))).toEqual([]);
  });

  it('forgets half a control frame', () => {
    const heard: string[] = [];
    const decoder = new Decoder(LIMITS, listener(heard));
    decoder.push(hex(`89 82 ${M} 61`));
    decoder.finish();
    decoder.push(hex('62'));
    expect(heard).toEqual([]);
  });
});

describe('laws', () => {
  const limits: DecoderLimits = { maxPayload: 300, maxFragments: 60 };

  it('hears what a lawful client said', () => {
    fc.assert(
      fc.property(lawfulStream, ({ bytes, heard }) => {
        expect(decode(cut(bytes, []))).toEqual(heard);
      }),
    );
  });

  it('hears the same however the bytes are cut', () => {
    fc.assert(
      fc.property(anyBytes, offsets(600), (bytes, at) => {
        const whole = decode(cut(bytes, []), limits);
        expect(decode(cut(bytes, at), limits)).toEqual(whole);
        expect(decode(drip(bytes), limits)).toEqual(whole);
      }),
      { numRuns: 300 },
    );
  });

  it('hears the same under any masking key', () => {
    fc.assert(
      fc.property(lawfulStream, fc.uint8Array({ minLength: 4, maxLength: 4 }), (stream, key) => {
        const other = rekey(stream.bytes, Buffer.from(key));
        expect(decode([other])).toEqual(stream.heard);
      }),
    );
  });

  it('makes of any bytes events or a ProtocolError, and never another throw', () => {
    const faults = [fault(1002), fault(1007), fault(1008), fault(1009)];
    fc.assert(
      fc.property(fc.oneof(anyBytes, fc.uint8Array({ maxLength: 200 })), (bytes) => {
        const heard = decode([Buffer.from(bytes)], limits);
        const found = heard.filter((line) => line.startsWith('fault'));
        expect(found.length).toBeLessThanOrEqual(1);
        for (const each of found) expect(faults).toContain(each);
      }),
      { numRuns: 300 },
    );
  });

  it('U-7 agrees with buffer.isUtf8 on any text, cut into any fragments and reads', () => {
    fc.assert(
      fc.property(nearUtf8, offsets(40), offsets(80), (payload, fragments, at) => {
        const parts = cut(payload, fragments);
        const frames = parts.map((part, i) => {
          const fin = i === parts.length - 1 ? 0x80 : 0;
          return clientFrame({ first: fin | (i === 0 ? 1 : 0), payload: part, key: '37fa213d' });
        });
        const expected = isUtf8(payload) ? text(payload.toString()) : fault(1007);
        expect(decode(cut(Buffer.concat(frames), at))).toEqual([expected]);
      }),
      { numRuns: 300 },
    );
  });
});

describe('a push from inside of the sink', () => {
  /** Pushes these, one by one, from inside of the first ping. */
  const nesting = (
    inside: readonly string[],
    before: (decoder: Decoder) => void = () => undefined,
  ): { heard: string[]; decoder: Decoder } => {
    const heard: string[] = [];
    const inner = listener(heard);
    const left = [...inside];
    const decoder: Decoder = new Decoder(LIMITS, {
      ...inner,
      onPing: (payload) => {
        inner.onPing(payload);
        before(decoder);
        for (const bytes of left.splice(0)) decoder.push(hex(bytes));
      },
    });
    return { heard, decoder };
  };

  const around = `81 81 ${M} 61 89 80 ${M} 81 81 ${M} 62`;

  it('comes after the rest of the read, in order', () => {
    const { heard, decoder } = nesting([`81 81 ${M} 63`, `81 81 ${M} 64 81`, `81 ${M} 65`]);
    decoder.push(hex(around));
    expect(heard).toEqual([text('a'), ping(), text('b'), text('c'), text('d'), text('e')]);
    decoder.push(hex(`81 81 ${M} 66`));
    expect(heard.at(-1)).toBe(text('f'));
  });

  it('may lead to another one', () => {
    const heard: string[] = [];
    const inner = listener(heard);
    const next = ['63', '64', '65'];
    const decoder: Decoder = new Decoder(LIMITS, {
      ...inner,
      onMessage: (data, isBinary) => {
        inner.onMessage(data, isBinary);
        const payload = next.shift();
        if (payload !== undefined) decoder.push(hex(`81 81 ${M} ${payload}`));
      },
    });
    decoder.push(hex(`81 81 ${M} 61 81 81 ${M} 62`));
    expect(heard).toEqual(['a', 'b', 'c', 'd', 'e'].map(text));
  });

  it('is kept behind the rest of the read when the sink halts', () => {
    const { heard, decoder } = nesting([`81 81 ${M} 63`, `81 81 ${M} 64`], (it) => it.halt());
    decoder.push(hex(around));
    decoder.push(hex(`81 81 ${M} 65`));
    expect(heard).toEqual([text('a'), ping()]);
    decoder.resume();
    expect(heard).toEqual([text('a'), ping(), text('b'), text('c'), text('d'), text('e')]);
  });

  it('goes on when the sink resumes what it has halted', () => {
    const { heard, decoder } = nesting([`81 81 ${M} 63`], (it) => (it.halt(), it.resume()));
    decoder.push(hex(around));
    expect(heard).toEqual([text('a'), ping(), text('b'), text('c')]);
  });

  it('is a fault of the read that it came in', () => {
    const { heard, decoder } = nesting([`83 80 ${M}`]);
    expect(() => decoder.push(hex(around))).toThrow(ProtocolError);
    expect(heard).toEqual([text('a'), ping(), text('b')]);
  });

  it('is ignored, and not kept, once the sink has finished it (§1.4)', () => {
    const inside = [`81 81 ${M} 63`, `81 81 ${M} 64`];
    const open = nesting(inside);
    expect(sum(allocationsOf(() => open.decoder.push(hex(around))))).toBeGreaterThan(0);
    const finished = nesting(inside, (it) => it.finish());
    expect(allocationsOf(() => finished.decoder.push(hex(around)))).toEqual([]);
    expect(finished.heard).toEqual([text('a'), ping()]);
  });
});

it('says whether it was halted', () => {
  const decoder = new Decoder(LIMITS, listener([]));
  expect(decoder.isHalted).toBe(false);
  decoder.halt();
  expect(decoder.isHalted).toBe(true);
  decoder.resume();
  expect(decoder.isHalted).toBe(false);
  decoder.halt();
  decoder.finish();
  expect(decoder.isHalted).toBe(false);
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

describe('the credit of frames', () => {
  const four = `81 81 ${M} 61 01 81 ${M} 62 89 80 ${M} 80 81 ${M} 63`;

  it.each([
    [1, ['spent', text('a')], [ping(), text('bc')]],
    [2, [text('a'), 'spent'], [ping(), text('bc')]],
    [3, [text('a'), 'spent', ping()], [text('bc')]],
    [4, [text('a'), ping(), 'spent', text('bc')], []],
    [5, [text('a'), ping(), text('bc')], []],
  ])('of %i halts behind the last of them, fragments and pings counted', (frames, first, rest) => {
    const heard: string[] = [];
    const decoder = new Decoder(LIMITS, listener(heard));
    decoder.credit = frames;
    decoder.push(hex(four));
    expect([decoder.isHalted, heard]).toEqual([frames < 5, first]);
    decoder.credit = Infinity;
    decoder.resume();
    expect(heard).toEqual([...first, ...rest]);
  });
});

describe('§8.1 a long text that is passed on', () => {
  const said = 'Grüße. '.repeat(2048);
  const bytes = clientFrame({ first: 0x81, payload: said });

  /** Whether it is encoded for each who passes it on, or all get the same bytes. */
  function passedOn(): 'encoded' | 'as it came' {
    const [one, another] = [bytesOfText(said), bytesOfText(said)];
    expect([one.toString(), another.toString()]).toEqual([said, said]);
    // Node 26 takes both from one pool.
    const isSame = one.buffer === another.buffer && one.byteOffset === another.byteOffset;
    return isSame ? 'as it came' : 'encoded';
  }

  it.each([
    ['whole', [bytes]],
    ['cut by reads', cut(bytes, [3, 5000])],
  ])('is not encoded again while it is told of, when it came %s', (_name, pieces) => {
    let inside = '';
    const onMessage = (): void => {
      inside = passedOn();
    };
    const decoder = new Decoder(LIMITS, { ...listener([]), onMessage });
    for (const piece of pieces) decoder.push(Buffer.from(piece));
    expect([inside, passedOn()]).toEqual(['as it came', 'encoded']);
  });
});
