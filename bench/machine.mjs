/** Where it is measured, what its limits allow, and what the system knows of a process. */
import { readdirSync, readFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';
import { versions } from './peers.mjs';

/** In words, a line each. */
export function describeMachine({ processes, rounds, warmup, seconds }) {
  return [
    `Node ${process.version}, ${type()} ${release()}, ${cpus().length} × ${cpus()[0].model.trim()}, ` +
      `${Math.round(totalmem() / 2 ** 30)} GiB`,
    versions().join(', '),
    `processes of each server: ${processes}, rounds of each: ${rounds}, of ${seconds} s after ` +
      `${warmup} s to warm up, loopback`,
  ];
}

/** Says so, and leaves a scenario out, where a process may not have that many connections. */
export function descriptorsAreEnough({ name, connections }) {
  const limit = process.report.getReport().userLimits?.open_files.soft;
  const isEnough = !Number.isFinite(limit) || (connections ?? 0) + 100 <= limit;
  if (!isEnough) console.log(`left out: ${name} (ulimit -n is ${limit})`);
  return isEnough;
}

/**
 * CPU time of a process so far, of all its threads, in µs: Linux knows it to the nanosecond, and says
 * it at once, where a busy server would answer late. `undefined` elsewhere.
 */
export function cpuTimeOf(pid) {
  const folder = `/proc/${pid}/task`;
  try {
    return readdirSync(folder)
      .map((thread) => Number(readFileSync(`${folder}/${thread}/schedstat`, 'utf8').split(' ')[0]))
      .reduce((sum, nanoseconds) => sum + nanoseconds / 1000, 0);
  } catch {
    return undefined;
  }
}
