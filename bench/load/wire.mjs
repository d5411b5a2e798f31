/** Frames as bytes, and raw connections that have had their handshake. */
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';

/** Reads are handed over one after the other, so that one buffer does for all connections. */
const shared = Buffer.allocUnsafeSlow(65_536);

const SYNC_TAIL = Buffer.from([0x00, 0x00, 0xff, 0xff]);

/**
 * One address has some 28,000 ports, and on Linux every 127.x.y.z may be a source. The first is left to the system: a
 * port that is bound before it is known where to has to be free of every connection that was closed
 * in the last minute, and handshakes leave many.
 */
const CONNECTIONS_PER_ADDRESS = 10_000;

/** JSON that compresses as messages do, not as a repeated byte does; the same in every run. */
export function jsonOf(size) {
  const records = [];
  let seed = 1;
  for (let length = 0; length < size; length += records.at(-1).length + 1) {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    const id = seed.toString(36);
    records.push(`{"id":"${id}","price":${seed % 10_000},"at":${1_700_000_000 + (seed % 86_400)}}`);
  }
  return Buffer.from(`[${records.join(',')}]`.slice(0, size));
}

/** Text with characters of one to four bytes. */
function unicodeOf(size) {
  const words = Buffer.from('Grüße, Привет, 你好, 🙂. ');
  return Buffer.alloc(size, '.').fill(words, 0, size - (size % words.length));
}

/** What a task's messages say. */
export function payloadOf({ size, deflate, isUnicode }) {
  if (deflate !== undefined) return jsonOf(size);
  if (isUnicode) return unicodeOf(size);
  return Buffer.alloc(size, 'The quick brown fox jumps over the lazy dog. ');
}

/** The frame that a client sends for this task: masked, compressed if it is to be. */
export function clientFrame(task) {
  const isCompressed = task.deflate !== undefined;
  const payload = isCompressed ? compress(payloadOf(task)) : payloadOf(task);
  return maskedFrame(firstByte(task) | (isCompressed ? 0x40 : 0), payload);
}

/** Any frame of a client. */
export function maskedFrame(first, payload) {
  const key = randomBytes(4);
  const masked = payload.map((byte, at) => byte ^ key[at % 4]);
  return Buffer.concat([headerOf(first, payload.length, 0x80), key, masked]);
}

/** What comes back from a server that does not compress; raw `net` sends our own bytes. */
export function expectedEcho(task) {
  if (task.isRaw) return clientFrame(task);
  const payload = payloadOf(task);
  return Buffer.concat([headerOf(firstByte(task), payload.length, 0), payload]);
}

/** Throws unless this compressed server frame says what was sent. */
export function checkCompressed(frame, task) {
  const { start } = headerAt(frame);
  const isCompressed = (frame[0] & 0x40) !== 0;
  const body = frame.subarray(start);
  const payload = isCompressed
    ? inflateRawSync(Buffer.concat([body, SYNC_TAIL]), { finishFlush: constants.Z_SYNC_FLUSH })
    : body;
  if (!payload.equals(payloadOf(task))) throw new Error('the first echo says something else');
}

/** Where a server's frame has its payload, and how much of it. */
export function headerAt(bytes) {
  const length = bytes[1] & 0x7f;
  if (length < 126) return { start: 2, length };
  if (length === 126) return { start: 4, length: bytes.readUInt16BE(2) };
  return { start: 10, length: Number(bytes.readBigUInt64BE(2)) };
}

/** Counts the frames of one connection, whatever their sizes and wherever the reads cut them. */
export class FrameCounter {
  #head = Buffer.allocUnsafe(10);
  #filled = 0;
  #left = 0;
  #isInPayload = false;

  /** How many frames end in `bytes[0..length)`. */
  push(bytes, length) {
    let frames = 0;
    let at = 0;
    for (;;) {
      if (this.#isInPayload) {
        const taken = Math.min(this.#left, length - at);
        this.#left -= taken;
        at += taken;
        if (this.#left > 0) return frames;
        this.#isInPayload = false;
        frames++;
      }
      if (at === length) return frames;
      this.#head[this.#filled++] = bytes[at++];
      if (this.#filled < 2 || this.#filled < sizeOfHeader(this.#head[1])) continue;
      this.#left = headerAt(this.#head).length;
      this.#filled = 0;
      this.#isInPayload = true;
    }
  }
}

/**
 * Connects, and waits for the 101.
 *
 * @param onBytes - gets the shared buffer and how much of it is new
 */
export function open(task, index, onBytes) {
  return new Promise((resolve, reject) => {
    let isOpen = false;
    const callback = (length, buffer) => {
      if (isOpen) {
        onBytes(buffer, length);
        return true;
      }
      isOpen = true;
      if (buffer.toString('latin1', 0, 12) === 'HTTP/1.1 101') resolve(socket);
      else reject(new Error(`refused: ${buffer.toString('latin1', 0, length)}`));
      return true;
    };
    const socket = connect({
      port: task.port,
      host: '127.0.0.1',
      localAddress: sourceOf(index),
      noDelay: true,
      onread: { buffer: shared, callback },
    });
    socket.on('error', reject);
    socket.write(requestOf(task));
  });
}

/** So many at a time: what more would do is overflow the queue of connections. */
export async function openAll(task, count, makeListener) {
  const sockets = [];
  while (sockets.length < count) {
    const first = sockets.length;
    const batch = Array.from({ length: Math.min(200, count - first) }, (_, at) =>
      open(task, first + at, makeListener(first + at)),
    );
    sockets.push(...(await Promise.all(batch)));
  }
  return sockets;
}

/** The opening handshake of a browser, less what no server looks at. */
export function requestOf({ port, offersDeflate }) {
  const extensions = offersDeflate
    ? 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n'
    : '';
  return (
    `GET /bench HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\n` +
    'Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n${extensions}\r\n`
  );
}

export function sourceOf(index) {
  if (process.platform !== 'linux' || index < CONNECTIONS_PER_ADDRESS) return undefined;
  return `127.0.0.${1 + Math.floor(index / CONNECTIONS_PER_ADDRESS)}`;
}

function firstByte({ binary }) {
  return binary ? 0x82 : 0x81;
}

function compress(payload) {
  const bytes = deflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH });
  return bytes.subarray(0, -SYNC_TAIL.length);
}

function sizeOfHeader(second) {
  const length = second & 0x7f;
  return length < 126 ? 2 : length === 126 ? 4 : 10;
}

function headerOf(first, length, mask) {
  if (length < 126) return Buffer.from([first, mask | length]);
  if (length <= 0xffff) return Buffer.from([first, mask | 126, length >> 8, length & 0xff]);
  const header = Buffer.alloc(10);
  header[0] = first;
  header[1] = mask | 127;
  header.writeBigUInt64BE(BigInt(length), 2);
  return header;
}
