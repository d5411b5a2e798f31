// A server as the README closes it: on SIGTERM, with nothing that ends the process by force.
import express from 'express';
import { createServer } from 'node:http';
import { attachWebSocket, route } from 'attach-websocket';

const app = express();
app.get('/', (_req, res) => {
  res.send('page');
});
const server = createServer(app);
const sockets = attachWebSocket(
  app,
  server,
  [
    route('/echo', (socket) => {
      socket.on('message', (data) => socket.send(data));
    }),
    route('/slow', { auth: () => new Promise(() => {}) }, () => {}),
    route('/busy', { idleTimeout: 3_600_000 }, async (socket) => {
      socket.join('room');
      for await (const message of socket) socket.send(message);
    }),
  ],
  { pingInterval: 30_000 },
);
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));

process.once('SIGTERM', async () => {
  server.close(() => console.log('server closed'));
  await sockets.close({ timeout: 300 });
  console.log(`left ${JSON.stringify(sockets.clients.size)}`);
});
