// ws as its documentation shows it; `bufferutil` is used when WS_NO_BUFFER_UTIL is not set.
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';
import { serve } from '../serve.mjs';

const server = createServer();
new WebSocketServer({ server }).on('connection', (socket) => {
  socket.on('error', () => socket.terminate());
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
});
serve(server);
