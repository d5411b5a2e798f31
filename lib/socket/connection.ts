import { Buffer } from 'node:buffer';
import { Socket as NetSocket } from 'node:net';
import type { Duplex } from 'node:stream';
import { CloseCode, cutReason, serializeClose, type Close } from '../protocol/close';
import type { DeflateTerms } from '../protocol/deflate';
import { ProtocolError } from '../protocol/errors';
import { FIN } from '../protocol/frame';
import { Opcode } from '../protocol/opcode';
import { clock } from './clock';
import { Closing, type ClosingOwner, type Phase, type Verdict } from './closing';
import { Heartbeat, type HeartbeatOwner } from './heartbeat';
import { Intake, type IntakeOwner } from './intake';
import { flushIfLate, Outbox, type OutboxOwner } from './outbox';
import type { SocketSettings } from './settings';
import { listenTo, type TransportListener } from './transport';

/** Who hears of what happens on the wire. None of these may throw. */
export interface ConnectionOwner extends Pick<OutboxOwner, 'onDrain' | 'runCallback'> {
  /** Whether the peer is being read from. */
  readonly isReading: boolean;
  onMessage(data: string | Buffer, isBinary: boolean): void;
  onPing(payload: Buffer): void;
  onPong(payload: Buffer): void;
  /** Calls back when what was queued before has been handed to the outbox. */
  whenSent(run: () => void): void;
  /** A time of the settings has passed. */
  onLimit(name: 'closeTimeout' | 'pingTimeout'): void;
  /** The connection fails, for a fault of the peer or of the network. */
  onFault(error: Error): void;
  /** We started to close: nothing that was received is to be delivered any more. */
  onClosing(): void;
  /** The transport is gone. Called once. */
  onClosed(verdict: Verdict): void;
}

const PING_FRAME = FIN | Opcode.Ping;
const PONG_FRAME = FIN | Opcode.Pong;

const EMPTY = Buffer.alloc(0);

/**
 * One WebSocket on the wire: reads, answers control frames, and has it closed (RFC 6455 §5.5, §7).
 *
 * Invariants: `#closing` is there exactly while it is not open any more; then no message is told of,
 * for after our close data is discarded (§1.4), and the decoder ends with the peer's.
 */
export class Connection implements ClosingOwner, IntakeOwner, HeartbeatOwner, TransportListener {
  /** What was agreed on about compression. */
  readonly deflate: DeflateTerms | undefined;
  readonly settings: SocketSettings;
  readonly #transport: Duplex;
  readonly #owner: ConnectionOwner;
  readonly #heartbeat: Heartbeat;
  /** The chunks of TCP and TLS sockets are ours; another stream may pass on somebody's own. */
  readonly #ownsChunks: boolean;
  #madeIntake: Intake | undefined = undefined;
  #madeOutbox: Outbox | undefined = undefined;
  #closing: Closing | undefined = undefined;
  #heardAt = clock.now;

  constructor(
    transport: Duplex,
    owner: ConnectionOwner,
    settings: SocketSettings,
    deflate: DeflateTerms | undefined,
  ) {
    this.#transport = transport;
    this.#owner = owner;
    this.settings = settings;
    this.#ownsChunks = transport instanceof NetSocket;
    this.deflate = deflate;
    this.#heartbeat = new Heartbeat(this);
  }

  /** Where the closing handshake stands. */
  get phase(): Phase {
    return this.#closing?.phase ?? 'open';
  }

  /** Whether it has ended with a close frame from both sides. */
  get wasClean(): boolean {
    return this.phase === 'closed' && this.#closing?.verdict.wasClean === true;
  }

  /** Whether our close frame is still to come, so that frames may be queued. */
  get canWrite(): boolean {
    return this.#closing === undefined || this.#closing.phase === 'closing';
  }

  get isListening(): boolean {
    return this.#owner.isReading && this.#madeIntake?.isBusy !== true;
  }

  /** Made for the first frame that is sent; so is the intake, for the first bytes that come. */
  get outbox(): Outbox {
    return (this.#madeOutbox ??= new Outbox(this.#transport, this.#owner, this.settings));
  }

  /** Bytes that the operating system has not taken yet. */
  get buffered(): number {
    return this.#madeOutbox?.buffered ?? this.#transport.writableLength;
  }

  get heardAt(): number {
    return this.#heardAt;
  }

  /** Begins to hear the transport; its bytes come from the next turn on. */
  listen(): void {
    const transport = this.#transport;
    listenTo(transport, this);
    // It was paused if much came before the 101.
    transport.resume();
    this.#heartbeat.start();
  }

  /** Takes the bytes that came right behind the handshake. */
  receive(head: Buffer): void {
    if (this.#transport.destroyed) {
      this.onTransportClose();
      return;
    }
    if (head.length > 0) this.onData(head);
    // Its 'end' may have been told before anybody listened.
    this.onTransportEnd();
  }

  /**
   * Starts the closing handshake (RFC 6455 §7.1.2), behind what was sent before; does nothing when it
   * has begun.
   */
  close(code: number, reason: string): void {
    const body = serializeClose(code, reason);
    if (this.#closing !== undefined) return;
    const closing = this.#beginClosing();
    this.#owner.whenSent(() => closing.send(body));
    this.#owner.onClosing();
  }

  /** Closes for a reason of ours; the code is what `close` reports even if the peer never answers. */
  shut(code: number, reason: string): void {
    if (!this.canWrite) return;
    const cut = cutReason(reason);
    const closing = this.#beginClosing();
    closing.verdict = { code, reason: cut, wasClean: false };
    closing.send(serializeClose(code, cut));
    this.#owner.onClosing();
  }

  /** Ends the transport now, and with it the wish for what was received. */
  terminate(): void {
    this.#intake.finish();
    if (this.canWrite) {
      this.#toClose.drop();
      this.#owner.onClosing();
    }
    this.#transport.destroy();
  }

  ping(payload: Buffer): void {
    if (this.canWrite) this.outbox.pushBytes(PING_FRAME, payload);
  }

  pong(payload: Buffer): void {
    if (this.canWrite) this.outbox.pushPong(PONG_FRAME, payload);
  }

  stopReading(): void {
    this.#intake.stop();
  }

  startReading(): void {
    this.#intake.start();
  }

  /** Bytes from the transport. */
  onData(chunk: Buffer): void {
    this.#heardAt = clock.now;
    this.settings.observer.bytesReceived += chunk.length;
    if (this.#isReading()) {
      this.#intake.push(this.#ownsChunks ? chunk : Buffer.from(chunk));
      flushIfLate();
    }
  }

  /** The peer's FIN without a close frame before it: §7.1.5, 1006. What was kept comes first. */
  onTransportEnd(): void {
    if (!this.#transport.readableEnded || this.#madeIntake?.isHalted === true) return;
    if (this.#isReading()) this.#beginClosing().end();
  }

  onTransportError(error: Error): void {
    this.#owner.onFault(error);
  }

  onTransportClose(): void {
    if (this.phase === 'closed') return;
    const closing = this.#toClose;
    closing.finish();
    this.#heartbeat.stop();
    this.#madeIntake?.finish();
    this.#madeOutbox?.discard();
    this.#owner.onClosed(closing.verdict);
  }

  onMessage(data: string | Buffer, isBinary: boolean): void {
    // §1.4: after we started to close, data from the peer is discarded.
    if (this.#closing === undefined) this.#owner.onMessage(data, isBinary);
  }

  onPing(payload: Buffer): void {
    this.pong(payload);
    this.#owner.onPing(payload);
  }

  onPong(payload: Buffer): void {
    this.#owner.onPong(payload);
  }

  /**
   * The peer's close frame: answered with its code, behind what was sent before, then we end first
   * (§5.5.1, §7.1.1).
   */
  onClose(close: Close): void {
    const body = close.code === CloseCode.NoStatus ? EMPTY : serializeClose(close.code, '');
    const closing = this.#beginClosing();
    closing.verdict = { ...close, wasClean: true };
    this.#owner.whenSent(() => closing.answer(body));
  }

  onReadOn(): void {
    this.onTransportEnd();
  }

  beat(): void {
    this.ping(EMPTY);
  }

  onSilence(): void {
    this.#owner.onLimit('pingTimeout');
    this.#transport.destroy();
  }

  readOut(): void {
    this.#transport.resume();
  }

  onLate(): void {
    this.#owner.onLimit('closeTimeout');
    this.#transport.destroy();
  }

  /** Fails the connection (RFC 6455 §7.1.7). */
  onIntakeFault(error: Error): void {
    const code = error instanceof ProtocolError ? error.closeCode : CloseCode.InternalError;
    this.#intake.finish();
    const closing = this.#beginClosing();
    closing.verdict = { code, reason: error.message, wasClean: false };
    closing.send(serializeClose(code, ''));
    closing.end();
    this.#owner.onFault(error);
  }

  get #intake(): Intake {
    return (this.#madeIntake ??= new Intake(this.#transport, this, this.settings, this.deflate));
  }

  /** Whether the peer's close frame is still to come. */
  #isReading(): boolean {
    return this.canWrite || this.phase === 'closeSent';
  }

  get #toClose(): Closing {
    return (this.#closing ??= new Closing(this));
  }

  /** From now on the peer has `closeTimeout`, if it had not begun before. */
  #beginClosing(): Closing {
    this.#heartbeat.stop();
    this.#toClose.awaitEnd();
    return this.#toClose;
  }
}
