/** Where it is measured, and what its limits allow. */
import { cpus, release, totalmem, type } from 'node:os';
import { versions } from './peers.mjs';

/** In words, a line each. */
export function describeMachine({ rounds, warmup, seconds }) {
  return [
    `Node ${process.version}, ${type()} ${release()}, ${cpus().length} × ${cpus()[0].model.trim()}, ` +
      `${Math.round(totalmem() / 2 ** 30)} GiB`,
    versions().join(', '),
    `${rounds} rounds of ${seconds} s after ${warmup} s to warm up, loopback`,
  ];
}

/** Says so, and leaves a scenario out, where a process may not have that many connections. */
export function descriptorsAreEnough({ name, connections }) {
  const limit = process.report.getReport().userLimits?.open_files.soft;
  const isEnough = !Number.isFinite(limit) || (connections ?? 0) + 100 <= limit;
  if (!isEnough) console.log(`left out: ${name} (ulimit -n is ${limit})`);
  return isEnough;
}
