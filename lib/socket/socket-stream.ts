import { Duplex } from 'node:stream';
import type { MessageIterator } from './message-iterator';
import type { SendCallback } from './outbox';

/** The socket, as its stream sees it. */
export interface StreamedSocket {
  send(data: unknown, callback: SendCallback): boolean;
  close(): void;
  terminate(): void;
}

/**
 * A socket as a Node stream, one chunk a message each way: text stays a string, binary a Buffer,
 * and with schemas a chunk is what they make of it. Reading pulls, so a slow pipe slows the peer
 * down; a write is done when the operating system has taken it. Ending it closes the socket with
 * 1000, destroying it drops the connection.
 */
export class SocketStream extends Duplex {
  readonly #socket: StreamedSocket;
  readonly #messages: MessageIterator;

  constructor(socket: StreamedSocket, messages: MessageIterator) {
    super({ objectMode: true, readableHighWaterMark: 1, allowHalfOpen: false });
    this.#socket = socket;
    this.#messages = messages;
  }

  override _read(): void {
    void this.#messages.next().then((result) => {
      this.push(result.done === true ? null : result.value);
    });
  }

  override _write(chunk: unknown, _encoding: BufferEncoding, callback: SendCallback): void {
    try {
      this.#socket.send(chunk, callback);
    } catch (error) {
      callback(error as Error);
    }
  }

  override _final(callback: SendCallback): void {
    this.#socket.close();
    callback();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    if (error !== null) this.#socket.terminate();
    else this.#socket.close();
    void this.#messages.return();
    callback(error);
  }
}
