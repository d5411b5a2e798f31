/**
 * The load client: raw sockets with one shared read buffer and frames masked beforehand, so that it
 * is never the bottleneck. Run as a child process:
 *   { port, path, size, binary, connections, outstanding, seconds } in, { messages, p50, p99 } out.
 * The first echo of each connection is compared byte for byte, the rest is counted by length.
 */
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';

process.on('message', async (task) => {
  process.send(await run(task));
});

async function run(task) {
  const frame = clientFrame(task);
  const echo = serverFrame(task);
  const state = { received: 0, isStopped: false, latencies: [] };
  const sockets = await Promise.all(
    Array.from({ length: task.connections }, () => open(task, { frame, echo, state })),
  );
  process.send('ready');
  for (const socket of sockets) socket.begin();
  await delay(task.warmup * 1000);
  state.received = 0;
  state.latencies = [];
  process.send('start');
  const startedAt = performance.now();
  await delay(task.seconds * 1000);
  process.send('stop');
  const messages = state.received;
  const seconds = (performance.now() - startedAt) / 1000;
  state.isStopped = true;
  for (const { socket } of sockets) socket.destroy();
  const sorted = state.latencies.sort((a, b) => a - b);
  const at = (part) => sorted[Math.floor(sorted.length * part)] ?? 0;
  return { messages, seconds, p50: at(0.5), p99: at(0.99) };
}

function open({ port, path, outstanding }, { frame, echo, state }) {
  const shared = Buffer.allocUnsafe(65_536);
  const burst = Buffer.concat(Array.from({ length: outstanding }, () => frame));
  const first = [];
  let isOpen = false;
  let bytes = 0;
  let sentAt = 0;
  return new Promise((resolve, reject) => {
    const begin = () => {
      sentAt = performance.now();
      socket.write(burst);
    };
    const take = (chunk) => {
      if (first !== undefined && bytes < echo.length) {
        first.push(Buffer.from(chunk));
        if (bytes + chunk.length >= echo.length) check(Buffer.concat(first), echo);
      }
      const before = Math.floor(bytes / echo.length);
      bytes += chunk.length;
      const count = Math.floor(bytes / echo.length) - before;
      if (count === 0 || state.isStopped) return;
      state.received += count;
      const now = performance.now();
      if (outstanding === 1) state.latencies.push(now - sentAt);
      sentAt = now;
      socket.write(count === outstanding ? burst : burst.subarray(0, count * frame.length));
    };
    const socket = connect({
      port,
      host: '127.0.0.1',
      onread: {
        buffer: shared,
        callback: (length, buffer) => {
          const chunk = buffer.subarray(0, length);
          if (isOpen) {
            take(chunk);
            return true;
          }
          isOpen = true;
          if (!chunk.subarray(0, 12).equals(Buffer.from('HTTP/1.1 101'))) {
            reject(new Error(chunk.toString()));
          }
          resolve({ socket, begin });
          return true;
        },
      },
    });
    socket.setNoDelay(true);
    socket.on('error', (error) => state.isStopped || reject(error));
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\n` +
        `Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n` +
        `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
    );
  });
}

function check(received, echo) {
  if (received.subarray(0, echo.length).equals(echo)) return;
  throw new Error('the first echo differs from what was sent');
}

function payloadOf({ size }) {
  return Buffer.alloc(size, 'The quick brown fox jumps over the lazy dog. ');
}

function clientFrame(task) {
  const payload = payloadOf(task);
  const key = randomBytes(4);
  const header = lengthOf(task, payload.length, 0x80);
  return Buffer.concat([header, key, payload.map((byte, at) => byte ^ key[at % 4])]);
}

function serverFrame(task) {
  const payload = payloadOf(task);
  return Buffer.concat([lengthOf(task, payload.length, 0), payload]);
}

function lengthOf({ binary }, length, mask) {
  const first = binary ? 0x82 : 0x81;
  if (length < 126) return Buffer.from([first, mask | length]);
  if (length <= 0xffff) return Buffer.from([first, mask | 126, length >> 8, length & 0xff]);
  const header = Buffer.alloc(10);
  header[0] = first;
  header[1] = mask | 127;
  header.writeBigUInt64BE(BigInt(length), 2);
  return header;
}

function delay(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
