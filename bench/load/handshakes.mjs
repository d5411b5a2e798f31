/** Opens, waits for the 101, leaves, again: some at a time. */
import { open } from './wire.mjs';
import { Tally, told } from './window.mjs';

const AT_A_TIME = 16;

export async function runHandshakes(task) {
  const tally = new Tally();
  process.send('ready');
  await told('begin');
  for (let each = 0; each < AT_A_TIME; each++) void repeat(task, tally);
  await tally.run(task);
}

async function repeat(task, tally) {
  try {
    while (!tally.isStopped) {
      const startedAt = performance.now();
      const socket = await open(task, 0, () => undefined);
      tally.messages++;
      tally.latencies.push(performance.now() - startedAt);
      socket.destroy();
    }
  } catch (error) {
    if (!tally.isStopped) process.send({ failed: error.stack });
  }
}
