import { Buffer } from 'node:buffer';
import { CloseCode } from './close';
import { ProtocolError } from './errors';
import { copyMasked, type MaskedBytes } from './mask';
import { Opcode, type DataOpcode } from './opcode';
import { tellLongText } from './relay';
import { invalidText, Utf8Validator, validText } from './utf8';

/** An empty fragment costs its sender nothing, so it counts like this many. */
const EMPTY_FRAGMENT_WEIGHT = 8;

const FIRST_CAPACITY = 256;

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
 * Every piece is copied into one buffer that doubles, so memory stays below twice what was
 * received however the pieces are cut, no list of pieces exists, and no read buffer is held.
 *
 * ```
 *   buffer  [ received so far ............ | free ... ]
 *           0                              length     capacity
 * ```
 */
export class Assembly {
  readonly isText: boolean;
  readonly isCompressed: boolean;
  readonly #validator: Utf8Validator | undefined;
  #buffer: Buffer = EMPTY;
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
   * Copies a piece to the end of the message and unmasks it there.
   *
   * @throws ProtocolError 1007 at the first octet that cannot be UTF-8
   */
  append(piece: Piece): void {
    const from = this.#length;
    const to = from + piece.end - piece.start;
    this.#grow(to, to + piece.following);
    copyMasked(piece, this.#buffer, from);
    this.#length = to;
    if (this.#validator?.push(this.#buffer, from, to) === false) throw invalidText();
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
    return validText(this.payload);
  }

  /**
   * Tells of the whole message, as {@link finish} gives it.
   *
   * @throws ProtocolError as {@link finish}
   */
  tell(sink: MessageSink): void {
    const message = this.finish();
    if (typeof message === 'string') tellLongText(sink, message, this.payload);
    else sink.onMessage(message, true);
  }

  /** Doubling, so that n bytes cost O(n) copies; `enough` keeps the last step exact. */
  #grow(needed: number, enough: number): void {
    if (needed <= this.#buffer.length) return;
    const doubled = Math.max(FIRST_CAPACITY, needed * 2);
    // Not of Node's pool: messages that somebody keeps would pin it, and what was outgrown in it.
    const next = Buffer.allocUnsafeSlow(Math.min(doubled, enough));
    this.#buffer.copy(next, 0, 0, this.#length);
    this.#buffer = next;
  }
}
