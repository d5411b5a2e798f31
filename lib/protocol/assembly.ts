import { Buffer } from 'node:buffer';
import { CloseCode } from './close';
import { ProtocolError } from './errors';
import { MAX_CLIENT_HEADER } from './frame';
import { applyMask, copyMasked, type MaskedBytes } from './mask';
import { Opcode, type DataOpcode } from './opcode';
import { tellDecoded } from './relay';
import { invalidText, Utf8Validator } from './utf8';

/** An empty fragment costs its sender nothing, so it counts like this many. */
const EMPTY_FRAGMENT_WEIGHT = 8;

const FIRST_CAPACITY = 256;

/** A piece this long may be kept as it came for a while; TLS brings 16 KiB at the most. */
const HELD_FROM = 8192;

const EMPTY = Buffer.alloc(0);

/** A piece of payload: where it lies, how it is masked, how much is known to follow. */
export interface Piece extends MaskedBytes {
  /** Bytes from the end of this piece to the end of the message, `Infinity` when unknown. */
  readonly following: number;
}

/** Who is told of messages. */
export interface MessageSink {
  onMessage(data: string | Buffer, isBinary: boolean): void;
}

/**
 * One message whose bytes did not arrive whole: cut into fragments (RFC 6455 §5.4), into reads, or
 * both.
 *
 * Its pieces are copied into one buffer that doubles, so memory stays below twice what was received
 * however they are cut. But large ones, of a frame whose second half is still to come, are held as they
 * came, and copied once, when the buffer can be made as long as it will be.
 *
 * ```
 *   held    [ large piece ][ large piece ] …
 *                  └───────┬───────┘ half is here, or a small piece comes
 *   buffer  [ received so far ............ | free ... ]
 *           0                              length     capacity
 * ```
 * Invariant: `#held` is set only while `#buffer` is empty.
 */
export class Assembly {
  readonly isText: boolean;
  readonly isCompressed: boolean;
  readonly #validator: Utf8Validator | undefined;
  #buffer: Buffer = EMPTY;
  #held: Buffer[] | undefined = undefined;
  #length = 0;
  #fragments = 0;

  constructor(opcode: DataOpcode, form: 'plain' | 'compressed' = 'plain') {
    this.isText = opcode === Opcode.Text;
    this.isCompressed = form === 'compressed';
    this.#validator = this.isText && !this.isCompressed ? new Utf8Validator() : undefined;
  }

  /** Bytes of payload so far. */
  get length(): number {
    return this.#length;
  }

  /**
   * Counts a frame of this message.
   *
   * @throws ProtocolError 1008 above `maxFragments`
   */
  countFragment(payloadLength: number, maxFragments: number): void {
    this.#fragments += payloadLength === 0 ? EMPTY_FRAGMENT_WEIGHT : 1;
    if (this.#fragments > maxFragments) {
      throw new ProtocolError(
        `message in more than maxFragments ${maxFragments} frames`,
        CloseCode.PolicyViolation,
      );
    }
  }

  /**
   * Takes the piece that follows, unmasked.
   *
   * @throws ProtocolError 1007 at the first octet that cannot be UTF-8
   */
  append(piece: Piece): void {
    const to = this.#length + piece.end - piece.start;
    if (this.#mayHold(piece, to)) this.#hold(piece);
    else this.#copy(piece, to);
    this.#length = to;
  }

  /** All of the payload, as it was sent. */
  get payload(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /**
   * The whole message, where it is not compressed.
   *
   * @throws ProtocolError 1007 when the text ends inside of a character
   */
  finish(): string | Buffer {
    if (this.#validator === undefined) return this.payload;
    if (!this.#validator.isComplete) throw invalidText();
    return this.#validator.textOf(this.payload);
  }

  /**
   * Tells of the whole message, as {@link finish} gives it.
   *
   * @throws ProtocolError as {@link finish}
   */
  tell(sink: MessageSink): void {
    const message = this.finish();
    if (typeof message === 'string') tellDecoded(sink, message, this.payload);
    else sink.onMessage(message, true);
  }

  /**
   * Whether a copy now would only be copied again, and the read is all this piece: a message before it
   * may be in the hands of somebody who writes to its memory, or transfers it to a worker.
   */
  #mayHold({ source, start, end, following }: Piece, to: number): boolean {
    const size = end - start;
    const isHalfToCome = following > to && following !== Infinity;
    const isAlone = source.byteOffset + start <= MAX_CLIENT_HEADER && end === source.length;
    const fillsItsRead = size >= HELD_FROM && size * 2 >= source.buffer.byteLength;
    return isHalfToCome && isAlone && fillsItsRead && this.#buffer.length === 0;
  }

  #hold({ source, start, end, key }: Piece): void {
    applyMask(source, start, end, key);
    (this.#held ??= []).push(source.subarray(start, end));
    this.#validate(source, start, end);
  }

  #copy(piece: Piece, to: number): void {
    this.#grow(to, to + piece.following);
    copyMasked(piece, this.#buffer, this.#length);
    this.#validate(this.#buffer, this.#length, to);
  }

  /** Doubling, so that n bytes cost O(n) copies; `enough` keeps the last step exact. */
  #grow(needed: number, enough: number): void {
    if (needed <= this.#buffer.length) return;
    const doubled = Math.max(FIRST_CAPACITY, needed * 2);
    // Not of Node's pool: messages that somebody keeps would pin it, and what was outgrown in it.
    const next = Buffer.allocUnsafeSlow(Math.min(doubled, enough));
    let at = 0;
    for (const piece of this.#held ?? [this.payload]) at += piece.copy(next, at);
    if (at !== this.#length) throw new Error('the memory of a read was taken away');
    this.#held = undefined;
    this.#buffer = next;
  }

  #validate(bytes: Buffer, start: number, end: number): void {
    if (this.#validator?.push(bytes, start, end) === false) throw invalidText();
  }
}
