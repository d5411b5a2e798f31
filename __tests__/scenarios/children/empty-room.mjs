// 100 MiB to a room without members, a KiB in each turn: what is left of it in memory?
import express from 'express';
import { createServer } from 'node:http';
import { attachWebSocket, route } from 'attach-websocket';

const app = express();
const sockets = attachWebSocket(app, createServer(app), [route('/r', () => {})]);
const held = () => {
  // Twice: the memory of buffers is swept behind the collector's back, and counted at its next turn.
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

const before = held();
for (let i = 0; i < 1000; i++) {
  for (let j = 0; j < 100; j++) sockets.to('nobody').send('x'.repeat(1024));
  await new Promise(setImmediate);
}
console.log(`memory ${JSON.stringify({ before, after: held() })}`);
await sockets.close();
