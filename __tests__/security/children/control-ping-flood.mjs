// Counts pings, as many as its input says; then: what more is held than before the first of them?
import express from 'express';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { memory } from './control-memory.mjs';

const { attachWebSocket, route } = createRequire(import.meta.url)(
  process.argv[2] ?? 'attach-websocket',
);
let awaited = Infinity;
let before;

const flood = route('/flood', (socket) => {
  let pings = 0;
  socket.on('ping', () => {
    pings++;
    // Warmed up by then: code is compiled, and the young generation has its size.
    if (pings === 20_000) before = memory();
    if (pings === awaited) setImmediate(tell, socket);
  });
});

function tell(socket) {
  const after = memory();
  const figures = {
    heldGrowth: after.held - before.held,
    rssGrowth: after.rss - before.rss,
    buffered: socket.bufferedAmount,
  };
  console.log(`figures ${JSON.stringify(figures)}`);
}

const app = express();
const server = createServer(app);
attachWebSocket(app, server, [flood], { closeTimeout: 100 });
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
createInterface({ input: process.stdin }).once('line', (line) => {
  awaited = Number(line);
});
