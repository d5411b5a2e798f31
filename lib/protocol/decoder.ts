import { Buffer } from 'node:buffer';
import { Assembly } from './assembly';
import { parseClose, type Close } from './close';
import { detach, detachUnmasked } from './detach';
import {
  checkCompressedSize,
  checkFrameStart,
  checkMessageSize,
  clientHeaderSize,
  decodeLength,
  decodeMask,
  FIN,
  MAX_CLIENT_HEADER,
  opcodeOf,
  RSV1,
  type FrameContext,
} from './frame';
import { applyMask, copyMasked, rotateKey } from './mask';
import { isControl, Opcode, type ControlOpcode } from './opcode';
import { forgetRead } from './read-image';
import { tellText } from './relay';

/** Who hears what the bytes mean. Called synchronously, in the order of the bytes. */
export interface DecoderSink {
  onMessage(data: string | Buffer, isBinary: boolean): void;
  /** A message as it was compressed (RFC 7692 §7.2.2); its bytes are valid until this returns. */
  onCompressed(payload: Buffer, isBinary: boolean): void;
  /** Its credit is used up; it is halted. */
  onSpent(): void;
  /** The bytes of these two are valid until they return, too. */
  onPing(payload: Buffer): void;
  onPong(payload: Buffer): void;
  onClose(close: Close): void;
}

/** What was agreed on in the handshake. */
export interface DecoderTerms {
  /** Whether permessage-deflate was negotiated. */
  readonly mayDeflate: boolean;
}

/** What a peer may make us hold. */
export interface DecoderLimits {
  /** Bytes of one message. */
  readonly maxPayload: number;
  /** Frames of one message; an empty one counts as eight. */
  readonly maxFragments: number;
}

const EMPTY = Buffer.alloc(0);

const NOTHING_AGREED: DecoderTerms = { mayDeflate: false };

/** A control frame whose payload is still arriving. */
interface PartialControl {
  readonly opcode: ControlOpcode;
  readonly payload: Buffer;
  filled: number;
}

/**
 * Turns the bytes of a client into messages and control frames (RFC 6455 §5, §6.2).
 *
 * ```
 *                 header complete                     last byte of the frame
 *   ┌────────┐ ─────────────────────▶ ┌─────────┐ ──────────────────────────▶ header
 *   │ header │                        │ payload │
 *   └────────┘ ◀──┐ whole frame is    └─────────┘
 *        └────────┘ in this read
 * ```
 * Invariants:
 * - `#remaining` > 0 exactly in `payload`.
 * - `#control` is set only in `payload`; a control frame never touches `#assembly` (§5.4).
 * - between frames, `#assembly` is set exactly while a fragmented message is open.
 * - `#rest` is set only while halted, or between a push from inside of the sink and its turn.
 *
 * The chunks are unmasked in place: they must belong to the decoder.
 */
export class Decoder implements FrameContext {
  readonly mayDeflate: boolean;
  /** Frames that may still be decoded, until somebody gives more. */
  credit: number = Infinity;
  readonly #limits: DecoderLimits;
  readonly #sink: DecoderSink;
  #flow: 'running' | 'halted' | 'finished' = 'running';
  /** Whether the sink is being called: a stream in memory may bring more from inside of it. */
  #isBusy = false;
  #rest: Buffer | undefined = undefined;
  #header: Buffer | undefined = undefined;
  #headerLength = 0;
  #first = 0;
  #key = 0;
  #remaining = 0;
  #assembly: Assembly | undefined = undefined;
  #control: PartialControl | undefined = undefined;

  constructor(
    limits: DecoderLimits,
    sink: DecoderSink,
    { mayDeflate }: DecoderTerms = NOTHING_AGREED,
  ) {
    this.#limits = limits;
    this.#sink = sink;
    this.mayDeflate = mayDeflate;
  }

  /** Whether a fragmented message is open. */
  get inMessage(): boolean {
    return this.#assembly !== undefined;
  }

  /**
   * Takes the next bytes.
   *
   * @throws ProtocolError when they break a rule; the decoder must not be used after that
   */
  push(chunk: Buffer): void {
    if (this.#isBusy || this.#rest !== undefined) this.#keep(chunk);
    else this.#run(chunk);
  }

  /** Whether it was stopped. */
  get isHalted(): boolean {
    return this.#flow === 'halted';
  }

  /** Stops after the frame at hand; bytes that were pushed already are kept. Callable from the sink. */
  halt(): void {
    if (this.#flow === 'running') this.#flow = 'halted';
  }

  /**
   * Goes on with the bytes that were kept.
   *
   * @throws ProtocolError as {@link push}
   */
  resume(): void {
    if (this.#flow !== 'halted') return;
    this.#flow = 'running';
    if (!this.#isBusy) this.#run(this.#takeRest());
  }

  /** Ignores everything that follows (RFC 6455 §1.4: after the close, data is discarded). */
  finish(): void {
    this.#flow = 'finished';
    this.#rest = undefined;
    this.#assembly = undefined;
    this.#control = undefined;
  }

  #run(chunk: Buffer): void {
    this.#isBusy = true;
    let at = this.#runTo(chunk);
    while (this.#rest !== undefined && this.#flow === 'running') {
      chunk = this.#takeRest();
      at = this.#runTo(chunk);
    }
    this.#isBusy = false;
    // The handler of the last message may have transferred its memory, and then there are no bytes.
    if (at >= chunk.length || this.#flow !== 'halted') return;
    const left = detach(chunk.subarray(at));
    this.#rest = this.#rest === undefined ? left : Buffer.concat([left, this.#rest]);
  }

  // The hot loop of the way in: bench/run.mjs.
  #runTo(chunk: Buffer): number {
    let at = 0;
    forgetRead();
    while (at < chunk.length && this.#flow === 'running') {
      at = this.#remaining > 0 ? this.#gather(chunk, at) : this.#frame(chunk, at);
    }
    forgetRead();
    return at;
  }

  #keep(chunk: Buffer): void {
    if (this.#flow === 'finished') return;
    this.#rest = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
  }

  #takeRest(): Buffer {
    const rest = this.#rest ?? EMPTY;
    this.#rest = undefined;
    return rest;
  }

  #frame(chunk: Buffer, at: number): number {
    const available = chunk.length - at;
    if (this.#headerLength > 0 || available < 2) return this.#splitHeader(chunk, at);
    // Bounds: available was just compared.
    const headerEnd = at + clientHeaderSize(chunk[at + 1]!);
    if (headerEnd > chunk.length) return this.#splitHeader(chunk, at);
    this.#readHeader(chunk, at, headerEnd);
    return this.#payload(chunk, headerEnd);
  }

  /** A header cut by the end of a read: its bytes are gathered, and judged as soon as they can be. */
  #splitHeader(chunk: Buffer, start: number): number {
    const header = (this.#header ??= Buffer.allocUnsafeSlow(MAX_CLIENT_HEADER));
    for (let at = start; at < chunk.length;) {
      header[this.#headerLength++] = chunk[at++]!;
      if (this.#headerLength < 2) continue;
      // Two bytes are there; fail early, before the length and the key arrive.
      const second = header[1]!;
      checkFrameStart(header[0]!, second, this);
      if (this.#headerLength < clientHeaderSize(second)) continue;
      this.#readHeader(header, 0, this.#headerLength);
      this.#headerLength = 0;
      return this.#payload(chunk, at);
    }
    return chunk.length;
  }

  #readHeader(header: Buffer, at: number, end: number): void {
    const first = header[at]!;
    checkFrameStart(first, header[at + 1]!, this);
    const length = decodeLength(header, at);
    this.#first = first;
    this.#key = decodeMask(header, end);
    this.#remaining = length;
    if (!isControl(opcodeOf(first))) this.#checkLimits(length);
    if (--this.credit > 0) return;
    this.halt();
    this.#sink.onSpent();
  }

  /** Told by the header alone: nothing is allocated for a length that was only declared. */
  #checkLimits(length: number): void {
    const { maxPayload, maxFragments } = this.#limits;
    const assembly = this.#assembly;
    const size = (assembly?.length ?? 0) + length;
    if (assembly?.isCompressed ?? this.#isCompressed()) checkCompressedSize(size, maxPayload);
    else checkMessageSize(size, maxPayload, assembly?.isText ?? this.#isText());
    assembly?.countFragment(length, maxFragments);
  }

  /** The payload begins at `at`: taken in place when it is here whole and needs no assembly. */
  #payload(chunk: Buffer, at: number): number {
    const end = at + this.#remaining;
    const isWhole = end <= chunk.length;
    const opcode = opcodeOf(this.#first);
    if (isControl(opcode)) {
      if (isWhole) return this.#wholeControl(opcode, chunk, at);
      this.#control = { opcode, payload: Buffer.allocUnsafeSlow(this.#remaining), filled: 0 };
    } else if (this.#assembly === undefined) {
      if (isWhole && this.#isFinal()) return this.#wholeMessage(chunk, at);
      this.#assembly = new Assembly(opcode, this.#isCompressed() ? 'compressed' : 'plain');
      this.#assembly.countFragment(this.#remaining, this.#limits.maxFragments);
    }
    return this.#gather(chunk, at);
  }

  #wholeMessage(chunk: Buffer, at: number): number {
    const end = at + this.#remaining;
    this.#remaining = 0;
    const masked = { source: chunk, start: at, end, key: this.#key };
    if (this.#isCompressed()) {
      applyMask(chunk, at, end, this.#key);
      this.#sink.onCompressed(chunk.subarray(at, end), !this.#isText());
    } else if (this.#isText()) {
      tellText(this.#sink, masked);
    } else {
      this.#sink.onMessage(detachUnmasked(masked), true);
    }
    return end;
  }

  #wholeControl(opcode: ControlOpcode, chunk: Buffer, at: number): number {
    const end = at + this.#remaining;
    applyMask(chunk, at, end, this.#key);
    this.#remaining = 0;
    this.#tellControl(opcode, chunk.subarray(at, end));
    return end;
  }

  /** Takes what is here of a payload that is not taken in place. */
  #gather(chunk: Buffer, start: number): number {
    const end = Math.min(chunk.length, start + this.#remaining);
    this.#remaining -= end - start;
    if (this.#control === undefined) {
      const following = this.#isFinal() ? this.#remaining : Infinity;
      this.#assembly?.append({ source: chunk, start, end, key: this.#key, following });
    } else {
      const { payload, filled } = this.#control;
      copyMasked({ source: chunk, start, end, key: this.#key }, payload, filled);
      this.#control.filled += end - start;
    }
    this.#key = rotateKey(this.#key, end - start);
    if (this.#remaining === 0) this.#endFrame();
    return end;
  }

  #endFrame(): void {
    const control = this.#control;
    const assembly = this.#assembly;
    if (control !== undefined) {
      this.#control = undefined;
      this.#tellControl(control.opcode, control.payload);
    } else if (assembly !== undefined && this.#isFinal()) {
      this.#assembly = undefined;
      if (assembly.isCompressed) this.#sink.onCompressed(assembly.payload, !assembly.isText);
      else assembly.tell(this.#sink);
    }
  }

  #tellControl(opcode: ControlOpcode, payload: Buffer): void {
    if (opcode === Opcode.Ping) {
      this.#sink.onPing(payload);
    } else if (opcode === Opcode.Pong) {
      this.#sink.onPong(payload);
    } else {
      const close = parseClose(payload);
      this.finish();
      this.#sink.onClose(close);
    }
  }

  #isFinal(): boolean {
    return (this.#first & FIN) !== 0;
  }

  #isText(): boolean {
    return opcodeOf(this.#first) === Opcode.Text;
  }

  /** Whether the frame at hand starts a compressed message. */
  #isCompressed(): boolean {
    return (this.#first & RSV1) !== 0;
  }
}
