// express-ws as its documentation shows it, on Express 4: it does not run on 5.
import express from 'express4';
import expressWs from 'express-ws';
import { createServer } from 'node:http';
import { serve, settings } from '../serve.mjs';

const { role, deflate } = settings;
const app = express();
const server = createServer(app);
const wsOptions = deflate === undefined ? {} : { perMessageDeflate: deflate.ws };
const { getWss } = expressWs(app, server, { leaveRouterUntouched: true, wsOptions });
const middleware = role === 'use' ? [(_req, _res, next) => next()] : [];

app.ws('/bench', ...middleware, (socket) => {
  socket.on('error', () => socket.terminate());
  socket.on('message', (data) => {
    if (role !== 'fanout') {
      socket.send(data);
      return;
    }
    for (const client of getWss().clients) if (client.readyState === 1) client.send(data);
  });
});
serve(server);
