import { Duplex } from 'node:stream';
import type { MessageIterator } from './message-iterator';
import type { SendCallback } from './outbox';

/** The socket, as its stream sees it. */
export interface StreamedSocket {
  send(data: unknown, callback: SendCallback): boolean;
  close(): void;
  terminate(): void;
  once(event: 'close', listener: () => void): unknown;
}

/**
 * A socket as a Node stream, one chunk a message each way: text stays a string, binary a Buffer,
 * and with schemas a chunk is what they make of it. Reading pulls, so a slow pipe slows the peer
 * down; a write is done when the operating system has taken it. Ending it closes the socket with
 * 1000, destroying it drops the connection.
 *
 * A peer that leaves is no error: the stream ends, or is destroyed where nobody reads it, and
 * `pipeline` says that it was premature.
 */
export class SocketStream extends Duplex {
  readonly #socket: StreamedSocket;
  readonly #messages: MessageIterator;

  constructor(socket: StreamedSocket, messages: MessageIterator) {
    super({ objectMode: true, readableHighWaterMark: 1, allowHalfOpen: false });
    this.#socket = socket;
    this.#messages = messages;
    socket.once('close', () => this.#onClose());
  }

  override _read(): void {
    void this.#messages.next().then((result) => {
      if (result.done === true) this.push(null);
      else if (result.value !== null) this.push(result.value);
      else this.destroy(new TypeError('a message that is null cannot be a chunk of a stream'));
    });
  }

  override _write(chunk: unknown, _encoding: BufferEncoding, callback: SendCallback): void {
    try {
      this.#socket.send(chunk, (error) => {
        if (error) this.destroy();
        else callback();
      });
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

  /** Whoever reads it gets what is left, and then the end. */
  #onClose(): void {
    if (this.readableFlowing === null && this.listenerCount('readable') === 0) this.destroy();
  }
}
