// A server with a neighbour that leaves its upgrades alone, and no handlers for anything.
import express from 'express';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const { attachWebSocket, route } = createRequire(import.meta.url)(
  process.argv[2] ?? 'attach-websocket',
);
const asking = route(
  '/auth',
  {
    auth: () => {
      console.log('/auth true');
      return new Promise(() => {});
    },
  },
  () => {},
);
const echo = route('/echo', (socket) => {
  socket.on('message', (data) => socket.send(data));
});

const app = express();
const server = createServer(app);
const sockets = attachWebSocket(app, server, [asking, echo], { handshakeTimeout: 5000 });
server.on('upgrade', ({ url }) => {
  if (url === '/foreign') console.log('/foreign true');
});
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));

createInterface({ input: process.stdin }).once('line', async () => {
  process.stdin.destroy();
  await sockets.close({ timeout: 100 });
  server.close();
});
