/** The best of seven runs of about 15 ms: what else the machine does only adds. */
export function time(run) {
  for (let warm = 0; warm < 2000; warm++) run();
  let times = 200;
  let best = Infinity;
  for (let round = 0; round < 7; round++) {
    const start = performance.now();
    for (let at = 0; at < times; at++) run();
    const elapsed = performance.now() - start;
    best = Math.min(best, (elapsed * 1e6) / times);
    times = Math.max(50, Math.ceil((times * 15) / Math.max(elapsed, 0.01)));
  }
  return best;
}
