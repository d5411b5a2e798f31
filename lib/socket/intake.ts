import type { Buffer } from 'node:buffer';
import type { Duplex } from 'node:stream';
import { Decoder, type DecoderLimits, type DecoderSink } from '../protocol/decoder';
import type { DeflateTerms } from '../protocol/deflate';
import { detach } from '../protocol/detach';
import { ProtocolError } from '../protocol/errors';
import { checkMessageSize } from '../protocol/frame';
import { Inflater } from '../protocol/inflater';
import { decodeText } from '../protocol/utf8';
import { enqueueJob } from './jobs';
import { loopTurn } from './loop-turn';

/** Frames that one socket may have decoded in a turn of the event loop; then the others have theirs. */
const FRAMES_PER_TURN = 512;

/** Bytes likewise: as many as libuv reads of a TCP socket at the most, before the next one has its turn. */
const BYTES_PER_TURN = 2_097_152;

/** A message to inflate counts as so many more frames; zlib takes about that much longer (bench/micro). */
const INFLATED_WEIGHT = 16;

/** And as one more for so many bytes of what came out. */
const INFLATED_BYTES = 1024;

/** Who hears what came in. None of these may throw. */
export interface IntakeOwner extends Pick<
  DecoderSink,
  'onMessage' | 'onPing' | 'onPong' | 'onClose'
> {
  /** The bytes broke a rule, or the frame's meaning cannot be had. */
  onIntakeFault(error: Error): void;
  /** Reading has begun again, after what was kept. */
  onReadOn(): void;
}

/**
 * The way in of one connection: decodes what is read, inflates what is compressed, and reads no
 * faster than that.
 *
 * ```
 *                  512 frames or 2 MiB in this turn
 *   ┌──────────┐ ────────────────────────────────────▶ ┌─────────┐
 *   │ decoding │ ◀──────────────────────────────────── │ resting │
 *   └──────────┘            in the next turn           └─────────┘
 *       │  ▲     a message that takes longer than the
 *       ▼  │     loop should wait, until it is inflated
 *   ┌───────────┐
 *   │ inflating │
 *   └───────────┘
 * ```
 * Invariants:
 * - bytes are decoded exactly while `#stage` is `decoding` and the owner wants to read.
 * - messages are told of in the order they came, whichever way they were inflated.
 * - after `finish`, nothing is told of any more.
 */
export class Intake implements DecoderSink {
  readonly #transport: Duplex;
  readonly #owner: IntakeOwner;
  readonly #decoder: Decoder;
  readonly #inflater: Inflater | undefined;
  #stage: 'decoding' | 'resting' | 'inflating' | 'finished' = 'decoding';
  #isWanted = true;
  #turn = -1;
  #bytes = 0;

  constructor(
    transport: Duplex,
    owner: IntakeOwner,
    limits: DecoderLimits,
    deflate: DeflateTerms | undefined,
  ) {
    this.#transport = transport;
    this.#owner = owner;
    this.#decoder = new Decoder(limits, this, { mayDeflate: deflate !== undefined });
    this.#inflater = deflate === undefined ? undefined : new Inflater(deflate, limits.maxPayload);
  }

  /** Whether it is held up by itself, and not by whoever stopped it. */
  get isBusy(): boolean {
    return this.#stage === 'resting' || this.#stage === 'inflating';
  }

  /** Whether bytes may have been kept that were not decoded. */
  get isHalted(): boolean {
    return this.#decoder.isHalted;
  }

  /** Bytes from the transport; they must belong to us. */
  push(chunk: Buffer): void {
    if (this.#stage === 'finished') return;
    this.#budget(chunk.length);
    this.#guard(() => this.#decoder.push(chunk));
    if (this.#bytes > BYTES_PER_TURN && this.#stage === 'decoding') this.#rest();
  }

  /** Reads no further; what was read already is kept. */
  stop(): void {
    this.#isWanted = false;
    this.#hold();
  }

  /** Goes on, but not from inside of the caller's code. */
  start(): void {
    this.#isWanted = true;
    process.nextTick(readOn, this);
  }

  /** Ignores everything that follows. */
  finish(): void {
    this.#stage = 'finished';
    this.#decoder.finish();
  }

  /** Goes on with what was kept, unless it has been stopped again. */
  readOn(): void {
    if (!this.#isWanted || this.#stage !== 'decoding') return;
    this.#guard(() => this.#decoder.resume());
    if (this.#isFlowing()) {
      this.#transport.resume();
      this.#owner.onReadOn();
    }
  }

  onMessage(data: string | Buffer, isBinary: boolean): void {
    this.#owner.onMessage(data, isBinary);
  }

  onPing(payload: Buffer): void {
    this.#owner.onPing(payload);
  }

  onPong(payload: Buffer): void {
    this.#owner.onPong(payload);
  }

  onClose(close: Parameters<DecoderSink['onClose']>[0]): void {
    this.#owner.onClose(close);
  }

  onCompressed(payload: Buffer, isBinary: boolean): void {
    // eslint-disable-next-line @typescript-eslint/no-non-null-assertion -- the decoder lets RSV1 through only with terms
    const inflater = this.#inflater!;
    const message = inflater.now(payload);
    this.#decoder.credit -= INFLATED_WEIGHT + (message?.length ?? 0) / INFLATED_BYTES;
    if (message === undefined) this.#inflateLater(inflater, payload, isBinary);
    else this.#tell(message, isBinary);
  }

  onSpent(): void {
    this.#rest();
  }

  #isFlowing(): boolean {
    return this.#stage === 'decoding' && this.#isWanted;
  }

  /** Each turn anew, so many frames and bytes. */
  #budget(bytes: number): void {
    const turn = loopTurn();
    if (turn !== this.#turn) {
      this.#turn = turn;
      this.#bytes = 0;
      this.#decoder.credit = FRAMES_PER_TURN;
    }
    this.#bytes += bytes;
  }

  // The one place where faults of the peer are caught.
  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#owner.onIntakeFault(error as Error);
    }
  }

  #hold(): void {
    this.#decoder.halt();
    this.#transport.pause();
  }

  #rest(): void {
    this.#stage = 'resting';
    this.#hold();
    setImmediate(rested, this);
  }

  /** The next turn has come. */
  rested(): void {
    if (this.#stage !== 'resting') return;
    this.#stage = 'decoding';
    this.#budget(0);
    this.readOn();
  }

  #inflateLater(inflater: Inflater, payload: Buffer, isBinary: boolean): void {
    this.#stage = 'inflating';
    this.#hold();
    const inflate = inflater.later(payload);
    enqueueJob((done) => {
      if (this.#stage !== 'inflating') {
        done();
        return;
      }
      inflate((result) => {
        done();
        this.#inflated(result, isBinary);
      });
    });
  }

  #inflated(result: Buffer | ProtocolError, isBinary: boolean): void {
    if (this.#stage !== 'inflating') return;
    this.#stage = 'decoding';
    this.#budget(0);
    this.#guard(() => {
      if (result instanceof ProtocolError) throw result;
      this.#tell(result, isBinary);
    });
    this.readOn();
  }

  #tell(message: Buffer, isBinary: boolean): void {
    checkMessageSize(message.length, Infinity, !isBinary);
    if (isBinary) this.#owner.onMessage(detach(message), true);
    else this.#owner.onMessage(decodeText(message, 0, message.length), false);
  }
}

function readOn(intake: Intake): void {
  intake.readOn();
}

function rested(intake: Intake): void {
  intake.rested();
}
