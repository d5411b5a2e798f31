import { Buffer, constants } from 'node:buffer';
import fc from 'fast-check';
import { ProtocolError } from '../../lib/protocol/errors';
import {
  checkCompressedSize,
  checkFrameStart,
  checkMessageSize,
  clientHeaderSize,
  decodeLength,
  decodeMask,
  encodeHeader,
  FIN,
  MAX_CLIENT_HEADER,
  MAX_SERVER_HEADER,
  opcodeOf,
  serverHeaderSize,
} from '../../lib/protocol/frame';
import { hex } from '../support/bytes';
import { unlikeTheTable } from './frame-starts';

/** The close code that this ends in, undefined when it does not throw. */
function faultOf(run: () => unknown): number | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof ProtocolError) return error.closeCode;
    throw error;
  }
}

describe('§5.2 the first two bytes', () => {
  it.each([
    ['between messages', false],
    ['inside of a message', true],
  ])('are accepted as the RFC says, all 65 536 of them, %s', (_name, inMessage) => {
    const codes = new Set<number | undefined>();
    const unlike = unlikeTheTable(inMessage, (first, second) => {
      const code = faultOf(() => checkFrameStart(first, second, { inMessage, mayDeflate: false }));
      codes.add(code);
      return code === undefined;
    });
    expect(unlike).toEqual([]);
    expect(codes).toEqual(new Set([undefined, 1002]));
  });

  it.each([
    ['a reserved bit', 'c1', '80', false, '§5.2'],
    ['a reserved opcode', '83', '80', false, '0x3'],
    ['a missing mask', '81', '00', false, '§5.1'],
    ['a fragmented control frame', '09', '80', false, '§5.5'],
    ['a long control frame', '89', 'fe', false, '125'],
    ['a stray continuation', '80', '80', false, '§5.4'],
    ['a message in a message', '81', '80', true, '§5.4'],
  ])('name in the fault what was wrong: %s', (_name, first, second, inMessage, words) => {
    const context = { inMessage, mayDeflate: false };
    const start = (): void => checkFrameStart(hex(first)[0]!, hex(second)[0]!, context);
    expect(start).toThrow(words);
  });

  it('tell the opcode and whether the frame is the last of its message', () => {
    expect([0x00, 0x81, 0x82, 0x88, 0x89, 0x8a].map(opcodeOf)).toEqual([0, 1, 2, 8, 9, 10]);
    expect([0x81 & FIN, 0x01 & FIN]).toEqual([0x80, 0]);
  });
});

describe('§5.2 the header of a client', () => {
  it.each([
    ['80', 6],
    ['fd', 6],
    ['fe', 8],
    ['ff', 14],
  ])('has, with a second byte of %s, %i bytes', (second, size) => {
    expect(clientHeaderSize(hex(second)[0]!)).toBe(size);
    expect(size).toBeLessThanOrEqual(MAX_CLIENT_HEADER);
  });

  it.each([
    ['82 80', 0],
    ['82 fd', 125],
    ['82 fe 007e', 126],
    ['82 fe 0100', 256],
    ['82 fe ffff', 65_535],
    ['82 ff 0000000000010000', 65_536],
    ['82 ff 0000000080000000', 2 ** 31],
    ['82 ff 00000000ffffffff', 2 ** 32 - 1],
    ['82 ff 0000000100000000', 2 ** 32],
    ['82 ff 0000000100000001', 2 ** 32 + 1],
    ['82 ff 001fffffffffffff', 2 ** 53 - 1],
  ])('says in %s a length of %i', (bytes, length) => {
    expect(decodeLength(hex(bytes), 0)).toBe(length);
    expect(decodeLength(hex(`ffffff ${bytes}`), 3)).toBe(length);
  });

  it.each([
    '82 fe 0000',
    '82 fe 0001',
    '82 fe 007d',
    '82 ff 0000000000000000',
    '82 ff 0000000000000001',
    '82 ff 000000000000007e',
    '82 ff 000000000000ffff',
  ])('L-4 is refused when the length is not in its shortest form: %s', (bytes) => {
    expect(faultOf(() => decodeLength(hex(bytes), 0))).toBe(1002);
  });

  it.each([
    '82 ff 0020000000000000',
    '82 ff 0080000000000001',
    '82 ff 7fffffffffffffff',
    '82 ff 8000000000000000',
    '82 ff ffffffffffffffff',
  ])('L-1 is refused from 2^53 bytes on: %s', (bytes) => {
    expect(faultOf(() => decodeLength(hex(bytes), 0))).toBe(1009);
  });

  it.each([
    ['81 85 37fa213d', '37fa213d'],
    ['82 fe 0100 ff00807f', 'ff00807f'],
    ['82 ff 0000000000010000 00000001', '00000001'],
  ])('carries its masking key last: %s', (bytes, key) => {
    const header = hex(bytes);
    expect(decodeMask(header, header.length) >>> 0).toBe(hex(key).readUInt32BE());
  });
});

describe('§10.4 the size of a message', () => {
  it.each([
    [0, 0],
    [125, 126],
    [65_536, 65_536],
    [2 ** 20, 2 ** 20],
  ])('may be %i under a limit of %i', (size, limit) => {
    expect(faultOf(() => checkMessageSize(size, limit, true))).toBeUndefined();
    expect(faultOf(() => checkMessageSize(size, limit, false))).toBeUndefined();
  });

  it.each([
    [1, 0],
    [127, 126],
    [65_537, 65_536],
    [2 ** 53, 2 ** 20],
  ])('may not be %i under a limit of %i, and the fault names both', (size, limit) => {
    expect(faultOf(() => checkMessageSize(size, limit, true))).toBe(1009);
    const check = (): void => checkMessageSize(size, limit, false);
    expect(check).toThrow(new RegExp(`${size}.*${limit}`));
  });

  it('L-13 stays below the longest string for text, whatever the limit', () => {
    const longest = constants.MAX_STRING_LENGTH;
    expect(faultOf(() => checkMessageSize(longest, Infinity, true))).toBeUndefined();
    expect(faultOf(() => checkMessageSize(longest + 1, Infinity, true))).toBe(1009);
    expect(faultOf(() => checkMessageSize(longest + 1, Infinity, false))).toBeUndefined();
  });

  it('L-13 stays below the longest buffer for binary data, whatever the limit', () => {
    const longest = constants.MAX_LENGTH;
    expect(faultOf(() => checkMessageSize(longest, Infinity, false))).toBeUndefined();
    expect(faultOf(() => checkMessageSize(longest + 1, Infinity, false))).toBe(1009);
  });
});

describe('RFC 7692 §6.1 RSV1', () => {
  it.each([
    ['between messages', false, ['41', 'c1', '42', 'c2']],
    ['inside of a message', true, []],
  ])('may be on the first frame of a message, %s', (_name, inMessage, starts) => {
    const context = { inMessage, mayDeflate: true };
    const accepted: string[] = [];
    const unlike = unlikeTheTable(inMessage, (first, second) => {
      const code = faultOf(() => checkFrameStart(first, second, context));
      if ((first & 0x70) === 0) return code === undefined;
      if (code === undefined && second === 0x80) accepted.push(first.toString(16));
      return false;
    });
    expect(unlike).toEqual([]);
    expect(accepted.sort()).toEqual([...starts].sort());
  });

  it.each([
    ['on a continuation', 'c0', 'RFC 7692 §6.1'],
    ['on a control frame', 'c9', 'RFC 7692 §6.1'],
    ['with another reserved bit', 'e1', '§5.2'],
  ])('names in the fault what was wrong: %s', (_name, first, words) => {
    const context = { inMessage: false, mayDeflate: true };
    expect(() => checkFrameStart(hex(first)[0]!, 0x80, context)).toThrow(words);
  });

  it.each([
    [0, 64],
    [1, 66],
    [64, 129],
    [1000, 1080],
    [1_048_576, 1_048_576 + 16_384 + 64],
  ])('lets a message of %i bytes be %i when it is compressed', (maxPayload, size) => {
    expect(faultOf(() => checkCompressedSize(size, maxPayload))).toBeUndefined();
    expect(faultOf(() => checkCompressedSize(size + 1, maxPayload))).toBe(1009);
  });
});

describe('§5.2 the header of a server', () => {
  it.each([
    [0x81, 0, '81 00'],
    [0x81, 5, '81 05'],
    [0x82, 125, '82 7d'],
    [0x82, 126, '82 7e 007e'],
    [0x82, 256, '82 7e 0100'],
    [0x02, 65_535, '02 7e ffff'],
    [0x82, 65_536, '82 7f 0000000000010000'],
    [0x82, 2 ** 32 - 1, '82 7f 00000000ffffffff'],
    [0x82, 2 ** 32 + 1, '82 7f 0000000100000001'],
    [0x82, 2 ** 53 - 1, '82 7f 001fffffffffffff'],
  ])('is written for %i and %i as %s', (first, length, bytes) => {
    const header = hex(bytes);
    const target = Buffer.alloc(20, 0xee);
    expect(encodeHeader(target, 3, first, length)).toBe(3 + header.length);
    expect(target).toEqual(
      Buffer.concat([hex('eeeeee'), header, Buffer.alloc(17 - header.length, 0xee)]),
    );
    expect(serverHeaderSize(length)).toBe(header.length);
    expect(header.length).toBeLessThanOrEqual(MAX_SERVER_HEADER);
  });

  it('is never masked and always in its shortest form', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (length) => {
        const header = Buffer.alloc(MAX_SERVER_HEADER);
        const end = encodeHeader(header, 0, 0x82, length);
        expect(header[1]! & 0x80).toBe(0);
        expect(end).toBe(length <= 125 ? 2 : length <= 65_535 ? 4 : 10);
        const said = [header[1]!, header.readUInt16BE(2), Number(header.readBigUInt64BE(2))];
        expect(said[end === 2 ? 0 : end === 4 ? 1 : 2]).toBe(length);
      }),
    );
  });
});

describe('the words of a fault say what was sent', () => {
  it.each([
    ['82 fe 007d', 'length 125 in 16 bits is not minimal (§5.2)'],
    ['82 ff 000000000000ffff', 'length 65535 in 64 bits is not minimal (§5.2)'],
    ['82 ff 0020000000000000', 'frame of 2^53 bytes or more'],
  ])('for the header %s: %s', (bytes, words) => {
    expect(() => decodeLength(hex(bytes), 0)).toThrow(new Error(words));
  });

  it('for a text that no string can hold', () => {
    const size = constants.MAX_STRING_LENGTH + 1;
    const words = `message of ${size} bytes is above what Node can hold`;
    expect(() => checkMessageSize(size, Infinity, true)).toThrow(new Error(words));
  });
});

it('a compressed message is no string: its size may be that of a buffer (L-13)', () => {
  const size = constants.MAX_STRING_LENGTH + 1;
  expect(faultOf(() => checkCompressedSize(size, Infinity))).toBeUndefined();
});
