import { Buffer } from 'node:buffer';
import { clientFrame, hex } from '../../support/bytes';
import { allocationsOf, sum } from '../allocations';
import {
  binary,
  cut,
  decode,
  expectEveryWay,
  fault,
  M,
  ping,
  pong,
  text,
  zeros,
} from '../every-way';
import { unlikeTheTable } from '../frame-starts';

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
