import { built, ofWs } from './subject.mjs';

const { encodeText, encodeBytes } = built('protocol/encoder.js');
const { tellDecoded } = built('protocol/relay.js');
const Sender = ofWs('sender.js');

const SIZES = [8, 20, 125, 512, 1024, 4096, 8192];
const target = Buffer.alloc(65_536);

export const encoding = [
  {
    title: 'encode text',
    names: ['Buffer.from, then copy', 'encodeText', 'Sender.frame of ws'],
    rows: SIZES.map((size) => [`${size} B`, () => textWays('a'.repeat(size))]),
  },
  {
    title: 'encode a text that came in, while it is told of',
    names: ['encodeText of any text', 'and of the same'],
    rows: [20, 125, 1024, 4096].flatMap((size) => [
      [`${size} B`, () => relayWays('a'.repeat(size))],
      [`${size} B beyond ASCII`, () => relayWays('ü'.repeat(size / 2))],
    ]),
  },
  {
    title: 'encode bytes',
    names: ['copy', 'encodeBytes', 'Sender.frame of ws'],
    rows: SIZES.map((size) => [`${size} B`, () => byteWays(Buffer.alloc(size, 1))]),
  },
];

/** As ws writes an unmasked frame: a header, and the payload where it is. */
const options = { fin: true, rsv1: false, opcode: 1, mask: false, readOnly: false };

function textWays(text) {
  return [
    () => Buffer.from(text).copy(target, 4),
    () => encodeText(target, 0, 0x81, text),
    () => Sender.frame(Buffer.from(text), options),
  ];
}

function relayWays(text) {
  const bytes = Buffer.from(text);
  const another = `${text.slice(1)}.`;
  const sink = (said) => ({ onMessage: (told) => encodeText(target, 0, 0x81, said ?? told) });
  const [ofAnother, ofTheSame] = [sink(another), sink()];
  return [() => tellDecoded(ofAnother, text, bytes), () => tellDecoded(ofTheSame, text, bytes)];
}

function byteWays(bytes) {
  return [
    () => bytes.copy(target, 4),
    () => encodeBytes(target, 0, 0x82, bytes),
    () => Sender.frame(bytes, options),
  ];
}
