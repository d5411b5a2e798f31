/**
 * Echo, server by server in turn, in interleaved rounds: CPU time of the server process a message
 * (user and system), medians, and ratios to ws with bufferutil in the same round.
 *
 *   npm run bench [-- --quick]
 */
import { fork } from 'node:child_process';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const isQuick = process.argv.includes('--quick');
const ROUNDS = isQuick ? 3 : 7;
const SECONDS = isQuick ? 1 : 2;
const BASE = 'ws + bufferutil';

const SERVERS = [
  { name: 'attach-websocket', file: 'attach-websocket.mjs', path: '/echo', env: {} },
  { name: BASE, file: 'ws.mjs', path: '/', env: {} },
  { name: 'ws', file: 'ws.mjs', path: '/', env: { WS_NO_BUFFER_UTIL: '1' } },
];

const SCENARIOS = [
  { size: 125, binary: false, connections: 64, outstanding: 16 },
  { size: 125, binary: false, connections: 64, outstanding: 1 },
  { size: 1024, binary: false, connections: 64, outstanding: 16 },
  { size: 1024, binary: false, connections: 64, outstanding: 1 },
  ...(isQuick
    ? []
    : [
        { size: 20, binary: false, connections: 64, outstanding: 1 },
        { size: 125, binary: true, connections: 64, outstanding: 16 },
        { size: 4096, binary: false, connections: 64, outstanding: 1 },
        { size: 16_384, binary: true, connections: 64, outstanding: 1 },
        { size: 65_536, binary: true, connections: 16, outstanding: 1 },
        { size: 1_048_576, binary: true, connections: 4, outstanding: 1 },
        { size: 1_048_576, binary: false, connections: 4, outstanding: 1 },
      ]),
];

const chosen = process.argv.find((each) => each.startsWith('--only='))?.slice(7);

console.log(
  `Node ${process.version}, ${cpus().length} × ${cpus()[0].model}, ` +
    `ws ${version('ws')}, bufferutil ${version('bufferutil')}; ${ROUNDS} rounds of ${SECONDS} s\n`,
);
console.log('| echo | server | CPU a message, µs | ratio | lowest to highest | p50 / p99, ms |');
console.log('|---|---|---|---|---|---|');
for (const scenario of SCENARIOS) {
  const title = describe(scenario);
  if (chosen !== undefined && !title.includes(chosen)) continue;
  const rounds = [];
  for (let round = 0; round < ROUNDS; round++) rounds.push(await runRound(scenario));
  for (const { name } of SERVERS) {
    const own = rounds.map((round) => round.get(name));
    const ratios = rounds.map((round) => round.get(BASE).cpu / round.get(name).cpu).sort(ascending);
    console.log(
      `| ${title} | ${name} | ${median(own.map((each) => each.cpu)).toFixed(2)} ` +
        `| ${median(ratios).toFixed(2)} | ${ratios[0].toFixed(2)} to ${ratios.at(-1).toFixed(2)} ` +
        `| ${median(own.map((each) => each.p50)).toFixed(2)} / ${median(own.map((each) => each.p99)).toFixed(2)} |`,
    );
  }
}

async function runRound(scenario) {
  const results = new Map();
  for (const server of SERVERS) results.set(server.name, await measure(server, scenario));
  return results;
}

async function measure({ file, path, env }, scenario) {
  const server = start(`servers/${file}`, env);
  const { port } = await next(server);
  const load = start('load.mjs', {});
  load.send({ ...scenario, port, path, seconds: SECONDS, warmup: SECONDS / 2 });
  await next(load, 'ready');
  await next(load, 'start');
  const before = await usage(server);
  await next(load, 'stop');
  const after = await usage(server);
  const { messages, p50, p99 } = await next(load);
  load.disconnect();
  server.disconnect();
  return { cpu: (after.cpu - before.cpu) / messages, p50, p99, rss: after.rss };
}

function start(file, env) {
  return fork(fileURLToPath(new URL(file, import.meta.url)), { env: { ...process.env, ...env } });
}

function usage(server) {
  server.send('usage');
  return next(server);
}

function next(child, expected) {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('message', (message) => {
      if (expected === undefined || message === expected) resolve(message);
      else reject(new Error(`expected ${expected}, got ${JSON.stringify(message)}`));
    });
  });
}

function describe({ size, binary, connections, outstanding }) {
  return `${size} B ${binary ? 'binary' : 'text'}, ${connections} × ${outstanding}`;
}

function median(values) {
  return [...values].sort(ascending)[Math.floor(values.length / 2)];
}

function ascending(a, b) {
  return a - b;
}

function version(name) {
  return require(`${name}/package.json`).version;
}
