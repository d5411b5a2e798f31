import { Buffer } from 'node:buffer';
import { Socket as NetSocket } from 'node:net';
import type { Duplex } from 'node:stream';
import { stateError } from '../protocol/errors';
import { bytesOfText } from '../protocol/relay';
import { isCopied, writeBytes, writeHeader, writeText, type SharedFrame } from './frame-writer';
import { copyOf, giveAwaySlabs, recycleSlabs, SLAB_SIZE, viewOf, type Slab } from './slab';
import { Turn } from './turn';

/** Above which the owner may want to hear of a drain, in bytes. */
export interface OutboxLimits {
  readonly highWaterMark: number;
  readonly maxBackpressure: number;
  /** Counts what goes out. */
  readonly observer: { bytesSent: number };
}

/** Called when the frame was handed to the operating system, or with why it was not. */
export type SendCallback = (error?: Error | null) => void;

/** Who hears from an outbox. */
export interface OutboxOwner {
  /** Everything was taken, after {@link Outbox.wantDrain}. */
  onDrain(): void;
  /** Runs user code; must not throw. */
  runCallback(callback: SendCallback, error: Error | undefined): void;
}

/** Bytes that wait: a region of a slab, or a payload that was too large to copy. */
type Part = Buffer | { readonly slab: Slab; readonly start: number; readonly end: number };

const turn = new Turn({ onQuiet: recycleSlabs, onMore: giveAwaySlabs });

/** Runs what queues one frame for many: its bytes stay where they are until it returns. */
export function whileShared<T>(queue: () => T): T {
  return turn.hold(queue);
}

/** Gives the sockets that wait their turn a chance, when answering a read has taken long. */
export function flushIfLate(): void {
  turn.flushIfLate();
}

/**
 * The one writer of a socket: gathers the frames of a turn and writes them together.
 *
 * ```
 *   push ──▶ [ parts … ][ region of the slab in use ] ──▶ one transport.write (or cork … uncork)
 *              earlier     grows while contiguous          at the end of the turn
 * ```
 * Invariants:
 * - `#pending` is the sum of the bytes of `#parts` and of `#start..#end`.
 * - enlisted in the turn whenever `#pending` > 0, so no region outlives the turn.
 * - a slab whose bytes the transport did not let go of at once is pinned; a transport that is
 *   behind already, or is not a plain TCP socket, gets copies.
 */
export class Outbox {
  readonly #transport: Duplex;
  readonly #owner: OutboxOwner;
  readonly #limits: OutboxLimits;
  /**
   * A plain TCP socket with `writableLength` 0 after a write has given everything to the kernel.
   * TLS and other streams may read their chunk later (seen on Node 20 to 26).
   */
  readonly #letsGoAtOnce: boolean;
  #slab: Slab | undefined = undefined;
  #start = 0;
  #end = 0;
  #parts: Part[] | undefined = undefined;
  #pending = 0;
  #isEnlisted = false;
  #callbacks: SendCallback[] | undefined = undefined;
  /** What waits to hear of writes that are under way; a stream in memory may never say. */
  #underWay: SendCallback[] | undefined = undefined;
  #isDrainWanted = false;
  /** Set while a pong is on its way to a peer that is slow to read. */
  #slowPong: { newest: Buffer | undefined } | undefined = undefined;

  constructor(transport: Duplex, owner: OutboxOwner, limits: OutboxLimits) {
    this.#transport = transport;
    this.#owner = owner;
    this.#limits = limits;
    this.#letsGoAtOnce = transport instanceof NetSocket && !('encrypted' in transport);
  }

  /** Bytes that the operating system has not taken yet. */
  get buffered(): number {
    return this.#pending + this.#transport.writableLength;
  }

  /** Queues a frame with this text. */
  pushText(first: number, text: string): void {
    const slab = writeText(first, text);
    if (slab === undefined) this.pushBytes(first, bytesOfText(text));
    else this.#append(slab, slab.lastStart, slab.used, undefined);
  }

  /** Queues a frame with these bytes; they must not change until they were taken. */
  pushBytes(first: number, payload: Buffer): void {
    const isSmall = isCopied(payload);
    const slab = isSmall ? writeBytes(first, payload) : writeHeader(first, payload.length);
    this.#append(slab, slab.lastStart, slab.used, isSmall ? undefined : payload);
  }

  /** Queues the close frame, the last one (RFC 6455 §5.5.1): no pong that waits comes behind it. */
  pushClose(first: number, body: Buffer): void {
    this.#slowPong = undefined;
    this.pushBytes(first, body);
  }

  /** Queues a frame that was encoded in this turn. */
  pushShared(frame: SharedFrame): void {
    this.#append(frame.slab, frame.start, frame.end, frame.payload);
  }

  /** Queues bytes that are frames already. */
  pushEncoded(frames: Buffer): void {
    this.#addPart(frames);
    this.#grow(frames.length);
  }

  /**
   * Queues a pong. A peer that is slow to read gets the newest of its pings answered when it has
   * taken the pong before (RFC 6455 §5.5.3), so pings cannot pile up pongs.
   */
  pushPong(first: number, payload: Buffer): void {
    if (this.#slowPong !== undefined) {
      this.#slowPong.newest = ownCopy(payload);
      return;
    }
    if (this.#transport.writableLength > 0) {
      this.#slowPong = { newest: undefined };
      this.beforePush((error) => this.#pongTaken(first, error));
    }
    this.pushBytes(first, payload);
  }

  /** Has `callback` called when the frame that is queued next was taken. */
  beforePush(callback: SendCallback): void {
    (this.#callbacks ??= []).push(callback);
  }

  /** Has the owner told when everything was taken. */
  wantDrain(): void {
    this.#isDrainWanted = true;
  }

  /** Called by the turn. */
  flush(): void {
    this.#isEnlisted = false;
    this.#write();
  }

  /**
   * Writes what is queued, then the end of the stream. Where the peer has ended before and the kernel
   * has everything, closing says the same as `shutdown` and a close after it; without the first, a
   * connection from handshake to end takes 5 to 9 % less (handshakes, bare route).
   */
  end(): void {
    this.#write();
    const transport = this.#transport;
    const isDone = this.#letsGoAtOnce && transport.readableEnded && transport.writableLength === 0;
    if (isDone) transport.destroy();
    else transport.end();
  }

  /** Forgets what is queued; the callbacks hear why. */
  discard(): void {
    const callbacks = this.#callbacks;
    this.#callbacks = this.#parts = this.#slab = undefined;
    this.#pending = 0;
    for (const done of this.#underWay ?? []) done(closedBefore());
    if (callbacks === undefined) return;
    this.#taken(callbacks, closedBefore());
  }

  /** A frame, whole: nothing may come between its header and its payload. */
  #append(slab: Slab, start: number, end: number, payload: Buffer | undefined): void {
    if (this.#slab !== slab || this.#end !== start) {
      this.#sealRegion();
      this.#slab = slab;
      this.#start = start;
    }
    this.#end = end;
    if (payload !== undefined) this.#addPart(payload);
    this.#grow(end - start + (payload?.length ?? 0));
  }

  #addPart(bytes: Buffer): void {
    this.#sealRegion();
    (this.#parts ??= []).push(bytes);
  }

  #sealRegion(): void {
    if (this.#slab === undefined) return;
    (this.#parts ??= []).push({ slab: this.#slab, start: this.#start, end: this.#end });
    this.#slab = undefined;
  }

  #grow(bytes: number): void {
    this.#pending += bytes;
    if (!this.#isEnlisted) {
      this.#isEnlisted = true;
      turn.enlist(this);
    }
    // Much at once goes to the kernel early: it may take it while the rest is made.
    if (this.#pending >= SLAB_SIZE) this.#write();
  }

  #write(): void {
    if (this.#pending === 0) return;
    const done = this.#whenTaken();
    this.#limits.observer.bytesSent += this.#pending;
    this.#pending = 0;
    try {
      if (this.#letsGoAtOnce && this.#transport.writableLength === 0) this.#writeViews(done);
      else this.#writeParts(this.#takeParts(), copyOf, done);
    } catch (error) {
      // A stream of somebody else's that throws from write() is broken; only its socket ends.
      if (done !== undefined) process.nextTick(done, error);
      this.#transport.destroy(error as Error);
    }
  }

  #writeViews(done: SendCallback | undefined): void {
    const slab = this.#slab;
    if (this.#parts !== undefined || slab === undefined) {
      const parts = this.#takeParts();
      this.#writeParts(parts, viewOf, done);
      if (this.#transport.writableLength > 0) pinAll(parts);
      return;
    }
    // One region in one write is nearly every turn of an echo or a chat: no list, no cork.
    this.#slab = undefined;
    this.#transport.write(viewOf(slab, this.#start, this.#end), done);
    if (this.#transport.writableLength > 0) slab.pinned = true;
  }

  #writeParts(
    parts: readonly Part[],
    bytesOf: typeof viewOf,
    done: SendCallback | undefined,
  ): void {
    const last = parts.length - 1;
    this.#transport.cork();
    for (const [index, part] of parts.entries()) {
      const chunk = Buffer.isBuffer(part) ? part : bytesOf(part.slab, part.start, part.end);
      this.#transport.write(chunk, index === last ? done : undefined);
    }
    this.#transport.uncork();
  }

  #takeParts(): readonly Part[] {
    this.#sealRegion();
    const parts = (this.#parts ??= []);
    this.#parts = undefined;
    return parts;
  }

  /** What the write is to report to: nobody, in most turns. */
  #whenTaken(): SendCallback | undefined {
    const callbacks = this.#callbacks;
    const { highWaterMark, maxBackpressure } = this.#limits;
    const isMuch = this.buffered > Math.min(highWaterMark, maxBackpressure);
    const isWatched = isMuch || this.#isDrainWanted;
    if (callbacks === undefined && !isWatched) return undefined;
    this.#callbacks = undefined;
    let waiting = callbacks ?? [];
    const done: SendCallback = (error) => {
      const told = waiting;
      waiting = [];
      this.#underWay = without(this.#underWay, done);
      this.#taken(told, error ?? undefined);
    };
    this.#underWay = [...(this.#underWay ?? []), done];
    return done;
  }

  #taken(callbacks: readonly SendCallback[], error: Error | undefined): void {
    for (const callback of callbacks) this.#owner.runCallback(callback, error);
    if (!this.#isDrainWanted || this.buffered > 0 || error !== undefined) return;
    this.#isDrainWanted = false;
    this.#owner.onDrain();
  }

  #pongTaken(first: number, error: Error | null | undefined): void {
    const newest = this.#slowPong?.newest;
    this.#slowPong = undefined;
    if (newest !== undefined && !error) this.pushPong(first, newest);
  }
}

/** What the callback of a message hears that was queued and never sent. */
export function closedBefore(): Error {
  return stateError('the socket was closed before this was sent', 'ERR_WS_NOT_OPEN');
}

/** The bytes are whoever's they came from; and Node's pool is not to be pinned by what waits. */
function ownCopy(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}

function without<T>(list: readonly T[] | undefined, item: T): T[] | undefined {
  const rest = list?.filter((each) => each !== item);
  return rest?.length === 0 ? undefined : rest;
}

function pinAll(parts: readonly Part[]): void {
  for (const part of parts) if (!Buffer.isBuffer(part)) part.slab.pinned = true;
}
