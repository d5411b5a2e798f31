/** What the process really holds, and what the system counts. */
export function memory() {
  // Twice: the memory of buffers is swept behind the collector's back, and counted at its next turn.
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { held: heapUsed + external, rss };
}
