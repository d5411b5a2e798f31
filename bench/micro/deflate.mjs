import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { jsonOf } from '../load/wire.mjs';
import { built } from './subject.mjs';

const SIZES = [128, 1024, 4096, 16_384, 32_768, 65_536];
const SYNC = { finishFlush: constants.Z_SYNC_FLUSH };

export const deflating = [-1, 1].map((level) => ({
  title: `deflate JSON, level ${level === -1 ? 'default' : level}`,
  names: ['deflateRawSync', 'Deflater.now', 'inflateRawSync', 'Inflater.now'],
  rows: SIZES.map((size) => [`${size} B`, () => ways(jsonOf(size), level)]),
}));

function ways(payload, level) {
  const tail = Buffer.from([0x00, 0x00, 0xff, 0xff]);
  const compressed = deflateRawSync(payload, { ...SYNC, level }).subarray(0, -4);
  const { deflate, inflate } = ours(level);
  return [
    () => deflateRawSync(payload, { ...SYNC, level }),
    deflate.constructor.isQuick(payload.length) ? () => deflate.now(payload) : undefined,
    () => inflateRawSync(Buffer.concat([compressed, tail]), SYNC),
    inflate.now(compressed) === undefined ? undefined : () => inflate.now(compressed),
  ];
}

function ours(level) {
  const { Deflater } = built('protocol/deflater.js');
  const { Inflater } = built('protocol/inflater.js');
  const options = { threshold: 0, level, windowBits: 15, memLevel: 8, contextTakeover: false };
  const terms = {
    response: 'permessage-deflate',
    serverTakeover: false,
    clientTakeover: false,
    serverWindowBits: 15,
    clientWindowBits: 15,
  };
  return { deflate: new Deflater(terms, options), inflate: new Inflater(terms, 1_048_576) };
}
