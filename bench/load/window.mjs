/** The stretch of time that counts: after a warm-up, while the parent looks at the server. */

/** Resolves when the parent says this word. */
export function told(word) {
  return new Promise((resolve) => {
    process.on('message', function listen(message) {
      if (message !== word) return;
      process.off('message', listen);
      resolve();
    });
  });
}

/** What is counted while the window is open. */
export class Tally {
  messages = 0;
  latencies = [];
  isStopped = false;

  /** Warms up, counts for the task's time, and reports. */
  async run({ warmup, seconds }) {
    await delay(warmup * 1000);
    this.messages = 0;
    this.latencies = [];
    process.send('start');
    const startedAt = performance.now();
    await delay(seconds * 1000);
    process.send('stop');
    const { messages, latencies } = this;
    const elapsed = (performance.now() - startedAt) / 1000;
    this.isStopped = true;
    const [p50, p99] = percentiles(latencies);
    process.send({ messages, rate: messages / elapsed, p50, p99 });
  }
}

export function delay(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function percentiles(values) {
  const sorted = Float64Array.from(values).sort();
  if (sorted.length === 0) return [undefined, undefined];
  return [0.5, 0.99].map((part) => sorted[Math.floor(sorted.length * part)]);
}
