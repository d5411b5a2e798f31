// An echo in a process where every subscriber throws: what Node makes of that comes to one handler.
import express from 'express';
import { subscribe } from 'node:diagnostics_channel';
import { createServer } from 'node:http';
import { attachWebSocket, route } from 'attach-websocket';

const CHANNELS = ['handshake:start', 'handshake:end', 'open', 'message', 'close', 'error'];

const seen = [];
for (const name of CHANNELS) {
  subscribe(`attach-websocket:${name}`, () => {
    throw new Error(name);
  });
}

const app = express();
const server = createServer(app);
const fail = () => {
  throw new Error('hook');
};
const echo = route('/echo', { message: (socket, data) => socket.send(data), close: fail });
const sockets = attachWebSocket(app, server, [echo], { onError: () => undefined });

process.on('uncaughtException', ({ message }) => {
  seen.push(message);
  if (message === 'error') {
    console.log(`seen ${JSON.stringify({ seen, metrics: sockets.metrics() })}`);
    process.exit();
  }
});
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
