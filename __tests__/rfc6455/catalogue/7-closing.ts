import { Buffer } from 'node:buffer';
import * as every from '../../protocol/every-way';
import { hex } from '../../support/bytes';
import { close, closeWith, fragments, last, ping, text, textPart } from '../support/frames';
import { vectorCase, type Case } from './case';

const NORMAL = every.closed(1000);
const FAILED = every.closed(1002);
const ECHO = every.text('Hello World!');

/** What is behind a close is not read (§5.5.1); what is before it is answered first. */
const ORDER: readonly Case[] = [
  vectorCase(
    '7.1.1',
    'echoes a text before it answers the close',
    [text('Hello World!'), close(1000)],
    [ECHO, NORMAL],
  ),
  vectorCase('7.1.2', 'answers two closes once', [close(1000), close(1000)], [NORMAL]),
  vectorCase('7.1.3', 'answers no ping behind a close', [close(1000), ping()], [NORMAL]),
  vectorCase(
    '7.1.4',
    'echoes no text behind a close',
    [close(1000), text('Hello World!')],
    [NORMAL],
  ),
  vectorCase(
    '7.1.5',
    'echoes no text that goes on behind a close',
    [textPart('fragment1'), close(1000), last('fragment2')],
    [NORMAL],
  ),
  vectorCase(
    '7.1.6',
    'echoes 256 KiB and a text before it answers the close, and no ping behind it',
    [
      ...fragments(0x1, Buffer.alloc(262_144, 'BAsd7&jh23')),
      text('Hello World!'),
      close(1000),
      ping(),
    ],
    [every.text('BAsd7&jh23'.repeat(26_215).slice(0, 262_144)), ECHO, NORMAL],
  ),
];

const BODIES: readonly Case[] = [
  vectorCase('7.3.1', 'answers a close without a body', [closeWith(hex(''))], [every.closed(1005)]),
  vectorCase('7.3.2', 'fails at a body of one byte', [closeWith(hex('61'))], [FAILED]),
  vectorCase('7.3.3', 'answers a close with a code', [close(1000)], [NORMAL]),
  vectorCase('7.3.4', 'answers a code and a reason', [close(1000, 'Hello World!')], [NORMAL]),
  vectorCase(
    '7.3.5',
    'answers a reason of 123 bytes, the longest',
    [close(1000, '*'.repeat(123))],
    [NORMAL],
  ),
  vectorCase('7.3.6', 'fails at a reason of 124 bytes', [close(1000, '*'.repeat(124))], [FAILED]),
  vectorCase(
    '7.5.1',
    'fails with 1007 at a reason that is not UTF-8',
    [close(1000, hex('ce ba e1 bd b9 cf 83 ce bc ce b5 ed a0 80 65 64 69 74 65 64'))],
    [every.closed(1007)],
  ),
];

/** Codes that may be sent (§7.4). */
const VALID = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
/** Codes that must not be, or belong to nobody. */
const INVALID = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999];
/** Beyond all ranges of §7.4.2. The catalogue expects nothing here; a server of ours fails. */
const BEYOND = [5000, 65_535];

/** 7 the closing handshake. */
export const CLOSING: readonly Case[] = [
  ...ORDER,
  ...BODIES,
  ...VALID.map((code, i) =>
    vectorCase(`7.7.${i + 1}`, `answers ${code} with ${code}`, [close(code)], [every.closed(code)]),
  ),
  ...INVALID.map((code, i) =>
    vectorCase(`7.9.${i + 1}`, `fails at the close code ${code}`, [close(code)], [FAILED]),
  ),
  ...BEYOND.map((code, i) =>
    vectorCase(`7.13.${i + 1}`, `fails at the close code ${code}`, [close(code)], [FAILED]),
  ),
];
