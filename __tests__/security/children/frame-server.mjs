// A server of the build in the directory that is named first, with the options that follow as JSON.
// Its routes: / hears messages and drops them, /echo sends them back,
// /keep keeps the small ones, /broken fails every write once it is
// open. It answers lines: "held…" with what the process holds, "read… n" when n bytes have been read,
// "empty…" when no more than one connection is left.
import express from 'express';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { setImmediate as turn } from 'node:timers/promises';

const [directory, options] = process.argv.slice(2);
const { attachWebSocket, route } = createRequire(import.meta.url)(join(directory, 'index.js'));

/** Bytes of a message that /keep keeps. */
const MAX_KEPT = 10;

const kept = [];
const transports = new Set();
let last;
let bytesGone = 0;

/** What has been read from all connections. */
const bytesRead = () => [...transports].reduce((sum, each) => sum + each.bytesRead, bytesGone);

const breakWrites = () => {
  last._writev = null;
  last._write = (_chunk, _encoding, callback) => callback(new Error('broken'));
};

const routes = [
  route('/', { message() {} }),
  route('/echo', { message: (socket, data) => void socket.send(data) }),
  route('/keep', {
    message(_socket, data) {
      if (data.length <= MAX_KEPT) kept.push(data);
    },
  }),
  route('/broken', { open: breakWrites, message() {} }),
];

const server = createServer(express());
attachWebSocket(express(), server, routes, JSON.parse(options));
server.on('connection', (transport) => {
  last = transport;
  transports.add(transport);
  transport.on('close', () => {
    bytesGone += transport.bytesRead;
    transports.delete(transport);
  });
});

const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();

/** What the process really holds, once all that was let go is collected. */
const measure = async () => {
  const { max } = delay;
  for (let i = 0; i < 3; i++) {
    await turn();
    globalThis.gc();
  }
  const { heapUsed, external, arrayBuffers, rss } = process.memoryUsage();
  delay.reset();
  const held = heapUsed + external;
  return { held, arrayBuffers, rss, maxRss: mostResident(), blockedMs: max / 1e6 };
};

createInterface({ input: process.stdin }).on('line', async (line) => {
  const [word, bytes] = line.split(' ');
  while (bytes !== undefined && bytesRead() < Number(bytes)) await turn();
  while (word.startsWith('empty') && transports.size > 1) await turn();
  console.log(`${word} ${JSON.stringify(word.startsWith('held') ? await measure() : {})}`);
});

server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));

/**
 * The most that was resident, in bytes. What getrusage says of a child is no less than its parent
 * had when it forked, so Linux is asked itself.
 */
function mostResident() {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
  const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'));
  return Number(kibibytes) * 1024;
}
