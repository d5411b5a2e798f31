import type { Buffer } from 'node:buffer';
import { Deflater } from '../protocol/deflater';
import { FIN } from '../protocol/frame';
import { Opcode } from '../protocol/opcode';
import {
  compressedOr,
  runJob,
  toBytes,
  type Compressor,
  type Encoded,
  type Later,
} from './compressor';
import { shareFrame, type SharedFrame } from './frame-writer';
import type { Observer } from './observer';
import type { Outgoing } from './outgoing';
import type { Socket } from './socket';

/** A message for many sockets: encoded when the first of them takes it, and once for each window. */
export class SharedMessage {
  /** The first byte of its frame, when it is not compressed. */
  readonly first: number;
  readonly #isBinary: boolean;
  readonly #payload: string | Buffer;
  #bytes: Buffer | undefined = undefined;
  #plain: SharedFrame | undefined = undefined;
  readonly #deflated: Map<number, SharedFrame> = new Map();
  readonly #promised: Map<number, Promise<Encoded>> = new Map();

  constructor({ opcode, payload }: Outgoing) {
    this.first = FIN | opcode;
    this.#isBinary = opcode === Opcode.Binary;
    this.#payload = payload;
  }

  /** Tells of it as sent to this socket. */
  tell(observer: Observer, socket: Socket): void {
    observer.onSent(socket, this.#payload, this.#isBinary);
  }

  /** As it is sent to a socket; what is large and compressed is waited for. */
  encodedFor(compressor: Compressor | undefined): SharedFrame | Later {
    if (compressor?.wants(this.#payload, undefined) !== true) return this.#asItIs();
    const bytes = (this.#bytes ??= toBytes(this.#payload));
    if (Deflater.isQuick(bytes.length)) return this.#compressedNow(bytes, compressor);
    return { bytes: bytes.length, read: () => this.#compressedLater(bytes, compressor) };
  }

  /** To be called when a frame of {@link encodedFor} has its place among what this socket sends. */
  wasSent(frame: SharedFrame, compressor: Compressor | undefined): void {
    if (frame !== this.#plain && this.#bytes !== undefined) compressor?.sent(this.#bytes);
  }

  #asItIs(): SharedFrame {
    return (this.#plain ??= shareFrame(this.first, this.#payload));
  }

  #compressedNow(bytes: Buffer, compressor: Compressor): SharedFrame {
    const { terms, options } = compressor;
    let frame = this.#deflated.get(terms.serverWindowBits);
    if (frame === undefined) {
      const compressed = Deflater.alone(terms, options).now(bytes);
      const { bits, payload } = compressedOr(bytes, compressed);
      frame = bits === 0 ? this.#asItIs() : shareFrame(this.first | bits, payload);
      this.#deflated.set(terms.serverWindowBits, frame);
    }
    return frame;
  }

  async #compressedLater(bytes: Buffer, compressor: Compressor): Promise<Encoded> {
    const { terms, options } = compressor;
    let promise = this.#promised.get(terms.serverWindowBits);
    if (promise === undefined) {
      const deflater = Deflater.alone(terms, options);
      promise = runJob((done) => deflater.later(bytes, done), bytes);
      this.#promised.set(terms.serverWindowBits, promise);
    }
    const encoded = await promise;
    if (encoded.bits !== 0) compressor.sent(bytes);
    return encoded;
  }
}
