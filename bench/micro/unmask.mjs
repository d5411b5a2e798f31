import { built, ofWs, require } from './subject.mjs';

const { applyMask } = built('protocol/mask.js');
const { unmask } = ofWs('buffer-util.js');
const addon = require('bufferutil');

const SIZES = [8, 16, 32, 48, 64, 125, 256, 512, 1024, 2048, 4096, 16_384, 65_536];
const key = Buffer.from('37fa213d', 'hex');
const keyNumber = key.readInt32BE(0);

export const unmasking = {
  title: 'unmask',
  names: ['a byte at a time', 'applyMask', 'ws', 'bufferutil'],
  rows: SIZES.map((size) => [`${size} B`, () => ways(size)]),
};

/** An odd start, as behind a header. */
function ways(size) {
  const bytes = Buffer.alloc(size + 7, 1).subarray(7);
  return [
    () => {
      for (let at = 0; at < bytes.length; at++) bytes[at] ^= key[at & 3];
    },
    () => applyMask(bytes, 0, bytes.length, keyNumber),
    () => unmask(bytes, key),
    () => addon.unmask(bytes, key),
  ];
}
