/** Every connection keeps so many messages under way; an echo is answered with the next message. */
import { checkCompressed, clientFrame, expectedEcho, FrameCounter, openAll } from './wire.mjs';
import { Tally, told } from './window.mjs';

export async function runEcho(task) {
  const tally = new Tally();
  const frame = clientFrame(task);
  const burst = Buffer.concat(Array.from({ length: task.outstanding }, () => frame));
  const lines = Array.from({ length: task.connections }, () => new Line(task, tally, burst));
  const sockets = await openAll(task, lines.length, (index) => {
    const line = lines[index];
    return (bytes, length) => line.take(bytes, length);
  });
  process.send('ready');
  await told('begin');
  for (const [index, socket] of sockets.entries()) {
    socket.on('error', (error) => tally.isStopped || process.send({ failed: error.stack }));
    socket.on(
      'close',
      () => tally.isStopped || process.send({ failed: 'a connection was closed' }),
    );
    lines[index].begin(socket);
  }
  await tally.run(task);
  for (const socket of sockets) socket.destroy();
}

/** One connection. */
class Line {
  #task;
  #tally;
  #burst;
  #frameLength;
  #socket;
  #first = [];
  #bytes = 0;
  #echoLength;
  #counter;
  #sentAt = 0;

  constructor(task, tally, burst) {
    this.#task = task;
    this.#tally = tally;
    this.#burst = burst;
    this.#frameLength = burst.length / task.outstanding;
    this.#echoLength = expectedEcho(task).length;
    if (task.deflate !== undefined) this.#counter = new FrameCounter();
  }

  begin(socket) {
    this.#socket = socket;
    this.#sentAt = performance.now();
    socket.write(this.#burst);
  }

  take(bytes, length) {
    const count = this.#count(bytes, length);
    if (this.#first !== undefined) this.#check(bytes.subarray(0, length), count);
    if (count === 0 || this.#tally.isStopped) return;
    const { outstanding } = this.#task;
    this.#tally.messages += count;
    if (outstanding === 1) {
      const now = performance.now();
      this.#tally.latencies.push(now - this.#sentAt);
      this.#sentAt = now;
    }
    const next = this.#burst;
    this.#socket.write(count === outstanding ? next : next.subarray(0, count * this.#frameLength));
  }

  #count(bytes, length) {
    if (this.#counter !== undefined) return this.#counter.push(bytes, length);
    const total = this.#bytes + length;
    const count = Math.floor(total / this.#echoLength);
    this.#bytes = total - count * this.#echoLength;
    return count;
  }

  /** The first echo, byte for byte; the others are counted by their length. */
  #check(chunk, count) {
    this.#first.push(Buffer.from(chunk));
    if (count === 0) return;
    const received = Buffer.concat(this.#first);
    this.#first = undefined;
    if (this.#task.deflate !== undefined) {
      checkCompressed(received, this.#task);
      return;
    }
    const expected = expectedEcho(this.#task);
    // A raw echo carries our own mask, which is another for each frame that is made.
    const length = this.#task.isRaw ? 2 : expected.length;
    if (!received.subarray(0, length).equals(expected.subarray(0, length))) {
      throw new Error('the first echo differs from what was sent');
    }
  }
}
