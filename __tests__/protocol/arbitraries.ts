import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { clientFrame, hex } from '../support/bytes';
import { binary, ping, pong, text } from './every-way';

export const bytes = (maxLength: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));

const codePoint = fc.oneof(
  ...(
    [
      [0x00, 0x7f],
      [0x80, 0x7ff],
      [0x800, 0xd7ff],
      [0xe000, 0xffff],
      [0x10000, 0x10ffff],
    ] as const
  ).map(([min, max]) => fc.integer({ min, max })),
);

/** Text with characters of one to four bytes of UTF-8 in equal parts. */
export const unicode = (maxLength: number): fc.Arbitrary<string> =>
  fc.array(codePoint, { maxLength }).map((points) => String.fromCodePoint(...points));

/** Where to cut; offsets outside of the bytes are ignored by those who cut. */
export const offsets = (max: number): fc.Arbitrary<number[]> =>
  fc.array(fc.nat({ max }), { maxLength: 12 });

/** The edges of the table in RFC 3629 §4, from both sides, whole and cut short. */
const UTF8_EDGES = [
  '00 7f 80 8f bf c0 c1 f5 f8 fc fe ff',
  'c080 c1bf c280 c2 c27f c2c0 dfbf',
  'e080 e09fbf e0a080 e0a0 e0 ec8080 ed9fbf eda080 edbfbf ee8080 efbfbd efbfbf efbbbf e282ac e282',
  'f080 f08fbfbf f0908080 f09080 f090 f0 f09f9880 f3bfbfbf f48fbfbf f48fbf f490 f4908080 f5808080',
]
  .flatMap((line) => line.split(' '))
  .map((digits) => hex(digits));

const utf8Piece = fc.oneof(
  { arbitrary: unicode(6).map((s) => Buffer.from(s)), weight: 4 },
  { arbitrary: fc.constantFrom(...UTF8_EDGES), weight: 3 },
  { arbitrary: bytes(3), weight: 1 },
);

/** Valid, nearly valid and random text, also of lengths where a decoder may change its way. */
export const nearUtf8: fc.Arbitrary<Buffer> = fc
  .record({
    ascii: fc.oneof(fc.nat({ max: 24 }), fc.integer({ min: 2030, max: 2060 })),
    pieces: fc.array(utf8Piece, { maxLength: 6 }),
    cutShort: fc.nat({ max: 2 }),
  })
  .map(({ ascii, pieces, cutShort }) => {
    const whole = Buffer.concat([
      ...pieces.slice(1),
      Buffer.alloc(ascii, 'a'),
      ...pieces.slice(0, 1),
    ]);
    return whole.subarray(0, Math.max(0, whole.length - cutShort));
  });

/** Bytes of a client, and what they mean. */
export interface Stream {
  readonly bytes: Buffer;
  readonly heard: readonly string[];
}

const key = fc
  .uint8Array({ minLength: 4, maxLength: 4 })
  .map((k) => Buffer.from(k).toString('hex'));

const control: fc.Arbitrary<Stream> = fc
  .record({ isPing: fc.boolean(), payload: bytes(125), key })
  .map((c) => ({
    bytes: clientFrame({ first: c.isPing ? 0x89 : 0x8a, payload: c.payload, key: c.key }),
    heard: [(c.isPing ? ping : pong)(c.payload.toString('hex'))],
  }));

const body = fc.oneof(
  unicode(60),
  bytes(60),
  fc.constantFrom(125, 126, 127, 300).map((length) => Buffer.alloc(length, 0xa5)),
);

/** §5.4: a message in one or more fragments, with control frames between them. */
const fragmented: fc.Arbitrary<Stream> = fc
  .record({ body, key, at: offsets(320), controls: fc.array(control, { maxLength: 3 }) })
  .map((m) => {
    const payload = Buffer.from(m.body as string);
    const isText = typeof m.body === 'string';
    const bounds = [0, ...m.at.filter((n) => n <= payload.length).sort((a, b) => a - b)];
    const frames = bounds.map((start, i) => {
      const end = bounds[i + 1] ?? payload.length;
      const opcode = i > 0 ? 0x00 : isText ? 0x01 : 0x02;
      const fin = i === bounds.length - 1 ? 0x80 : 0x00;
      const frame = { first: fin | opcode, payload: payload.subarray(start, end), key: m.key };
      return clientFrame(frame);
    });
    const between = frames.slice(1).map((frame, i) => [...(m.controls[i]?.bytes ?? []), ...frame]);
    return {
      bytes: Buffer.concat([frames[0]!, ...between.map((each) => Buffer.from(each))]),
      heard: [
        ...m.controls.slice(0, frames.length - 1).flatMap((c) => c.heard),
        isText ? text(payload.toString()) : binary(payload.toString('hex')),
      ],
    };
  });

/** What a client that keeps the rules sends. */
export const lawfulStream: fc.Arbitrary<Stream> = fc
  .array(fc.oneof({ arbitrary: fragmented, weight: 3 }, { arbitrary: control, weight: 1 }), {
    maxLength: 6,
  })
  .map((parts) => ({
    bytes: Buffer.concat(parts.map((part) => part.bytes)),
    heard: parts.flatMap((part) => part.heard),
  }));

/** A masked frame whose first byte, length and payload agree with no rule in particular. */
const oddFrame = fc
  .record({
    first: fc.oneof(
      fc.constantFrom(0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8a),
      fc.nat({ max: 0xff }),
    ),
    payload: fc.oneof(bytes(130), nearUtf8, fc.constantFrom(hex('03e8'), hex('03e8ce'), hex('03'))),
    key,
  })
  .map((frame) => clientFrame(frame));

/** Lawful beginnings, odd frames and plain noise, glued: to be refused or heard, never more. */
export const anyBytes: fc.Arbitrary<Buffer> = fc
  .array(
    fc.oneof(
      { arbitrary: lawfulStream.map((stream) => stream.bytes), weight: 3 },
      { arbitrary: oddFrame, weight: 4 },
      { arbitrary: bytes(20), weight: 1 },
    ),
    { maxLength: 8 },
  )
  .map((parts) => Buffer.concat(parts));
