// ws as its documentation shows it; `bufferutil` is used when WS_NO_BUFFER_UTIL is not set. With
// WS_READS_TEXT the handler reads each text as a string.
import { createServer } from 'node:http';
import { WebSocket, WebSocketServer } from 'ws';
import { serve, settings } from '../serve.mjs';

const { role, deflate } = settings;
const readsText = process.env.WS_READS_TEXT !== undefined;
const server = createServer();
const perMessageDeflate = deflate === undefined ? false : deflate.ws;
const sockets = new WebSocketServer({ server, perMessageDeflate });

sockets.on('connection', (socket) => {
  socket.on('error', () => socket.terminate());
  socket.on('message', (data, isBinary) => {
    if (readsText && !isBinary) data.toString();
    if (role !== 'fanout') {
      socket.send(data, { binary: isBinary });
      return;
    }
    for (const client of sockets.clients) {
      if (client.readyState === WebSocket.OPEN) client.send(data, { binary: isBinary });
    }
  });
});
serve(server);
