// A server whose user code fails as the path says, with no hook, no listener and no handler of the
// process: what gets out of the library ends this process.
import express from 'express';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { attachWebSocket, route } from 'attach-websocket';
import { faultRoute } from './faults.js';

const app = express();
const server = createServer(app);
const slowAuth = route(
  '/slow',
  { auth: () => new Promise((resolve) => setTimeout(resolve, 20, {})) },
  (socket) => {
    socket.send('late');
  },
);
const onErrorThrows = express();
const other = createServer(onErrorThrows);
const attachments = [
  attachWebSocket(app, server, [faultRoute(route), slowAuth]),
  attachWebSocket(onErrorThrows, other, [faultRoute(route)], {
    onError() {
      throw undefined;
    },
  }),
];

const listen = (each) =>
  new Promise((resolve) => each.listen(0, '127.0.0.1', () => resolve(each.address().port)));
const ports = [await listen(server), await listen(other)];
console.log(`ports ${JSON.stringify(ports)}`);

createInterface({ input: process.stdin }).once('line', async () => {
  process.stdin.destroy();
  await Promise.all(attachments.map((sockets) => sockets.close({ timeout: 500 })));
  server.close();
  other.close();
  console.log('stopped true');
});
