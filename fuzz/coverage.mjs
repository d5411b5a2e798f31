/** How often, in steps that matter: once, twice, a few times, often. */
const STEPS = [0, 1, 2, 3, 4, 8, 16, 32, 128];

function stepOf(count) {
  let step = STEPS.length - 1;
  while (count < STEPS[step]) step--;
  return step;
}

/** The counters of the instrumented core, flattened: one run's, and all that was ever reached. */
export class Coverage {
  #counters;
  #seen = new Set();

  constructor(report) {
    this.#counters = Object.values(report).flatMap(({ s, f, b }) => [
      ...Object.keys(s).map((id) => [s, id]),
      ...Object.keys(f).map((id) => [f, id]),
      ...Object.values(b).flatMap((arms) => arms.map((_, arm) => [arms, arm])),
    ]);
  }

  /** Counts from zero. */
  reset() {
    for (const [counts, id] of this.#counters) counts[id] = 0;
  }

  /** Everything that the run executed, as numbers: which counter, and which step. */
  features() {
    const found = [];
    let operations = 0;
    for (const [index, [counts, id]] of this.#counters.entries()) {
      const count = counts[id];
      if (count === 0) continue;
      operations += count;
      found.push(index * STEPS.length + stepOf(count));
    }
    return { found, operations };
  }

  /** Those that no run has had before; from now on, one has. */
  learn(found) {
    const fresh = found.filter((feature) => !this.#seen.has(feature));
    for (const feature of fresh) this.#seen.add(feature);
    return fresh;
  }

  get size() {
    return this.#seen.size;
  }
}
