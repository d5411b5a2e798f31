/** Medians, and ratios to the base with their spread. */
import { BASE } from '../peers.mjs';

export function median(values) {
  const known = values.filter((value) => value !== undefined).sort(ascending);
  if (known.length === 0) return undefined;
  const middle = known.length / 2;
  return (known[Math.ceil(middle) - 1] + known[Math.floor(middle)]) / 2;
}

/** One row a peer: medians of the rounds; the ratio is that of each round to the base's same round. */
export function summarize(results) {
  const bases = results.get(BASE);
  return [...results].map(([name, rounds]) => {
    const of = (key) => median(rounds.map((round) => round[key]));
    return {
      name,
      rounds,
      cpu: of('cpu'),
      rate: of('rate'),
      p50: of('p50'),
      p99: of('p99'),
      rss: of('rss'),
      rssEach: of('rssEach'),
      heapEach: of('heapEach'),
      ratio: bases === undefined ? undefined : ratios(bases, rounds),
    };
  });
}

/** How many times less CPU than the base, round by round: median, lowest, highest. */
export function ratios(bases, rounds) {
  const all = rounds
    .map((round, index) => bases[index].cpu / round.cpu)
    .filter(Number.isFinite)
    .sort(ascending);
  if (all.length === 0) return undefined;
  return { median: median(all), lowest: all[0], highest: all.at(-1) };
}

function ascending(a, b) {
  return a - b;
}
