import type { Buffer } from 'node:buffer';
import type { AttachOptions } from '../../../lib';
import { JSON_TEXT, messagesOf, SOURCES, type Source } from '../../rfc7692/support/test-data';
import { termsOf, type Terms } from '../../rfc7692/support/terms';
import { Compressor, Expander } from '../../rfc7692/support/zlib';
import { fragments } from '../support/frames';
import { closeCleanly, expectSameBytes, readMessage } from '../support/messages';
import { echoTarget, Link } from '../support/target';
import { IS_FULL, type Case } from './case';

/** RSV1: this message is compressed (RFC 7692 §6). */
const COMPRESSED = 0x40;

/** Size of the messages, and of the fragments that the compressed ones are sent in. */
const SHAPES: readonly (readonly [length: number, fragment: number])[] = [
  ...[16, 64, 256, 1024, 4096, 8192, 16_384, 32_768, 65_536, 131_072].map(
    (length) => [length, Infinity] as const,
  ),
  ...[8192, 16_384, 32_768, 65_536, 131_072].map((length) => [length, 256] as const),
  ...[1024, 4096, 32_768].map((fragment) => [131_072, fragment] as const),
];

/** All of the catalogue, or enough that the window has been filled, and filled again. */
const countOf = (length: number): number =>
  IS_FULL ? 1000 : Math.max(3, Math.min(20, Math.floor(65_536 / length)));

/** What clients inflate into. */
const CHUNK = 16_384;

interface Setting {
  /** The server's side. */
  readonly perMessageDeflate: AttachOptions['perMessageDeflate'];
  readonly offer: string;
  readonly terms: Terms;
}

/** Sends messages one after the other, each when the one before has come back. */
async function converse(setting: Setting, source: Source, shape: (typeof SHAPES)[number]) {
  const [length, fragment] = shape;
  const server = await echoTarget({ perMessageDeflate: setting.perMessageDeflate });
  const link = await Link.open(server, undefined, { 'Sec-WebSocket-Extensions': setting.offer });
  expect(termsOf(link.head)).toEqual(setting.terms);
  const compressor = new Compressor(setting.terms.clientTakeover, setting.terms.clientBits);
  const { serverTakeover, serverBits } = setting.terms;
  const expander = new Expander(serverTakeover, serverBits, CHUNK);
  const messages = messagesOf(source, length);
  const opcode = typeof source === 'string' ? 0x1 : 0x2;
  for (let left = countOf(length); left > 0; left--) {
    const message = messages.next().value;
    const payload = await compressor.compress(message);
    link.peer.write(...fragments(opcode | COMPRESSED, payload, fragment));
    expectSameBytes(await nextMessage(link, opcode, expander), message);
  }
  compressor.close();
  expander.close();
  await closeCleanly(link);
}

async function nextMessage(link: Link, opcode: number, expander: Expander): Promise<Buffer> {
  const { first, payload } = await readMessage(link);
  expect(first & ~COMPRESSED).toBe(opcode);
  return (first & COMPRESSED) === 0 ? payload : expander.expand(payload);
}

function section(id: string, what: string, setting: Setting, source: Source): Case[] {
  return SHAPES.map((shape, i) => {
    const [length, fragment] = shape;
    const how = fragment === Infinity ? '' : ` in fragments of ${fragment}`;
    return {
      id: `${id}.${i + 1}`,
      title: `echoes ${countOf(length)} messages of ${length} ${what}${how}`,
      run: () => converse(setting, source, shape),
    };
  });
}

const NO_TAKEOVER: Terms = {
  serverTakeover: false,
  clientTakeover: false,
  serverBits: 15,
  clientBits: 15,
};

/** 12: five kinds of data, and what a server does that was told no more than `true`. */
export const COMPRESSION: readonly Case[] = SOURCES.flatMap(([name, source], i) =>
  section(
    `12.${i + 1}`,
    `of ${name}`,
    {
      perMessageDeflate: true,
      offer: 'permessage-deflate; client_no_context_takeover; client_max_window_bits',
      terms: NO_TAKEOVER,
    },
    source,
  ),
);

const WITH_TAKEOVER = 'permessage-deflate; client_max_window_bits';
const WITHOUT_TAKEOVER =
  'permessage-deflate; client_no_context_takeover; client_max_window_bits; server_no_context_takeover';

const TAKEOVER: Terms = { ...NO_TAKEOVER, serverTakeover: true, clientTakeover: true };

/** What the client wants, and what has to come of it; 9 bits is the least that zlib can do. */
const SETTINGS: readonly (readonly [what: string, offer: string, terms: Terms, bits: number])[] = [
  ['with takeover', WITH_TAKEOVER, TAKEOVER, 15],
  ['without takeover', WITHOUT_TAKEOVER, NO_TAKEOVER, 15],
  [
    'with takeover and 9 bits',
    `${WITH_TAKEOVER}; server_max_window_bits=9`,
    { ...TAKEOVER, serverBits: 9, clientBits: 9 },
    9,
  ],
  ['with takeover and 15 bits', `${WITH_TAKEOVER}; server_max_window_bits=15`, TAKEOVER, 15],
  [
    'without takeover, with 9 bits',
    `${WITHOUT_TAKEOVER}; server_max_window_bits=9`,
    { ...NO_TAKEOVER, serverBits: 9 },
    9,
  ],
  [
    'without takeover, with 15 bits',
    `${WITHOUT_TAKEOVER}; server_max_window_bits=15`,
    NO_TAKEOVER,
    15,
  ],
  [
    'by the first of three offers',
    [`${WITHOUT_TAKEOVER}; server_max_window_bits=9`, WITHOUT_TAKEOVER, WITH_TAKEOVER].join(', '),
    { ...NO_TAKEOVER, serverBits: 9 },
    15,
  ],
];

/** 13: what both sides have agreed on, by seven kinds of offers. */
export const NEGOTIATED_COMPRESSION: readonly Case[] = SETTINGS.flatMap(
  ([what, offer, terms, windowBits], i) =>
    section(
      `13.${i + 1}`,
      what,
      { perMessageDeflate: { contextTakeover: true, windowBits, threshold: 0 }, offer, terms },
      JSON_TEXT,
    ),
);
