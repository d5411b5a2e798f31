// A server whose user code fails where and how its path says; onError fails, too, and nothing in
// this process catches what gets out of the library.
import express from 'express';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const { attachWebSocket, route } = createRequire(import.meta.url)(
  process.argv[2] ?? 'attach-websocket',
);

const ways = {
  throws() {
    throw new Error('detail');
  },
  rejects: () => Promise.reject(new Error('detail')),
  'throws-undefined'() {
    throw undefined;
  },
  'rejects-undefined': () => Promise.reject(),
  'throws-unshowable'() {
    throw {
      toString() {
        throw new Error('detail');
      },
    };
  },
};

const failAt = (place) => (socket) =>
  socket.params.place === place ? ways[socket.params.way]() : undefined;

/** Takes {"a":1} and no other number. */
const schema = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) => (value.a === 1 ? { value } : { issues: [{ message: 'not 1' }] }),
  },
};

const failing = route(
  '/:place/:way',
  { receive: schema, highWaterMark: 0 },
  {
    open(socket) {
      const { place, way } = socket.params;
      if (place === 'ping' || place === 'pong' || place === 'error') {
        socket.on(place, () => ways[way]());
      }
      if (place === 'async-listener') {
        socket.on('message', async () => {
          await null;
          return ways[way]();
        });
      }
      return failAt('open')(socket);
    },
    message(socket, data) {
      if (socket.params.place === 'drain') socket.send(JSON.stringify(data));
      return failAt('message')(socket);
    },
    invalid: failAt('invalid'),
    drain: failAt('drain'),
    close: failAt('close'),
  },
);

const app = express();
const server = createServer(app);
const sockets = attachWebSocket(app, server, [failing], {
  onError(error) {
    // Told of itself, and of what it was told of.
    throw error;
  },
});
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));

createInterface({ input: process.stdin }).once('line', async () => {
  process.stdin.destroy();
  await sockets.close({ timeout: 500 });
  server.close();
});
