/*
 * Coverage-guided fuzzing of the protocol core: node fuzz/run.mjs --seconds 600 [--seed 1]
 * [--target decoder] [--no-save]. See README.md.
 */
import { parseArgs } from 'node:util';
import { load } from './build.mjs';
import { choose, readInputs, writeCorpus, writeInput } from './corpus.mjs';
import { Coverage } from './coverage.mjs';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Math.floor(performance.timeOrigin) % 1_000_000) },
    target: { type: 'string' },
    'no-save': { type: 'boolean', default: false },
  },
});

const [{ TARGETS }, { mutate }, { Random }] = load(
  'fuzz',
  'targets/index.ts',
  'mutate.ts',
  'random.ts',
);

/** Tries to make an input that is new or broken smaller, with so many runs at most. */
const MAX_SHRINKS = 200;

/** One target, what it has been fed, and how far that got. */
class Fuzzer {
  runs = 0;
  crashes = [];
  #entries = [];
  #known = new Set();

  constructor(target, random, coverage) {
    this.target = target;
    this.random = random;
    this.coverage = coverage;
    for (const input of [
      ...target.seeds,
      ...readInputs('corpus', target.name),
      ...readInputs('crashes', target.name),
    ]) {
      this.try(input);
    }
  }

  get entries() {
    return this.#entries;
  }

  /** Some thousand runs between two looks at the clock. */
  spend(milliseconds) {
    const end = performance.now() + milliseconds;
    while (performance.now() < end) for (let count = 0; count < 50; count++) this.step();
  }

  step() {
    const { random } = this;
    // The newest inputs lead on; the first half of the time goes to them.
    const newest = this.#entries.slice(-20);
    const { input } = random.pick(random.once(2) ? newest : this.#entries);
    this.try(mutate(random, this.target, input, random.pick(this.#entries).input));
  }

  try(input) {
    const { found, broken } = this.#execute(input);
    if (broken !== undefined) this.#crash(input, broken);
    const fresh = this.coverage.learn(found);
    if (fresh.length === 0) return;
    const small = this.#shrink(input, (each) => {
      const again = new Set(this.#execute(each).found);
      return fresh.every((feature) => again.has(feature));
    });
    this.#entries.push({ input: small, found: this.#execute(small).found });
  }

  #execute(input) {
    const { target, coverage } = this;
    this.runs++;
    coverage.reset();
    let broken;
    try {
      target.run(Buffer.from(input));
    } catch (error) {
      broken = error;
    }
    const { found, operations } = coverage.features();
    const allowed = target.operations(input.length);
    if (operations > allowed) broken ??= new Error(`${operations} statements, not ${allowed}`);
    return { found, broken };
  }

  #crash(input, broken) {
    const kind = kindOf(broken);
    if (this.#known.has(kind)) return;
    this.#known.add(kind);
    const small = this.#shrink(input, (each) => {
      const again = this.#execute(each).broken;
      return again !== undefined && kindOf(again) === kind;
    });
    this.crashes.push({ input: small, broken });
    const { name } = this.target;
    const where = values['no-save'] ? small.toString('hex') : writeInput('crashes', name, small);
    console.error(`${name}: ${broken.stack}\n  ${where}`);
  }

  #shrink(input, isStillSo) {
    let small = input;
    let left = MAX_SHRINKS;
    for (let size = small.length >> 1; size > 0 && left > 0; size >>= 1) {
      for (let at = 0; at < small.length && left > 0; left--) {
        const shorter = Buffer.concat([small.subarray(0, at), small.subarray(at + size)]);
        if (shorter.length < small.length && isStillSo(shorter)) small = shorter;
        else at += size;
      }
    }
    return small;
  }
}

/** Crashes of one kind are reported once: numbers in the text do not make another one. */
const kindOf = (error) =>
  `${error.name} ${error.message}`.replaceAll(/[0-9a-f]{2,}|\d/g, '#').slice(0, 60);

function main() {
  const seed = Number(values.seed);
  const random = new Random(seed);
  const coverage = new Coverage(globalThis.__coverage__);
  const chosen = TARGETS.filter(({ name }) => (values.target ?? name) === name);
  const fuzzers = chosen.map((target) => new Fuzzer(target, random, coverage));
  console.log(`seed ${seed}, ${coverage.size} features from the corpus`);
  const end = performance.now() + Number(values.seconds) * 1000;
  let report = performance.now() + 10_000;
  while (performance.now() < end) {
    for (const fuzzer of fuzzers) fuzzer.spend(250);
    if (performance.now() < report) continue;
    report += 10_000;
    console.log(
      fuzzers.map((each) => `${each.target.name} ${each.runs}`).join(', '),
      coverage.size,
    );
  }
  for (const { target, entries, runs, crashes } of fuzzers) {
    const kept = choose(entries);
    if (!values['no-save']) writeCorpus(target.name, kept);
    console.log(
      `${target.name}: ${runs} runs, ${kept.length} inputs kept, ${crashes.length} crashes`,
    );
  }
  console.log(`${coverage.size} features`);
  process.exitCode = fuzzers.some(({ crashes }) => crashes.length > 0) ? 1 : 0;
}

main();
