/**
 * Nanoseconds a message that is received and sent back, with what counts and publishes it, and
 * without: sockets over a stream in memory, so next to nothing but the library is measured.
 *
 *   node bench/micro/observer.mjs [--build=DIR] [--rounds=15]        (after npm run build)
 *
 * Each way runs in processes of its own, for the compiler would learn from one what slows the other;
 * they take turns, and the best round of each counts.
 */
import { execFileSync } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { built, option } from './subject.mjs';

/** One read: as many frames as a socket may have decoded in a turn, with room to spare. */
const FRAMES = 256;
const TURNS = 400;
const rounds = Number(option('rounds') ?? 15);

const WAYS = {
  'neither counted nor published': () => ({ observer: new Nothing() }),
  'counted, nobody subscribes': () => ({ observer: makeObserver() }),
  'counted, one subscriber': () => {
    let seen = 0;
    subscribe('attach-websocket:message', () => seen++);
    return { observer: makeObserver() };
  },
};

/** Has the same shape, and does nothing. */
class Nothing {
  path = '/';
  opened = 0;
  messagesReceived = 0;
  messagesSent = 0;
  bytesReceived = 0;
  bytesSent = 0;
  dropped = 0;
  onOpen() {}
  onReceived() {}
  onSent() {}
  onClosed() {}
  onLimit() {}
}

function makeObserver() {
  const { Observer } = built('socket/observer.js');
  return new Observer('/');
}

function makeSettings({ observer }) {
  return {
    maxPayload: 1_048_576,
    maxFragments: 65_536,
    highWaterMark: 65_536,
    maxBackpressure: 1_048_576,
    onBackpressure: 'close',
    closeTimeout: 10_000,
    pingInterval: Infinity,
    pingTimeout: 20_000,
    idleTimeout: Infinity,
    messageRate: undefined,
    perMessageDeflate: undefined,
    hooks: { message: (socket, data) => socket.send(data) },
    codec: { decode: undefined, encode: undefined },
    rooms: {},
    observer,
    report: (error) => {
      throw error;
    },
    release: () => undefined,
  };
}

/** Frames of 20 bytes of text, masked with zeros (RFC 6455 §5.2). */
const frame = Buffer.concat([Buffer.from([0x81, 0x94, 0, 0, 0, 0]), Buffer.alloc(20, 'a')]);
const read = Buffer.concat(Array(FRAMES).fill(frame));

async function measure(way) {
  const { Socket, startSocket } = built('socket/socket.js');
  let written = 0;
  const transport = new Duplex({
    read: () => undefined,
    write(chunk, _encoding, taken) {
      written += chunk.length;
      taken();
    },
  });
  const identity = { params: {}, context: undefined, protocol: '', url: '/', deflate: undefined };
  const socket = new Socket(transport, makeSettings(WAYS[way]()), identity);
  startSocket(socket, undefined, Buffer.alloc(0));
  let best = Infinity;
  for (let round = 0; round <= 5; round++) {
    const start = performance.now();
    for (let at = 0; at < TURNS; at++) {
      transport.emit('data', read);
      await turn();
    }
    const elapsed = performance.now() - start;
    if (round > 0) best = Math.min(best, (elapsed * 1e6) / (TURNS * FRAMES));
  }
  const expected = 6 * TURNS * FRAMES * 22;
  if (written !== expected) throw new Error(`${written} bytes came back, not ${expected}`);
  return best;
}

const way = option('way');
if (way !== undefined) {
  console.log(await measure(way));
  process.exit();
}

const best = Object.fromEntries(Object.keys(WAYS).map((name) => [name, Infinity]));
const args = [fileURLToPath(import.meta.url), ...process.argv.slice(2)];
for (let round = 0; round < rounds; round++) {
  for (const name of Object.keys(WAYS)) {
    const figure = Number(execFileSync(process.execPath, [...args, `--way=${name}`]));
    best[name] = Math.min(best[name], figure);
  }
}
console.log('| received and sent back | ns a message |\n|---|---|');
for (const [name, figure] of Object.entries(best))
  console.log(`| ${name} | ${figure.toFixed(0)} |`);
