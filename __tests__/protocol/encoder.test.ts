import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import {
  bytesFrameSize,
  encodeBytes,
  encodeText,
  headerOf,
  textFrameRoom,
} from '../../lib/protocol/encoder';
import { hex } from '../support/bytes';
import { unicode } from './arbitraries';

/** The bytes a server's frame begins with, by RFC 6455 §5.2. */
function headerFor(first: string, length: number): string {
  const digits = length.toString(16);
  if (length <= 125) return `${first}${digits.padStart(2, '0')}`;
  if (length <= 65_535) return `${first}7e${digits.padStart(4, '0')}`;
  return `${first}7f${digits.padStart(16, '0')}`;
}

/** The frame alone, from a target that is filled with other bytes; fails if anything else changed. */
function written(room: number, write: (target: Buffer, at: number) => number): Buffer {
  const target = Buffer.alloc(5 + room + 5, 0xee);
  const end = write(target, 5);
  expect(target.subarray(0, 5)).toEqual(hex('eeeeeeeeee'));
  expect(target.subarray(5 + room)).toEqual(hex('eeeeeeeeee'));
  return target.subarray(5, end);
}

const textFrame = (first: number, text: string): Buffer =>
  written(textFrameRoom(text.length), (target, at) => encodeText(target, at, first, text));

const bytesFrame = (first: number, payload: Uint8Array): Buffer =>
  written(bytesFrameSize(payload.length), (target, at) => encodeBytes(target, at, first, payload));

describe('§5.7 examples, as a server sends them', () => {
  it('writes text in one frame', () => {
    expect(textFrame(0x81, 'Hello')).toEqual(hex('81 05 48656c6c6f'));
  });

  it('writes text in two frames', () => {
    expect(textFrame(0x01, 'Hel')).toEqual(hex('01 03 48656c'));
    expect(textFrame(0x80, 'lo')).toEqual(hex('80 02 6c6f'));
  });

  it('writes a ping', () => {
    expect(bytesFrame(0x89, hex('48656c6c6f'))).toEqual(hex('89 05 48656c6c6f'));
  });

  it('writes 256 bytes and 64 KiB of binary data', () => {
    const small = Buffer.alloc(256, 0xab);
    const large = Buffer.alloc(65_536, 0xcd);
    expect(bytesFrame(0x82, small)).toEqual(Buffer.concat([hex('82 7e 0100'), small]));
    const frame = bytesFrame(0x82, large);
    expect(frame.equals(Buffer.concat([hex('82 7f 0000000000010000'), large]))).toBe(true);
  });
});

describe('§5.6 text', () => {
  it.each([
    ['ASCII', 'a', 1],
    ['two bytes a character', 'é', 2],
    ['three bytes a character', '€', 3],
    ['four bytes a pair', '😀', 4],
  ])('says its length in bytes, at every step of the header: %s', (_name, character, size) => {
    for (const bytes of [0, 124, 125, 126, 127, 128, 65_535, 65_536, 65_540]) {
      const padding = 'a'.repeat(bytes % size);
      const text = character.repeat(Math.floor(bytes / size)) + padding;
      const expected = Buffer.concat([hex(headerFor('81', bytes)), Buffer.from(text)]);
      expect(textFrame(0x81, text).equals(expected)).toBe(true);
    }
  });

  it('writes half a surrogate pair as U+FFFD: text on the wire is always UTF-8', () => {
    expect(textFrame(0x81, 'a\udc00b')).toEqual(hex('81 05 61efbfbd62'));
  });

  it('asks for no more room than the worst text takes', () => {
    const worst = '€'.repeat(30_000);
    expect(textFrame(0x81, worst)).toHaveLength(textFrameRoom(30_000));
  });

  it('has room for the longest UTF-8 that a string can become', () => {
    fc.assert(
      fc.property(unicode(300), (text) => {
        const payload = Buffer.from(text);
        const expected = Buffer.concat([hex(headerFor('01', payload.length)), payload]);
        expect(textFrame(0x01, text)).toEqual(expected);
        expect(textFrameRoom(text.length)).toBeGreaterThanOrEqual(expected.length);
      }),
    );
  });
});

describe('§5.2 bytes', () => {
  it.each([0, 1, 125, 126, 65_535, 65_536])('writes %i of them, in exactly that room', (length) => {
    const payload = Buffer.alloc(length, 0x5a);
    const expected = Buffer.concat([hex(headerFor('82', length)), payload]);
    expect(bytesFrameSize(length)).toBe(expected.length);
    expect(bytesFrame(0x82, payload).equals(expected)).toBe(true);
  });

  it('P-1 writes exactly the bytes of a view', () => {
    const memory = Uint8Array.from([9, 9, 1, 2, 3, 9, 9]);
    expect(bytesFrame(0x8a, memory.subarray(2, 5))).toEqual(hex('8a 03 010203'));
  });

  it.each([0, 125, 126, 65_535, 65_536, 2 ** 32])('writes the header for %i alone', (length) => {
    expect(headerOf(0x82, length)).toEqual(hex(headerFor('82', length)));
  });
});
