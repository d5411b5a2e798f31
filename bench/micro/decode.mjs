import { randomBytes } from 'node:crypto';
import { isUtf8 } from 'node:buffer';
import { built, ofWs } from './subject.mjs';

const { decodeText } = built('protocol/utf8.js');
const { applyMask, copyMasked } = built('protocol/mask.js');
const { copyUnmasked, forgetRead, unmaskedText } = built('protocol/read-image.js');
const { Decoder } = built('protocol/decoder.js');
const Receiver = ofWs('receiver.js');

const SIZES = [8, 11, 16, 32, 125, 512, 1024, 2048, 4096, 16_384, 65_536];

const textOf = {
  ASCII: (size) => Buffer.alloc(size, 'attach-websocket '),
  'beyond ASCII': (size) => Buffer.from('ü'.repeat(size / 2)),
};

export const decoding = [
  ...Object.entries(textOf).map(([kind, make]) => ({
    title: `decode text, ${kind}`,
    names: ['isUtf8, then toString', 'decodeText'],
    rows: SIZES.map((size) => [`${size} B`, () => textWays(make(size))]),
  })),
  {
    title: 'unmask and decode text, 16 in a read',
    names: ['applyMask, decodeText', 'unmaskedText'],
    rows: [20, 64, 125, 256, 512, 1024, 4000].map((size) => [`${size} B`, () => readWays(size)]),
  },
  {
    title: 'copy bytes out and unmask them, 16 in a read',
    names: ['copyMasked', 'copyUnmasked'],
    rows: [20, 64, 125, 256, 512, 1024, 4000].map((size) => [`${size} B`, () => copyWays(size)]),
  },
  {
    title: 'decode a text frame, in bursts of 16',
    names: ['Decoder', 'Receiver of ws'],
    rows: [20, 125, 1024, 4096, 16_384].map((size) => [`${size} B`, () => frameWays(size)]),
  },
];

function textWays(bytes) {
  return [
    () => {
      if (!isUtf8(bytes)) throw new Error('not UTF-8');
      return bytes.toString();
    },
    () => decodeText(bytes, 0, bytes.length),
  ];
}

/** The key leaves ASCII what is ASCII, so that a text may be unmasked again and again. */
function readWays(size) {
  return [
    sixteen(size, (read, start, end) => {
      applyMask(read, start, end, 0x01020304);
      decodeText(read, start, end);
    }),
    sixteen(size, (read, start, end) => unmaskedText(read, start, end, 0x01020304)),
  ];
}

function copyWays(size) {
  const target = Buffer.alloc(size);
  const copy = (way) => (source, start, end) =>
    way({ source, start, end, key: 0x01020304 }, target, 0);
  return [sixteen(size, copy(copyMasked)), sixteen(size, copy(copyUnmasked))];
}

/** Takes the messages of a read, one after the other. */
function sixteen(size, take) {
  const each = size + 8;
  const read = Buffer.alloc(16 * each, 'attach-websocket ');
  return () => {
    forgetRead();
    for (let at = 8; at < read.length; at += each) take(read, at, at + size);
  };
}

/** Both unmask in place, so what they get is copied first, for either. */
function frameWays(size) {
  const burst = Buffer.concat(Array.from({ length: 16 }, () => maskedFrame(size)));
  const chunk = Buffer.allocUnsafeSlow(burst.length);
  const nothing = () => undefined;
  const sink = { onMessage: nothing, onPing: nothing, onPong: nothing, onClose: nothing };
  const decoder = new Decoder({ maxPayload: 1_048_576, maxFragments: 1024 }, sink);
  const receiver = new Receiver({ isServer: true, allowSynchronousEvents: true });
  receiver.on('message', nothing);
  const each = (push) => () => {
    burst.copy(chunk);
    push(chunk);
  };
  return [each((bytes) => decoder.push(bytes)), each((bytes) => receiver.write(bytes))];
}

function maskedFrame(size) {
  const key = randomBytes(4);
  const payload = Buffer.alloc(size, 'attach-websocket ').map((byte, at) => byte ^ key[at % 4]);
  const length = Buffer.alloc(size < 126 ? 2 : 4);
  length[0] = 0x81;
  length[1] = 0x80 | (size < 126 ? size : 126);
  if (size >= 126) length.writeUInt16BE(size, 2);
  return Buffer.concat([length, key, payload]);
}
