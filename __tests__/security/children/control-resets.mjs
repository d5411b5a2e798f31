// A server without handlers for anything; at its end it says what its sockets were told.
import express from 'express';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const { attachWebSocket, route } = createRequire(import.meta.url)(
  process.argv[2] ?? 'attach-websocket',
);
const told = { opened: 0, closed: 0, left: 0, asked: 0, aborted: 0 };

const watched = route('/w', {
  open() {
    told.opened++;
  },
  message(socket, data) {
    if (data === 'much') for (let at = 0; at < 12; at++) socket.send(Buffer.alloc(1_048_576));
    else socket.close(Number(data));
  },
  close() {
    told.closed++;
  },
});
const echo = route('/echo', (socket) => {
  socket.on('message', (data) => socket.send(data));
});
const asking = route(
  '/auth',
  {
    auth: (_req, { signal }) => {
      told.asked++;
      signal.addEventListener('abort', () => told.aborted++);
      return new Promise(() => {});
    },
  },
  () => {},
);

const app = express();
const server = createServer(app);
const sockets = attachWebSocket(app, server, [watched, echo, asking], { maxBackpressure: 2 ** 30 });
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));

createInterface({ input: process.stdin }).once('line', async () => {
  process.stdin.destroy();
  await sockets.close({ timeout: 500 });
  server.close();
  console.log(`told ${JSON.stringify({ ...told, left: sockets.clients.size })}`);
});
