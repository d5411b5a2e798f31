// 300 times 1 MiB to one client that does not read, as often as asked; tells what was buffered,
// with what the socket was closed, and what is left of the memory.
import express from 'express';
import { Blob } from 'node:buffer';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { attachWebSocket, route } from 'attach-websocket';

const [how] = process.argv.slice(2);
const MIB = 1_048_576;
const COUNT = 300;

const sends = {
  socket: (socket) => socket.send(Buffer.alloc(MIB, 1)),
  text: (socket) => socket.send('x'.repeat(MIB)),
  blob: (socket) => socket.send(new Blob([Buffer.alloc(MIB, 1)])),
  small: (socket) => {
    for (let i = 0; i < 1024; i++) socket.send('x'.repeat(1024));
  },
  room: (socket) => socket.to('all').send(Buffer.alloc(MIB, 1)),
};

/** What the process really holds; `external` alone forgets what the kernel is still to take. */
const held = () => {
  // Twice: the memory of buffers is swept behind the collector's back, and counted at its next turn.
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

let before = 0;
let maxHeld = 0;
let maxBuffered = 0;
let refused = 0;

const slow = route(
  '/slow',
  { closeTimeout: 50 },
  {
    async open(socket) {
      socket.join('all');
      before = held();
      for (let i = 0; i < COUNT; i++) {
        if (sends[how](socket) === false && socket.readyState !== socket.OPEN) refused++;
        maxBuffered = Math.max(maxBuffered, socket.bufferedAmount);
        // All in one turn first, then over many of them.
        if (i > COUNT / 2) await new Promise(setImmediate);
        if (i % 50 === 0) maxHeld = Math.max(maxHeld, held());
      }
      maxHeld = Math.max(maxHeld, held());
    },
    async close(_socket, code, reason) {
      // What the turn still has on its stack goes with it.
      await new Promise(setImmediate);
      const after = held();
      const figures = { before, maxHeld, after, maxBuffered, refused };
      console.log(`closed ${JSON.stringify({ code, reason, ...figures })}`);
    },
  },
);

const app = express();
const server = createServer(app);
const sockets = attachWebSocket(app, server, [slow]);
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));

createInterface({ input: process.stdin }).once('line', async () => {
  process.stdin.destroy();
  await sockets.close({ timeout: 500 });
  server.close();
});
