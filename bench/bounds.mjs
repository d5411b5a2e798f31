/**
 * What compression may cost, in figures: memory kept a connection, and what bombs do.
 *
 *   npm run build && node bench/bounds.mjs [--connections=5000] [--takeover]
 *
 * Clients are in this process, the server with default limits and `perMessageDeflate` is a child. The
 * first round is without compression: any connections grow the heap of a process that is new, and
 * Node keeps that (a plain `net` server does as well). The third round shows that nothing adds up.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { constants, deflateRawSync } from 'node:zlib';
import { delay } from './load/window.mjs';
import { jsonOf, maskedFrame, openAll } from './load/wire.mjs';

const require = createRequire(import.meta.url);
const SELF = fileURLToPath(import.meta.url);
const TEXT = 0x81;
const COMPRESSED_TEXT = 0xc1;
const COMPRESSED_BINARY = 0xc2;
const BOMB_BYTES = 99 * 2 ** 20;

if (process.argv[2] === 'server') serve();
else await measure();

function serve() {
  const express = require('express');
  const { attachWebSocket, route } = require('attach-websocket');
  const app = express();
  const server = createServer(app);
  const contextTakeover = process.argv[3] === 'takeover';
  const echo = route(
    '/bench',
    { perMessageDeflate: { contextTakeover } },
    {
      message: (socket, data) => void socket.send(data),
    },
  );
  attachWebSocket(app, server, [echo]);
  const watch = { peak: 0, blocked: 0, at: performance.now() };
  setInterval(() => {
    const now = performance.now();
    watch.blocked = Math.max(watch.blocked, now - watch.at - 2);
    watch.at = now;
    watch.peak = Math.max(watch.peak, process.memoryUsage.rss());
  }, 2).unref();
  process.on('message', () => {
    const { peak, blocked } = watch;
    globalThis.gc();
    globalThis.gc();
    process.send({ rss: process.memoryUsage.rss(), peak, blocked });
    Object.assign(watch, { peak: 0, blocked: 0, at: performance.now() });
  });
  process.on('disconnect', () => process.exit());
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
    process.send({ port: server.address().port });
  });
}

async function measure() {
  const isTakeover = process.argv.includes('--takeover');
  const count = Number(
    process.argv.find((each) => each.startsWith('--connections='))?.slice(14) ?? 5000,
  );
  const server = fork(SELF, ['server', isTakeover ? 'takeover' : 'alone'], {
    execArgv: ['--expose-gc'],
  });
  const [{ port }] = await once(server, 'message');
  const task = { port, offersDeflate: true };
  console.log(`context takeover ${isTakeover ? 'on' : 'off'}, ${count} connections, RSS in MB`);
  await memoryRound(server, { port }, count, 'plain');
  for (const round of ['first', 'second']) await memoryRound(server, task, count, round);
  for (const bombs of [10, 100]) await bombRound(server, task, bombs);
  server.disconnect();
}

async function memoryRound(server, task, count, round) {
  const frame = task.offersDeflate
    ? compressedFrame(COMPRESSED_TEXT, jsonOf(2048))
    : maskedFrame(TEXT, jsonOf(2048));
  const before = await ask(server);
  const echoed = new Set();
  let allEchoed;
  const done = new Promise((resolve) => (allEchoed = resolve));
  const sockets = await openAll(task, count, (index) => () => {
    echoed.add(index);
    if (echoed.size === count) allEchoed();
  });
  const idle = await ask(server);
  for (const socket of sockets) socket.write(frame);
  await done;
  const after = await ask(server);
  await closeAll(sockets);
  // What the first collection lets go of is given back a little later.
  await ask(server);
  await delay(500);
  const closed = await ask(server);
  const kept = (after.rss - idle.rss) / count / 1024;
  console.log(
    `${round} round: before ${mb(before.rss)}, open ${mb(idle.rss)}, after 2 KiB each way ${mb(after.rss)} ` +
      `(${kept.toFixed(1)} KiB a connection), all closed ${mb(closed.rss)} ` +
      `(${((closed.rss / before.rss - 1) * 100).toFixed(0)} % more than before)`,
  );
}

async function bombRound(server, task, count) {
  const bomb = compressedFrame(COMPRESSED_BINARY, Buffer.alloc(BOMB_BYTES));
  const answered = [];
  let started = Infinity;
  const sockets = await openAll(task, count, () => (bytes, length) => {
    answered.push({ ms: performance.now() - started, frame: bytes.toString('hex', 0, length) });
  });
  const before = await ask(server);
  const ends = sockets.map((socket) => once(socket, 'close'));
  started = performance.now();
  for (const socket of sockets) socket.write(bomb);
  await Promise.all(ends.map((end, at) => end.finally(() => sockets[at].destroy())));
  const after = await ask(server);
  const times = answered.map(({ ms }) => ms).sort((one, other) => one - other);
  console.log(
    `${count} bombs of 99 MB (${bomb.length} bytes each): ` +
      `${answered.filter(({ frame }) => frame === '880203f1').length} answered with 1009, ` +
      `median ${times[count >> 1].toFixed(1)} ms, last ${times.at(-1).toFixed(1)} ms; ` +
      `RSS at most ${mb(Math.max(0, after.peak - before.rss))} more, ` +
      `event loop blocked at most ${after.blocked.toFixed(1)} ms`,
  );
}

function compressedFrame(first, payload) {
  const flushed = deflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH });
  return maskedFrame(first, flushed.subarray(0, -4));
}

async function closeAll(sockets) {
  const ends = sockets.map((socket) => once(socket, 'close'));
  for (const socket of sockets) socket.destroy();
  await Promise.all(ends);
  // The server's side closes when it has read the end.
  await delay(1000);
}

async function ask(server) {
  server.send('memory');
  const [answer] = await once(server, 'message');
  return answer;
}

function mb(bytes) {
  return (bytes / 1e6).toFixed(1);
}
