/**
 * Nanoseconds an operation, for the thresholds that stand in lib/: each against the simplest way and
 * against the function of ws that does the same.
 *
 *   node bench/micro/run.mjs [--only=unmask] [--build=DIR]        (after npm run build)
 */
import { decoding } from './decode.mjs';
import { deflating } from './deflate.mjs';
import { encoding } from './encode.mjs';
import { matching } from './match.mjs';
import { option } from './subject.mjs';
import { time } from './time.mjs';
import { unmasking } from './unmask.mjs';

const only = option('only');

for (const { title, names, rows } of [
  unmasking,
  ...decoding,
  ...encoding,
  ...deflating,
  matching,
]) {
  if (only !== undefined && !title.includes(only)) continue;
  console.log(`\n| ${title}, ns | ${names.join(' | ')} |`);
  console.log(`|---|${names.map(() => '---|').join('')}`);
  for (const [row, make] of rows) {
    const figures = make().map((run) => (run === undefined ? '–' : time(run).toFixed(0)));
    console.log(`| ${row} | ${figures.join(' | ')} |`);
  }
}
