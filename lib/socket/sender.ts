import { Buffer, type Blob } from 'node:buffer';
import { CloseCode } from '../protocol/close';
import { stateError, type CallerErrorCode } from '../protocol/errors';
import { FIN } from '../protocol/frame';
import { Opcode } from '../protocol/opcode';
import { Compressor, isLater, uncompressed, type Encoded, type Later } from './compressor';
import type { Connection } from './connection';
import { keepFrame } from './frame-writer';
import type { LimitName } from './observer';
import type { Outbox, SendCallback } from './outbox';
import { isBlob, toOutgoing, type Outgoing, type SendOptions } from './outgoing';
import { SendSequence, type SequenceOwner } from './send-sequence';
import type { SocketSettings } from './settings';
import type { SharedMessage } from './shared-message';
import type { Socket } from './socket';

const NO_OPTIONS: SendOptions = {};

/** Who hears what comes of sending. */
export interface SenderOwner extends Pick<SequenceOwner, 'runCallback' | 'onUserError'> {
  /** A limit was reached. */
  onLimit(name: LimitName): void;
  /** Ends the connection for a reason of ours. */
  shut(code: number, reason: string): void;
  /** A message goes out. */
  onSending(): void;
}

/**
 * The way out of one socket: whether a message may be queued, how it is encoded, and what has to
 * wait for what.
 *
 * ```
 *   send ──▶ may it be queued? ──▶ one frame, at once ───────────────▶ Outbox
 *                                └▶ fragments, Blobs, what is large: SendSequence ─▶ Outbox
 * ```
 */
export class Sender implements SequenceOwner {
  readonly outbox: Outbox;
  readonly #socket: Socket;
  readonly #connection: Connection;
  readonly #settings: SocketSettings;
  readonly #owner: SenderOwner;
  readonly #compressor: Compressor | undefined;
  #sequence: SendSequence | undefined = undefined;

  constructor(
    socket: Socket,
    connection: Connection,
    settings: SocketSettings,
    owner: SenderOwner,
  ) {
    const { perMessageDeflate } = settings;
    const { deflate } = connection;
    this.outbox = connection.outbox;
    this.#socket = socket;
    this.#connection = connection;
    this.#settings = settings;
    this.#owner = owner;
    this.#compressor = deflate && perMessageDeflate && new Compressor(deflate, perMessageDeflate);
  }

  /** Bytes that were given to us and not yet taken by the operating system. */
  get buffered(): number {
    return this.#ownBuffered + (this.#sequence?.broadcastBytes ?? 0);
  }

  get canWrite(): boolean {
    return this.#connection.canWrite;
  }

  /** Without broadcasts that wait for a message of ours to end: those must not keep it from ending. */
  get #ownBuffered(): number {
    return this.outbox.buffered + (this.#sequence?.queuedBytes ?? 0);
  }

  send(
    data: unknown,
    options: SendOptions | undefined,
    callback: SendCallback | undefined,
  ): boolean {
    if (!this.#mayQueue(this.#ownBuffered, callback)) return false;
    this.#owner.onSending();
    const { encode } = this.#settings.codec;
    const message = encode === undefined ? data : encode(data);
    if (this.#sequence !== undefined || options?.fin === false || isBlob(message)) {
      this.#sendInSequence(message, options ?? NO_OPTIONS, callback);
    } else {
      this.#sendNow(message, options ?? NO_OPTIONS, callback);
    }
    return this.#hasRoom();
  }

  /** Sends a message that is encoded once for many; false when this socket does not take it. */
  sendShared(message: SharedMessage): boolean {
    if (!this.#mayQueue(this.buffered, undefined)) return false;
    this.#owner.onSending();
    const compressor = this.#compressor;
    const frame = message.encodedFor(compressor);
    message.tell(this.#settings.observer, this.#socket);
    if (isLater(frame)) {
      this.#inSequence().broadcastLater(message.first, frame);
    } else if (this.#sequence === undefined) {
      // Before the push: it may write, and a stream in memory be answered from inside of that.
      message.wasSent(frame, compressor);
      this.outbox.pushShared(frame);
    } else {
      this.#sequence.broadcast(keepFrame(frame), () => message.wasSent(frame, compressor));
    }
    return true;
  }

  encode(payload: string | Buffer | Blob, compress: boolean | undefined): Encoded | Later {
    if (isBlob(payload)) {
      return { bytes: payload.size, read: () => this.#readBlob(payload, compress) };
    }
    return this.#compressor?.encode(payload, compress) ?? uncompressed(payload);
  }

  /** Calls back when everything before has been sent. */
  after(run: () => void): void {
    if (this.#sequence === undefined) run();
    else this.#sequence.after(run);
  }

  runCallback(callback: SendCallback, error: Error | undefined): void {
    this.#owner.runCallback(callback, error);
  }

  onUserError(error: unknown): void {
    this.#owner.onUserError(error);
  }

  /** Whether more is welcome; if not, 'drain' says when it is. */
  #hasRoom(): boolean {
    if (this.buffered <= this.#settings.highWaterMark) return true;
    this.outbox.wantDrain();
    return false;
  }

  /** Whether a message may be queued now; if not, the callback hears why. */
  #mayQueue(buffered: number, callback: SendCallback | undefined): boolean {
    if (this.#connection.phase !== 'open') {
      this.#refuse(callback, 'the socket is not open', 'ERR_WS_NOT_OPEN');
      return false;
    }
    if (buffered <= this.#settings.maxBackpressure) return true;
    this.#settings.observer.dropped++;
    this.#owner.onLimit('maxBackpressure');
    this.#refuse(callback, 'more than maxBackpressure is buffered', 'ERR_WS_BACKPRESSURE');
    if (this.#settings.onBackpressure === 'close') {
      this.#owner.shut(CloseCode.TryAgainLater, 'too slow to read');
    } else {
      this.outbox.wantDrain();
    }
    return false;
  }

  /** Told later: nothing is called from inside of `send`. */
  #refuse(callback: SendCallback | undefined, why: string, code: CallerErrorCode): void {
    if (callback === undefined) return;
    process.nextTick(() => this.#owner.runCallback(callback, stateError(why, code)));
  }

  /** The way of nearly every message: one frame, at once. */
  #sendNow(message: unknown, options: SendOptions, callback: SendCallback | undefined): void {
    const { opcode, payload } = toOutgoing(message, options.binary);
    this.#settings.observer.onSent(this.#socket, payload, opcode === Opcode.Binary);
    if (this.#compressor === undefined) {
      this.#push(FIN | opcode, payload, callback);
      return;
    }
    const encoded = this.#compressor.encode(payload, options.compress);
    if (isLater(encoded)) this.#enqueue({ opcode, payload }, options, callback);
    else this.#push(FIN | opcode | encoded.bits, encoded.payload, callback);
  }

  #push(first: number, payload: string | Buffer, callback: SendCallback | undefined): void {
    if (callback !== undefined) this.outbox.beforePush(callback);
    if (typeof payload === 'string') this.outbox.pushText(first, payload);
    else this.outbox.pushBytes(first, payload);
  }

  #sendInSequence(
    message: unknown,
    options: SendOptions,
    callback: SendCallback | undefined,
  ): void {
    const outgoing = isBlob(message) ? message : toOutgoing(message, options.binary);
    this.#enqueue(outgoing, options, callback);
    if (options.fin === false) return;
    const { observer } = this.#settings;
    if (isBlob(outgoing)) observer.onSent(this.#socket, outgoing, true);
    else observer.onSent(this.#socket, outgoing.payload, outgoing.opcode === Opcode.Binary);
  }

  #enqueue(
    message: Outgoing | Blob,
    options: SendOptions,
    callback: SendCallback | undefined,
  ): void {
    const sequence = this.#inSequence();
    const { compress, fin = true } = options;
    sequence.send({ message, isFinal: fin, compress, callback });
    if (sequence.isIdle) this.#sequence = undefined;
  }

  #inSequence(): SendSequence {
    return (this.#sequence ??= new SendSequence(this));
  }

  async #readBlob(blob: Blob, compress: boolean | undefined): Promise<Encoded> {
    const encoded = this.encode(Buffer.from(await blob.arrayBuffer()), compress);
    return isLater(encoded) ? await encoded.read() : encoded;
  }
}
