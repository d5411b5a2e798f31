/**
 * Nanoseconds an operation, for the thresholds that stand in lib/: each against the simplest way.
 *
 *   node bench/micro.mjs        (after npm run build)
 */
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { applyMask } = require('../dist/protocol/mask.js');
const { decodeText } = require('../dist/protocol/utf8.js');
const { encodeText } = require('../dist/protocol/encoder.js');
const bufferUtil = require('bufferutil');

const SIZES = [8, 16, 32, 48, 64, 125, 512, 1024, 2048, 4096, 16_384, 65_536];
const key = Buffer.from('37fa213d', 'hex');
const keyNumber = key.readInt32BE(0);

table('unmask', ['naive loop', 'applyMask', 'bufferutil'], (size) => {
  // An odd start, as behind a header.
  const bytes = Buffer.alloc(size + 7, 1).subarray(7);
  return [
    () => {
      for (let at = 0; at < bytes.length; at++) bytes[at] ^= key[at & 3];
    },
    () => applyMask(bytes, 0, bytes.length, keyNumber),
    () => bufferUtil.unmask(bytes, key),
  ];
});

table('decode ASCII', ['toString, then isUtf8', 'decodeText'], (size) => {
  const bytes = Buffer.alloc(size, 'attach-websocket ');
  return [
    () => require('node:buffer').isUtf8(bytes) && bytes.toString(),
    () => decodeText(bytes, 0, size),
  ];
});

table('encode ASCII', ['Buffer.from, then copy', 'encodeText'], (size) => {
  const text = 'a'.repeat(size);
  const target = Buffer.alloc(3 * size + 10);
  return [() => Buffer.from(text).copy(target, 4), () => encodeText(target, 0, 0x81, text)];
});

function table(title, names, make) {
  console.log(`\n| ${title}, ns | ${names.join(' | ')} |`);
  console.log(`|---|${names.map(() => '---|').join('')}`);
  for (const size of SIZES) {
    const figures = make(size).map((run) => time(run).toFixed(0));
    console.log(`| ${size} B | ${figures.join(' | ')} |`);
  }
}

/** The best of five runs of about 20 ms. */
function time(run) {
  for (let warm = 0; warm < 2000; warm++) run();
  let times = 1000;
  let best = Infinity;
  for (let round = 0; round < 5; round++) {
    const start = performance.now();
    for (let at = 0; at < times; at++) run();
    const elapsed = performance.now() - start;
    best = Math.min(best, (elapsed * 1e6) / times);
    times = Math.max(100, Math.ceil((times * 20) / Math.max(elapsed, 0.01)));
  }
  return best;
}
