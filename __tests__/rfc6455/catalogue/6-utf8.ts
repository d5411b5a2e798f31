import { Buffer } from 'node:buffer';
import * as every from '../../protocol/every-way';
import { hex } from '../../support/bytes';
import { decodeUtf8 } from '../support/transcript';
import { fragments, last, part, text, textPart } from '../support/frames';
import { vectorCase, type Case } from './case';
import { SEQUENCES } from './utf8-sequences';

const FAILED = every.closed(1007);

/** κόσμε, the word of all these tables. */
const KOSME = hex('ce ba e1 bd b9 cf 83 ce bc ce b5');
const EDITED = hex('65 64 69 74 65 64');
/** A surrogate in the midst of good text. */
const SURROGATE = Buffer.concat([KOSME, hex('ed a0 80'), EDITED]);
/** Beyond U+10FFFF: bad from its second byte on. */
const BEYOND = Buffer.concat([KOSME, hex('f4 90 80 80'), EDITED]);
/** Where it has become bad. */
const BAD_AT = KOSME.length + 2;

const UMLAUTS = Buffer.from('Hello-µ@ßöäüàá-UTF-8!!');
const echoed = (bytes: Buffer): string => every.text(decodeUtf8(bytes));

const FRAGMENTED: readonly Case[] = [
  vectorCase('6.1.1', 'echoes a text of no bytes', [text()], [every.text('')]),
  vectorCase(
    '6.1.2',
    'echoes a text of three empty fragments',
    [textPart(), part(), last()],
    [every.text('')],
  ),
  vectorCase(
    '6.1.3',
    'echoes a text between two empty fragments',
    [textPart(), part('middle frame payload'), last()],
    [every.text('middle frame payload')],
  ),
  vectorCase('6.2.1', 'echoes a text of many scripts', [text(UMLAUTS)], [echoed(UMLAUTS)]),
  vectorCase(
    '6.2.2',
    'echoes it cut between two characters',
    [textPart(Buffer.from('Hello-µ@ßöä')), last(Buffer.from('üàá-UTF-8!!'))],
    [echoed(UMLAUTS)],
  ),
  vectorCase('6.2.3', 'echoes it in fragments of a byte', fragments(1, UMLAUTS, 1), [
    echoed(UMLAUTS),
  ]),
  vectorCase('6.2.4', 'echoes κόσμε in fragments of a byte', fragments(1, KOSME, 1), [
    echoed(KOSME),
  ]),
  vectorCase('6.3.1', 'fails at a surrogate', [text(SURROGATE)], [FAILED]),
  vectorCase(
    '6.3.2',
    'fails at a surrogate in fragments of a byte',
    fragments(1, SURROGATE, 1),
    [FAILED],
    { sent: fragments(1, SURROGATE, 1).slice(0, BAD_AT), heard: [FAILED] },
  ),
];

/** Three pieces of the message, as fragments. */
function inFragments(id: string, title: string, cuts: readonly [number, number]): Case {
  const frames = [
    textPart(BEYOND.subarray(0, cuts[0])),
    part(BEYOND.subarray(...cuts)),
    last(BEYOND.subarray(cuts[1])),
  ];
  return vectorCase(id, title, frames, [FAILED], { sent: frames.slice(0, 2), heard: [FAILED] });
}

/** Three pieces of the message, as packets that are one frame. */
function inPackets(id: string, title: string, cuts: readonly [number, number]): Case {
  const frame = text(BEYOND);
  const header = frame.length - BEYOND.length;
  const packets = every.cut(frame, [header + cuts[0], header + cuts[1]]);
  return vectorCase(id, title, packets, [FAILED], { sent: packets.slice(0, 2), heard: [FAILED] });
}

const CHARACTER = [KOSME.length, KOSME.length + 4] as const;
const OCTET = [BAD_AT - 1, BAD_AT] as const;

/** 6.4 fails before the message has ended: at the fragment, or the byte, that makes it bad (§8.1). */
const FAIL_FAST: readonly Case[] = [
  inFragments('6.4.1', 'fails at the bad fragment, and waits for no other', CHARACTER),
  inFragments('6.4.2', 'fails at the fragment with the bad byte, its first', OCTET),
  inPackets('6.4.3', 'fails at the bad piece of a frame, and waits for no other', CHARACTER),
  inPackets('6.4.4', 'fails at the bad byte inside of a frame', OCTET),
];

/** 6.5 to 6.23: sequences of bytes that are UTF-8, or are not. */
const TABLES: readonly Case[] = SEQUENCES.flatMap(({ what, sequences }, table) =>
  sequences.map(([isValid, digits], i) => {
    const id = `6.${5 + table}.${i + 1}`;
    const bytes = hex(digits);
    const title = `${isValid ? 'echoes' : 'fails at'} ${what}: ${shorten(digits)}`;
    if (isValid) return vectorCase(id, title, [text(bytes)], [echoed(bytes)]);
    return vectorCase(id, title, [text(bytes)], [FAILED], failFast(bytes));
  }),
);

function shorten(digits: string): string {
  return digits.length > 40 ? `${digits.slice(0, 36)} ...` : digits;
}

/**
 * The frame up to the byte from which nothing could make its text good; `undefined` for a text that
 * could have gone on.
 */
function failFast(bytes: Buffer): { sent: Buffer[]; heard: string[] } | undefined {
  const at = [...bytes.keys()].find((i) => !canGoOn(bytes.subarray(0, i + 1)));
  if (at === undefined) return undefined;
  const frame = text(Buffer.concat([bytes, EDITED]));
  const header = frame.length - bytes.length - EDITED.length;
  return { sent: [frame.subarray(0, header + at + 1)], heard: [FAILED] };
}

/** Every sequence that has begun well can be ended by one of these (RFC 3629 §4). */
function canGoOn(bytes: Buffer): boolean {
  const ends = ['', '80', '8080', '808080', 'a080', '908080'];
  return ends.some((end) => isUtf8(Buffer.concat([bytes, hex(end)])));
}

function isUtf8(bytes: Buffer): boolean {
  try {
    decodeUtf8(bytes);
    return true;
  } catch {
    return false;
  }
}

/** 6 UTF-8. */
export const UTF8: readonly Case[] = [...FRAGMENTED, ...FAIL_FAST, ...TABLES];
