import { Buffer, type Blob } from 'node:buffer';
import { stateError } from '../protocol/errors';
import { FIN } from '../protocol/frame';
import { Opcode } from '../protocol/opcode';
import { isLater, type Encoded, type Later } from './compressor';
import { closedBefore, type Outbox, type SendCallback } from './outbox';
import { isBlob, type Outgoing } from './outgoing';

/** One `send` of the user. */
export interface Sending {
  readonly message: Outgoing | Blob;
  readonly isFinal: boolean;
  readonly compress: boolean | undefined;
  readonly callback: SendCallback | undefined;
}

/** The socket, as its sequence sees it. */
export interface SequenceOwner {
  readonly outbox: Outbox;
  /** Whether frames may still be queued. */
  readonly canWrite: boolean;
  /** What is to be sent of a payload, compressed or not; called when its turn has come. */
  encode(payload: string | Buffer | Blob, compress: boolean | undefined): Encoded | Later;
  /** Runs user code; must not throw. */
  runCallback(callback: SendCallback, error: Error | undefined): void;
  /** The bytes of a blob could not be read. */
  onUserError(error: unknown): void;
}

/** A frame whose bytes may have to be waited for. */
interface Frame {
  /** The first byte of its header. */
  readonly first: number;
  readonly bytes: number;
  readonly from: 'own' | 'broadcast';
  readonly callback: SendCallback | undefined;
  readonly encode: () => Encoded | Later;
}

/** For a frame that will not be sent any more. */
const NOTHING: Encoded = { bits: 0, payload: '' };

/** A frame that was encoded for many. */
interface SharedFrames {
  readonly encoded: Buffer;
  readonly onPush: () => void;
}

/**
 * Keeps what a socket sends in order where one `send` is not simply one frame: a message in
 * fragments, a `Blob` whose bytes must be waited for, or a large message that is compressed on
 * another thread. Made on first use and dropped when idle.
 *
 * ```
 *   own sends ──┬─▶ queue while one is waited for ──┬─────────────────────────▶ outbox
 *   broadcasts ─┘                                   └─▶ wait for an unfinished
 *                                                       message to end (§5.4) ─▶ outbox
 * ```
 * Invariants:
 * - `#state` is `free` while nothing is waited for, `reading` while a frame's bytes are, `draining`
 *   while what was queued meanwhile goes out: what is sent from inside of that comes behind it.
 * - `#waits` holds the sums of what waits here.
 * - a payload is encoded when its turn has come: it may refer to what was sent before it.
 * - what the first byte of a frame says is decided at `send`, so the queue cannot break a rule later.
 */
export class SendSequence {
  readonly #owner: SequenceOwner;
  /** The type of the message that is unfinished behind everything in the queue. */
  #unfinished: Outgoing['opcode'] | undefined = undefined;
  /** Whether the message on the wire is unfinished. */
  #isMidMessage = false;
  #state: 'free' | 'reading' | 'draining' = 'free';
  #waiting: (() => void)[] = [];
  readonly #broadcasts: (Frame | SharedFrames)[] = [];
  readonly #waits: { own: number; broadcast: number } = { own: 0, broadcast: 0 };

  constructor(owner: SequenceOwner) {
    this.#owner = owner;
  }

  /** Whether nothing depends on it any more. */
  get isIdle(): boolean {
    return !this.#isMidMessage && this.#state === 'free';
  }

  /** Bytes of our own that wait here. */
  get queuedBytes(): number {
    return this.#waits.own;
  }

  /** Bytes of broadcasts that wait here. */
  get broadcastBytes(): number {
    return this.#waits.broadcast;
  }

  /**
   * Sends, now or when what came before has been sent.
   *
   * @throws Error `ERR_WS_FRAGMENT_MIX` for a fragment of another type than its message's
   */
  send({ message, isFinal, compress, callback }: Sending): void {
    const { opcode, payload } = isBlob(message)
      ? { opcode: Opcode.Binary, payload: message }
      : message;
    const isFirst = this.#unfinished === undefined;
    if (!isFirst && this.#unfinished !== opcode) throw mixed();
    this.#unfinished = isFinal ? undefined : opcode;
    // RFC 7692 §6.1 compresses messages: one whose end is not known yet goes as it is.
    const mayCompress = isFirst && isFinal ? compress : false;
    this.#enqueue({
      first: (isFinal ? FIN : 0) | (isFirst ? opcode : Opcode.Continuation),
      bytes: isBlob(payload) ? payload.size : Buffer.byteLength(payload),
      from: 'own',
      callback,
      encode: () => this.#owner.encode(payload, mayCompress),
    });
  }

  /** Sends a frame that belongs to no message of ours; `onPush` hears when its place comes. */
  broadcast(encoded: Buffer, onPush: () => void): void {
    this.#waits.broadcast += encoded.length;
    this.after(() => this.#defer({ encoded, onPush }));
  }

  /** The same for one that has to be waited for. */
  broadcastLater(first: number, later: Later): void {
    const { bytes } = later;
    this.#waits.broadcast += bytes;
    const frame: Frame = {
      first,
      bytes,
      from: 'broadcast',
      callback: undefined,
      encode: () => later,
    };
    this.after(() => this.#defer(frame));
  }

  /** Runs when everything before has been sent; an unfinished message does not hold it up. */
  after(run: () => void): void {
    if (this.#state === 'free') run();
    else this.#waiting.push(run);
  }

  #enqueue(frame: Frame): void {
    this.#waits.own += frame.bytes;
    this.after(() => this.#send(frame));
  }

  #send(frame: Frame): void {
    const encoding = this.#owner.canWrite ? frame.encode() : NOTHING;
    if (isLater(encoding)) void this.#await(encoding, frame);
    else this.#push(frame, encoding);
  }

  async #await(later: Later, frame: Frame): Promise<void> {
    this.#state = 'reading';
    try {
      const encoded = await later.read();
      this.#state = 'draining';
      this.#push(frame, encoded);
    } catch (error) {
      this.#state = 'draining';
      this.#waits[frame.from] -= frame.bytes;
      if (frame.callback !== undefined) this.#owner.runCallback(frame.callback, error as Error);
      this.#owner.onUserError(error);
    }
    this.#drain();
  }

  #drain(): void {
    // What runs may have to be waited for again; then the rest goes on waiting.
    while (this.#state === 'draining') {
      const run = this.#waiting.shift();
      if (run === undefined) this.#state = 'free';
      else run();
    }
  }

  #push({ first, bytes, from, callback }: Frame, { bits, payload }: Encoded): void {
    const { outbox, canWrite } = this.#owner;
    this.#waits[from] -= bytes;
    if (canWrite) {
      this.#isMidMessage = (first & FIN) === 0;
      if (callback !== undefined) outbox.beforePush(callback);
      if (typeof payload === 'string') outbox.pushText(first | bits, payload);
      else outbox.pushBytes(first | bits, payload);
    } else if (callback !== undefined) {
      this.#owner.runCallback(callback, closedBefore());
    }
    this.#release();
  }

  /** Its turn has come; but a message of ours that is unfinished has to end first. */
  #defer(broadcast: Frame | SharedFrames): void {
    this.#broadcasts.push(broadcast);
    this.#release();
  }

  #release(): void {
    while (!this.#isMidMessage && this.#state !== 'reading') {
      const next = this.#broadcasts.shift();
      if (next === undefined) return;
      if ('encoded' in next) this.#pushShared(next);
      else this.#send(next);
    }
  }

  #pushShared({ encoded, onPush }: SharedFrames): void {
    this.#waits.broadcast -= encoded.length;
    if (!this.#owner.canWrite) return;
    onPush();
    this.#owner.outbox.pushEncoded(encoded);
  }
}

function mixed(): Error {
  return stateError(
    'fragments of one message must all be text or all binary',
    'ERR_WS_FRAGMENT_MIX',
  );
}
