/**
 * The load client: raw sockets with one shared read buffer and frames masked beforehand, so that it
 * is not the bottleneck. A child process: gets a task, says 'ready', is told 'begin', says 'start'
 * and 'stop' around what counts, and then what it counted.
 */
import { runEcho } from './load/echo.mjs';
import { runFanout } from './load/fanout.mjs';
import { runFlood } from './load/flood.mjs';
import { runHandshakes } from './load/handshakes.mjs';
import { runIdle } from './load/idle.mjs';

const RUNS = {
  echo: runEcho,
  fanout: runFanout,
  flood: runFlood,
  handshakes: runHandshakes,
  idle: runIdle,
};

process.on('disconnect', () => process.exit());
process.on('message', async (task) => {
  // Other messages are words, for the task at hand.
  if (typeof task === 'string') return;
  try {
    await RUNS[task.kind](task);
  } catch (error) {
    process.send({ failed: error.stack });
  }
});
