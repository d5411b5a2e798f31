import { built, ofWs } from './subject.mjs';

const { encodeText, encodeBytes } = built('protocol/encoder.js');
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

function byteWays(bytes) {
  return [
    () => bytes.copy(target, 4),
    () => encodeBytes(target, 0, 0x82, bytes),
    () => Sender.frame(bytes, options),
  ];
}
