// Counts pings, two numbers of them: what more is held at the second than at the first?
import express from 'express';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { memory } from './control-memory.mjs';

const { attachWebSocket, route } = createRequire(import.meta.url)(
  process.argv[2] ?? 'attach-websocket',
);
/** How many pings warm it up: code is compiled then, and the young generation has its size. */
let warm = Infinity;
let awaited = Infinity;
let before;

const flood = route('/flood', (socket) => {
  let pings = 0;
  socket.on('ping', () => {
    pings++;
    if (pings === warm) before = memory();
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
  [warm, awaited] = JSON.parse(line);
});
