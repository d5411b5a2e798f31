import type { Blob } from 'node:buffer';
import { Buffer } from 'node:buffer';
import { stateError } from '../protocol/errors';
import { FIN } from '../protocol/frame';
import { Opcode } from '../protocol/opcode';
import { closedBefore, type Outbox, type SendCallback } from './outbox';
import { isBlob, type Outgoing } from './outgoing';

/** One `send` of the user. */
export interface Sending {
  readonly message: Outgoing | Blob;
  readonly isFinal: boolean;
  readonly callback: SendCallback | undefined;
}

/** The socket, as its sequence sees it. */
export interface SequenceOwner {
  readonly outbox: Outbox;
  /** Whether frames may still be queued. */
  isOpen(): boolean;
  /** Runs user code; must not throw. */
  runCallback(callback: SendCallback, error: Error | undefined): void;
  /** The bytes of a blob could not be read. */
  onUserError(error: unknown): void;
}

/** A frame whose bytes may have to be waited for. */
interface Frame {
  /** The first byte of its header. */
  readonly first: number;
  readonly payload: string | Buffer | Blob;
  readonly bytes: number;
  readonly callback: SendCallback | undefined;
}

/**
 * Keeps what a socket sends in order where one `send` is not simply one frame: a message in
 * fragments, or a `Blob` whose bytes must be waited for. Made on first use and dropped when idle.
 *
 * ```
 *   own sends ────▶ queue while a blob is read ─────────────▶ outbox
 *   broadcasts ───▶ wait while a message is unfinished too ─▶ outbox   (§5.4: messages must not mix)
 * ```
 * Invariants: `#buffered` is the sum of the bytes that wait here; what the first byte of a frame
 * says is decided when it is sent, so the queue cannot break a rule later.
 */
export class SendSequence {
  readonly #owner: SequenceOwner;
  /** The type of the message that is unfinished behind everything in the queue. */
  #unfinished: Outgoing['opcode'] | undefined = undefined;
  /** Whether the message on the wire is unfinished. */
  #isMidMessage = false;
  #isReading = false;
  #waiting: (() => void)[] = [];
  #broadcasts: Buffer[] = [];
  #buffered = 0;

  constructor(owner: SequenceOwner) {
    this.#owner = owner;
  }

  /** Whether nothing depends on it any more. */
  get isIdle(): boolean {
    return !this.#isMidMessage && !this.#isReading && this.#waiting.length === 0;
  }

  /** Bytes that wait here. */
  get buffered(): number {
    return this.#buffered;
  }

  /**
   * Sends, now or when what came before has been sent.
   *
   * @throws Error `ERR_WS_FRAGMENT_MIX` for a fragment of another type than its message's
   */
  send({ message, isFinal, callback }: Sending): void {
    const opcode = isBlob(message) ? Opcode.Binary : message.opcode;
    if (this.#unfinished !== undefined && this.#unfinished !== opcode) {
      throw stateError(
        'fragments of one message must all be text or all binary',
        'ERR_WS_FRAGMENT_MIX',
      );
    }
    const first =
      (isFinal ? FIN : 0) | (this.#unfinished === undefined ? opcode : Opcode.Continuation);
    this.#unfinished = isFinal ? undefined : opcode;
    const payload = isBlob(message) ? message : message.payload;
    const bytes = isBlob(payload) ? payload.size : Buffer.byteLength(payload);
    this.#buffered += bytes;
    this.after(() => this.#send({ first, payload, bytes, callback }));
  }

  /** Sends frames that belong to no message of ours. */
  broadcast(frames: Buffer): void {
    this.#buffered += frames.length;
    this.#broadcasts.push(frames);
    this.#release();
  }

  /** Runs when everything before has been sent; an unfinished message does not hold it up. */
  after(run: () => void): void {
    if (this.#isReading) this.#waiting.push(run);
    else run();
  }

  #send(frame: Frame): void {
    const { payload, bytes, callback } = frame;
    if (isBlob(payload)) {
      void this.#read(payload, frame);
      return;
    }
    this.#buffered -= bytes;
    if (this.#owner.isOpen()) this.#push(frame.first, payload, callback);
    else if (callback !== undefined) this.#owner.runCallback(callback, closedBefore());
    this.#release();
  }

  async #read(blob: Blob, frame: Frame): Promise<void> {
    this.#isReading = true;
    try {
      const payload = Buffer.from(await blob.arrayBuffer());
      this.#isReading = false;
      this.#send({ ...frame, payload });
    } catch (error) {
      this.#isReading = false;
      this.#buffered -= frame.bytes;
      if (frame.callback !== undefined) this.#owner.runCallback(frame.callback, error as Error);
      this.#owner.onUserError(error);
    }
    while (!this.#mustWait()) this.#waiting.shift()?.();
    this.#release();
  }

  /** What runs from the queue may be a blob again. */
  #mustWait(): boolean {
    return this.#isReading || this.#waiting.length === 0;
  }

  #push(first: number, payload: string | Buffer, callback: SendCallback | undefined): void {
    const { outbox } = this.#owner;
    this.#isMidMessage = (first & FIN) === 0;
    if (callback !== undefined) outbox.beforePush(callback);
    if (typeof payload === 'string') outbox.pushText(first, payload);
    else outbox.pushBytes(first, payload);
  }

  #release(): void {
    if (this.#isMidMessage || this.#isReading) return;
    for (const frames of this.#broadcasts.splice(0)) {
      this.#buffered -= frames.length;
      this.#owner.outbox.pushEncoded(frames);
    }
  }
}
