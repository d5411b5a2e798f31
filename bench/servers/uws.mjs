// uWebSockets.js, where it can be loaded: peers.mjs looks for it and tells from where.
import { createRequire } from 'node:module';
import { answer, settings } from '../serve.mjs';

const uws = createRequire(import.meta.url)(process.env.BENCH_UWS);
const { role, deflate } = settings;

const app = uws.App();
app
  .ws('/bench', {
    compression: deflate === undefined ? uws.DISABLED : uws.SHARED_COMPRESSOR,
    maxPayloadLength: 1_048_576,
    maxBackpressure: 1_048_576,
    idleTimeout: 120,
    open: (socket) => {
      if (role === 'fanout') socket.subscribe('all');
    },
    message: (socket, data, isBinary) => {
      if (role === 'fanout') app.publish('all', data, isBinary, deflate !== undefined);
      else socket.send(data, isBinary, deflate !== undefined);
    },
  })
  .listen('127.0.0.1', 0, (listening) => answer(uws.us_socket_local_port(listening)));
