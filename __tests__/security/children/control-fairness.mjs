// Counts what `/flood` is sent; `/echo` answers with how many frames of it were handled by then.
import express from 'express';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';

const { attachWebSocket, route } = createRequire(import.meta.url)(
  process.argv[2] ?? 'attach-websocket',
);
let handled = 0;
const count = () => {
  handled++;
};

const flood = route(
  '/flood',
  { maxFragments: Infinity, perMessageDeflate: true },
  {
    open: (socket) => void socket.on('ping', count).on('pong', count),
    message: count,
  },
);
const echo = route('/echo', {
  message: (socket) => void socket.send(String(handled)),
});

const app = express();
const server = createServer(app);
attachWebSocket(app, server, [flood, echo]);
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
