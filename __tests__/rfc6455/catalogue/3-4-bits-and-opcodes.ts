import { Buffer } from 'node:buffer';
import * as every from '../../protocol/every-way';
import { hex } from '../../support/bytes';
import { binary, close, ofOpcode, ping, text, withReserved } from '../support/frames';
import { vectorCase, type Case } from './case';

const HELLO = 'Hello, world!';
const ECHO = every.text(HELLO);
const FAILED = every.closed(1002);

/** 3 reserved bits that no extension has given a meaning (§5.2). */
export const RESERVED_BITS: readonly Case[] = [
  vectorCase('3.1', 'fails at a text with RSV 1', [withReserved(1, text(HELLO))], [FAILED]),
  ...[2, 3, 4].map((bits) =>
    vectorCase(
      `3.${bits}`,
      `echoes a text, fails at the next with RSV ${bits}, and answers no ping behind it`,
      [text(HELLO), withReserved(bits, text(HELLO)), ping()],
      [ECHO, FAILED],
    ),
  ),
  vectorCase(
    '3.5',
    'fails at a binary message with RSV 5',
    [withReserved(5, binary(hex('00 ff fe fd fc fb 00 ff')))],
    [FAILED],
  ),
  vectorCase('3.6', 'fails at a ping with RSV 6', [withReserved(6, ping(HELLO))], [FAILED]),
  vectorCase('3.7', 'fails at a close with RSV 7', [withReserved(7, close(1000))], [FAILED]),
];

/** Five cases for five opcodes: alone, alone with payload, and behind a text (§5.2). */
function reservedOpcodes(section: string, opcodes: readonly number[]): Case[] {
  return opcodes.map((opcode, i) => {
    const payload = i % 2 === 0 ? '' : 'reserved opcode payload';
    const name = `opcode ${opcode.toString(16)}${payload === '' ? '' : ' with payload'}`;
    const bytes = ofOpcode(opcode, Buffer.from(i === 4 ? 'reserved opcode payload' : payload));
    return i < 2
      ? vectorCase(`${section}.${i + 1}`, `fails at the reserved ${name}`, [bytes], [FAILED])
      : vectorCase(
          `${section}.${i + 1}`,
          `echoes a text, fails at the reserved ${name}, and answers no ping behind it`,
          [text(HELLO), bytes, ping()],
          [ECHO, FAILED],
        );
  });
}

/** 4.1 reserved opcodes of data, 4.2 of control frames. */
export const OPCODES: readonly Case[] = [
  ...reservedOpcodes('4.1', [0x3, 0x4, 0x5, 0x6, 0x7]),
  ...reservedOpcodes('4.2', [0xb, 0xc, 0xd, 0xe, 0xf]),
];
