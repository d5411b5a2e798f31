// As a user writes it: the built library by its name, default options, an Express app, one route.
import express from 'express';
import { createServer } from 'node:http';
import { serve, settings } from '../serve.mjs';

// run.mjs --build names another build of it, to be compared with this one.
const { attachWebSocket, route } = await import(process.env.BENCH_BUILD ?? 'attach-websocket');

const app = express();
const server = createServer(app);
const echo = { message: (socket, data) => socket.send(data) };
const nothing = (_req, _res, next) => next();

const { role, deflate } = settings;
const options = deflate === undefined ? {} : { perMessageDeflate: deflate.ours };

const routes = {
  echo: () => route('/bench', options, echo),
  listener: () => route('/bench', (socket) => socket.on('message', (data) => socket.send(data))),
  fanout: () =>
    route('/bench', options, {
      open: (socket) => socket.join('all'),
      message: (socket, data) => socket.to('all').send(data),
    }),
  use: () => route('/bench', { use: nothing }, echo),
  auth: () => route('/bench', { use: nothing, auth: async () => ({ user: 'ada' }) }, echo),
};

attachWebSocket(app, server, [routes[role]()]);
serve(server);
