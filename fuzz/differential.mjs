/*
 * The same client bytes, read by this library and by ws: node fuzz/differential.mjs --seconds 60
 * [--seed 1]. Fails on a difference that differences.ts does not explain.
 */
import { parseArgs } from 'node:util';
import { load } from './build.mjs';
import { readInputs } from './corpus.mjs';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Math.floor(performance.timeOrigin) % 1_000_000) },
    findings: { type: 'string', default: '5' },
  },
});

const [{ comparisons }, { decoder }, { Random }, { DIFFERENCES }] = load(
  'differential',
  'compare.ts',
  'targets/decoder.ts',
  'random.ts',
  'differences.ts',
);

const show = ({ heard, fault, why }) =>
  `${heard.map((line) => line.slice(0, 80)).join(' | ')} ${fault ?? 'no fault'} ${why}`;

async function main() {
  const seed = Number(values.seed);
  const seeds = [...decoder.seeds, ...readInputs('corpus', decoder.name)];
  const counts = new Map(['the same', ...DIFFERENCES].map((outcome) => [outcome, 0]));
  const end = performance.now() + Number(values.seconds) * 1000;
  let findings = 0;
  console.log(`seed ${seed}`);
  for await (const { bytes, ours, theirs, outcome } of comparisons(new Random(seed), seeds)) {
    if (outcome === undefined) {
      findings++;
      console.error(`${bytes.toString('hex')}\n  ours: ${show(ours)}\n  ws:   ${show(theirs)}`);
    } else {
      counts.set(outcome, counts.get(outcome) + 1);
    }
    if (performance.now() > end || findings >= Number(values.findings)) break;
  }
  for (const [outcome, count] of counts) console.log(`${count}\t${outcome.name ?? outcome}`);
  process.exitCode = findings === 0 ? 0 : 1;
}

await main();
