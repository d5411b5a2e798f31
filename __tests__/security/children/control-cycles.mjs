// Connects and leaves in every way, so often; what timers, listeners, sockets and objects are left?
import express from 'express';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import v8 from 'node:v8';
import { memory } from './control-memory.mjs';

const [cycles, patience, build = 'attach-websocket'] = process.argv.slice(2);
const require = createRequire(import.meta.url);
const { attachWebSocket, route } = require(build);
/** A module of the build, by its path in lib/. */
const part = (path) => require(require.resolve(build).replace('index.js', path));
const { clock } = part('socket/clock.js');
const { Socket } = part('socket/socket.js');
const { Exchange } = part('express/exchange.js');

const warnings = [];
process.on('warning', ({ name }) => {
  if (name !== 'ExperimentalWarning') warnings.push(name);
});

const limits = { maxConnections: 20, maxConnectionsPerIp: 20, maxPendingHandshakes: 20 };
const app = express();
const server = createServer(app);
const expiresAt = Date.now() + 86_400_000;
const sockets = attachWebSocket(
  app,
  server,
  [
    route(
      '/ws',
      { idleTimeout: 3_600_000, auth: () => ({ expiresAt }) },
      {
        open: (socket) => socket.join('all'),
        message: (socket, data) => socket.send(data),
      },
    ),
    route('/auth', { auth: () => new Promise(() => {}) }, () => {}),
  ],
  limits,
);
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address();

const handshake = (path) =>
  `GET ${path} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n';
const CLOSE = Buffer.from('88820000000003e8', 'hex');
const HALF = Buffer.from('0185000000006162', 'hex');
const BAD = Buffer.from('838000000000', 'hex');

/** Opens a socket on `/ws`; it is there when the 101 is. */
async function open(behind = Buffer.alloc(0)) {
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  socket.write(Buffer.concat([Buffer.from(handshake('/ws')), behind]));
  await once(socket, 'data');
  return socket;
}

const ways = {
  async clean() {
    const socket = await open(CLOSE);
    socket.resume();
    return socket;
  },
  async reset() {
    return (await open()).resetAndDestroy();
  },
  async fin() {
    return (await open()).resume().end();
  },
  async midHandshake() {
    const socket = connect(port, '127.0.0.1').on('error', () => {});
    socket.write(handshake('/auth'));
    await once(socket, 'connect');
    await new Promise(setImmediate);
    return socket.resetAndDestroy();
  },
  async midHead() {
    const socket = connect(port, '127.0.0.1').on('error', () => {});
    socket.write(handshake('/auth').slice(0, 60));
    await once(socket, 'connect');
    return socket.destroy();
  },
  async midMessage() {
    return (await open(HALF)).resetAndDestroy();
  },
  async fault() {
    return (await open(BAD)).resume();
  },
  async refused() {
    const socket = connect(port, '127.0.0.1').on('error', () => {});
    socket.write(handshake('/none'));
    return socket.resume();
  },
};

async function cycle(number) {
  const names = Object.keys(ways);
  const socket = await ways[names[number % names.length]]();
  if (!socket.closed) await once(socket, 'close');
}

async function run(count) {
  let next = 0;
  const lane = async () => {
    while (next < count) await cycle(next++);
  };
  await Promise.all(Array.from({ length: 8 }, lane));
}

const connections = () =>
  new Promise((resolve) => server.getConnections((_error, count) => resolve(count)));

/** What is there; first, until the server has noticed that all clients have gone, or not at all. */
async function inventory() {
  const end = performance.now() + Number(patience);
  const isBusy = async () =>
    (await connections()) + sockets.clients.size + clock.size > 0 && performance.now() < end;
  while (await isBusy()) await new Promise((resolve) => setTimeout(resolve, 20));
  const { held } = memory();
  const left = {
    resources: process.getActiveResourcesInfo().sort(),
    listeners: server.eventNames().map((name) => [String(name), server.listenerCount(name)]),
    clients: sockets.clients.size,
    alarms: clock.size,
    connections: await connections(),
    objects: [Socket, Exchange].map((type) => v8.queryObjects?.(type) ?? 0),
  };
  return { left, held };
}

await run(Math.min(200, Number(cycles)));
const before = await inventory();
await run(Number(cycles));
const after = await inventory();
const heldGrowth = after.held - before.held;
const figures = { before: before.left, after: after.left, heldGrowth, warnings };
console.log(`left ${JSON.stringify(figures)}`);

// Every place is free again: as many as ever may come, and not one more.
const statuses = [];
for (let at = 0; at <= limits.maxConnections; at++) {
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  socket.write(handshake('/ws'));
  const [head] = await once(socket, 'data');
  statuses.push(String(head).slice(9, 12));
}
console.log(`places ${JSON.stringify(statuses)}`);
process.exit();
