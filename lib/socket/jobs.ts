/** Starts something that calls `done` once, when it has ended. */
export type Job = (done: () => void) => void;

/**
 * Jobs of zlib at a time, for the whole process: their memory is bounded by this, and half of the
 * thread pool's usual four threads are left to files and names.
 */
const MAX_RUNNING = 2;

const waiting: Job[] = [];
let running = 0;

/** Starts a job when there is room for it; first come, first served. */
export function enqueueJob(job: Job): void {
  waiting.push(job);
  startNext();
}

function startNext(): void {
  if (running >= MAX_RUNNING) return;
  const job = waiting.shift();
  if (job === undefined) return;
  running++;
  job(ended);
}

function ended(): void {
  running--;
  startNext();
}
