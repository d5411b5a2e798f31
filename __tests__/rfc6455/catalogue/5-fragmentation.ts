import { Buffer } from 'node:buffer';
import * as every from '../../protocol/every-way';
import { last, part, ping, text, textPart, unfinished } from '../support/frames';
import { vectorCase, type Case } from './case';

const FAILED = every.closed(1002);
const BOTH = every.text('fragment1fragment2');
const PONG = every.pong('70696e67207061796c6f6164');

const PING = ping('ping payload');
const IN_TWO = [textPart('fragment1'), last('fragment2')];
const PING_BETWEEN = [textPart('fragment1'), PING, last('fragment2')];

/** One by one to the byte: the catalogue's octet-wise chops. */
const octets = (frames: readonly Buffer[]): Buffer[] =>
  frames.flatMap((bytes) => every.cut(bytes, [...bytes.keys()]));

const glue = (frames: readonly Buffer[]): Buffer[] => [Buffer.concat(frames)];

/** The same vector in one packet, a frame a packet, and a byte a packet: three cases. */
function threeChops(
  ids: readonly [string, string, string],
  title: string,
  frames: readonly Buffer[],
  heard: readonly string[],
): Case[] {
  return [
    vectorCase(ids[0], `${title}, in one packet`, glue(frames), heard),
    vectorCase(ids[1], `${title}, a frame a packet`, frames, heard),
    vectorCase(ids[2], `${title}, byte by byte`, octets(frames), heard),
  ];
}

/** Continuations that continue nothing (§5.4). */
const ORPHANS: readonly Case[] = [
  ...threeChops(
    ['5.9', '5.10', '5.11'],
    'fails at a last continuation of nothing before a text',
    [last('non-continuation payload'), text('Hello, world!')],
    [FAILED],
  ),
  ...threeChops(
    ['5.12', '5.13', '5.14'],
    'fails at a continuation of nothing that goes on, before a text',
    [part('non-continuation payload'), text('Hello, world!')],
    [FAILED],
  ),
  vectorCase(
    '5.15',
    'echoes a text in two fragments and fails at the continuation behind it',
    glue([...IN_TWO, part('fragment3'), text('fragment4')]),
    [BOTH, FAILED],
  ),
  ...[part, last].map((orphan, i) => {
    const round = [orphan('fragment1'), textPart('fragment2'), last('fragment3')];
    return vectorCase(
      `5.${16 + i}`,
      `fails at a continuation of nothing with FIN ${i}, before texts in fragments`,
      [...round, ...round],
      [FAILED],
    );
  }),
];

const FIVE = [1, 2, 3, 4, 5].map((i) => `fragment${i}`);
const FIRST_PING = ping('pongme 1!');
const FIRST_PART = [textPart(FIVE[0]), part(FIVE[1]), FIRST_PING];
const SECOND_PART = [part(FIVE[2]), part(FIVE[3]), ping('pongme 2!'), last(FIVE[4])];
const FIRST_PONG = every.pong('706f6e676d65203121');
const ALL_FIVE = [FIRST_PONG, every.pong('706f6e676d65203221'), every.text(FIVE.join(''))];

/** 5 fragmentation. */
export const FRAGMENTATION: readonly Case[] = [
  vectorCase(
    '5.1',
    'fails at a ping in two fragments',
    [unfinished(0x9, 'a'), last('b')],
    [FAILED],
  ),
  vectorCase(
    '5.2',
    'fails at a pong in two fragments',
    [unfinished(0xa, 'a'), last('b')],
    [FAILED],
  ),
  ...threeChops(['5.3', '5.4', '5.5'], 'echoes a text in two fragments', IN_TWO, [BOTH]),
  ...threeChops(
    ['5.6', '5.7', '5.8'],
    'answers a ping between two fragments of a text, then echoes it',
    PING_BETWEEN,
    [PONG, BOTH],
  ),
  ...ORPHANS,
  vectorCase(
    '5.18',
    'fails at a second text before the first has ended',
    [textPart('fragment1'), text('fragment2')],
    [FAILED],
  ),
  ...(['5.19', '5.20'] as const).map((id, i) => {
    const how = i === 0 ? 'packets of many frames' : 'a packet a frame';
    const [first, second] =
      i === 0 ? [glue(FIRST_PART), glue(SECOND_PART)] : [FIRST_PART, SECOND_PART];
    return vectorCase(
      id,
      `answers a ping at once while a text is in its fragments, ${how}`,
      [...first, ...second],
      ALL_FIVE,
      { sent: first, heard: [FIRST_PONG] },
    );
  }),
];
