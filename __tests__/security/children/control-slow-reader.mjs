// So many times 1 KB to one client that does not read; what is held then, and when it has drained.
import express from 'express';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { memory } from './control-memory.mjs';

const [count, build = 'attach-websocket'] = process.argv.slice(2);
const { attachWebSocket, route } = createRequire(import.meta.url)(build);
const MESSAGE = 'x'.repeat(1024);

const slow = route(
  '/slow',
  { onBackpressure: 'drop' },
  {
    async open(socket) {
      let before;
      let maxBuffered = 0;
      let refused = 0;
      for (let at = 0; at < Number(count); at++) {
        // Warmed up by then.
        if (at === 10_000) before = memory();
        socket.send(MESSAGE, (error) => {
          if (error?.code === 'ERR_WS_BACKPRESSURE') refused++;
        });
        maxBuffered = Math.max(maxBuffered, socket.bufferedAmount);
        if (at % 100 === 0) await new Promise(setImmediate);
      }
      const after = memory();
      const heldGrowth = after.held - before.held;
      const rssGrowth = after.rss - before.rss;
      console.log(`sent ${JSON.stringify({ heldGrowth, rssGrowth, maxBuffered, refused })}`);
    },
    drain(socket) {
      if (socket.bufferedAmount === 0) console.log('drained true');
    },
  },
);

const app = express();
const server = createServer(app);
attachWebSocket(app, server, [slow], { closeTimeout: 100 });
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
