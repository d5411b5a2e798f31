import { Buffer } from 'node:buffer';
import * as every from '../../protocol/every-way';
import { binary, text } from '../support/frames';
import { vectorCase, type Case } from './case';

/** Around every change of the length's form (§5.2). */
const SIZES = [0, 125, 126, 127, 128, 65_535, 65_536];

/** How much of a message is in a packet in the last case of either kind. */
const CHOP = 997;

const star = (size: number): Buffer => Buffer.alloc(size, '*');
const fe = (size: number): Buffer => Buffer.alloc(size, 0xfe);

function chops(bytes: Buffer): Buffer[] {
  const count = Math.ceil(bytes.length / CHOP);
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * CHOP, (i + 1) * CHOP));
}

const echoedText = (size: number): string[] => [every.text('*'.repeat(size))];
const echoedBinary = (size: number): string[] => [every.binary('fe'.repeat(size))];

/** 1.1 text and 1.2 binary messages of all forms of the length. */
export const FRAMING: readonly Case[] = [
  ...SIZES.map((size, i) =>
    vectorCase(
      `1.1.${i + 1}`,
      `echoes a text of ${size} bytes`,
      [text(star(size))],
      echoedText(size),
    ),
  ),
  vectorCase(
    '1.1.8',
    'echoes a text of 65536 bytes that comes in pieces of 997',
    chops(text(star(65_536))),
    echoedText(65_536),
  ),
  ...SIZES.map((size, i) =>
    vectorCase(
      `1.2.${i + 1}`,
      `echoes ${size} bytes of binary`,
      [binary(fe(size))],
      echoedBinary(size),
    ),
  ),
  vectorCase(
    '1.2.8',
    'echoes 65536 bytes of binary that come in pieces of 997',
    chops(binary(fe(65_536))),
    echoedBinary(65_536),
  ),
];
