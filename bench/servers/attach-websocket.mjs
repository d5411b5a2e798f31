// As a user writes it: default options, the built library by its name.
import express from 'express';
import { createServer } from 'node:http';
import { attachWebSocket, route } from 'attach-websocket';
import { serve } from '../serve.mjs';

const app = express();
const server = createServer(app);
const echo = route('/echo', { message: (socket, data) => socket.send(data) });
const listening = route('/listener', (socket) => {
  socket.on('message', (data) => socket.send(data));
});
attachWebSocket(app, server, [echo, listening]);
serve(server);
