import type { Buffer } from 'node:buffer';
import type { Duplex } from 'node:stream';
import { CloseCode } from '../protocol/close';
import { stateError, type CallerErrorCode } from '../protocol/errors';
import { FIN } from '../protocol/frame';
import { Expiry, IdleTimer } from './alarms';
import { clock } from './clock';
import { Connection, type ConnectionOwner, type Verdict } from './connection';
import { Delivery, type DeliveryOwner } from './delivery';
import { keepFrame, type SharedFrame } from './frame-writer';
import { Inbox } from './inbox';
import type { SendCallback } from './outbox';
import { isBlob, toOutgoing, type Outgoing, type SendOptions } from './outgoing';
import { SendSequence, type SequenceOwner } from './send-sequence';
import type { SocketSettings } from './settings';
import type { Socket } from './socket';
import { TokenBucket } from './token-bucket';
import { callSafely, emitSafely } from './user-code';

const NO_OPTIONS: SendOptions = {};

/**
 * What is behind a {@link Socket}: joins the wire, the inbox and the user's code, and is the one
 * place where a failure of user code turns into a close.
 *
 * ```
 *   Connection ──onMessage──▶ Session ──▶ Inbox ──▶ Delivery ──▶ user
 *   Outbox ◀──── Connection ◀──── Session ◀──── Socket.send ◀─── user
 * ```
 */
export class Session implements ConnectionOwner, DeliveryOwner, SequenceOwner {
  readonly connection: Connection;
  readonly inbox: Inbox;
  readonly #socket: Socket;
  readonly #settings: SocketSettings;
  readonly #delivery: Delivery;
  readonly #rate: TokenBucket | undefined;
  readonly #idle: IdleTimer | undefined;
  #expiry: Expiry | undefined = undefined;
  #sequence: SendSequence | undefined = undefined;
  #wasClean = false;

  constructor(socket: Socket, transport: Duplex, settings: SocketSettings) {
    const { messageRate, idleTimeout } = settings;
    this.#socket = socket;
    this.#settings = settings;
    this.connection = new Connection(transport, this, settings);
    this.#delivery = new Delivery(socket, settings, this);
    this.inbox = new Inbox(this.#delivery, this.connection, settings);
    this.#rate =
      messageRate === undefined ? undefined : new TokenBucket(messageRate, performance.now());
    this.#idle = idleTimeout === Infinity ? undefined : new IdleTimer(this, idleTimeout);
  }

  /** Whether both sides sent a close frame. */
  get wasClean(): boolean {
    return this.#wasClean;
  }

  get isReading(): boolean {
    return this.inbox.isReading;
  }

  get outbox(): Connection['outbox'] {
    return this.connection.outbox;
  }

  /** Bytes that were given to us and not yet taken by the operating system. */
  get buffered(): number {
    return this.#ownBuffered + (this.#sequence?.broadcastBytes ?? 0);
  }

  get canWrite(): boolean {
    return this.connection.canWrite;
  }

  /** Without broadcasts that wait for a message of ours to end: those must not keep it from ending. */
  get #ownBuffered(): number {
    return this.outbox.buffered + (this.#sequence?.queuedBytes ?? 0);
  }

  /** Calls `open`, then begins to read; `head` came right behind the handshake. */
  start(open: () => unknown, head: Buffer): void {
    this.connection.listen();
    const opening = callSafely(open, (error) => this.onUserError(error));
    emitSafely(this.#socket, 'open', [], (error) => this.onUserError(error));
    if (opening === undefined) this.#opened();
    else void opening.then(() => this.#opened());
    this.connection.receive(head);
  }

  /** Closes with 1008 at this time, in milliseconds since the epoch. */
  expireAt(time: number): void {
    this.#expiry = new Expiry(this, time);
  }

  send(
    data: unknown,
    options: SendOptions | undefined,
    callback: SendCallback | undefined,
  ): boolean {
    if (!this.#mayQueue(this.#ownBuffered, callback)) return false;
    this.#idle?.touch();
    const { encode } = this.#settings.codec;
    const message = encode === undefined ? data : encode(data);
    if (this.#sequence !== undefined || options?.fin === false || isBlob(message)) {
      this.#sendInSequence(message, options ?? NO_OPTIONS, callback);
    } else {
      this.#sendFrame(toOutgoing(message, options?.binary), callback);
    }
    return this.#hasRoom();
  }

  /** Sends a frame that is encoded once for many; false when this socket does not take it. */
  sendShared(frame: () => SharedFrame): boolean {
    if (!this.#mayQueue(this.buffered, undefined)) return false;
    this.#idle?.touch();
    if (this.#sequence === undefined) this.outbox.pushShared(frame());
    else this.#sequence.broadcast(keepFrame(frame()));
    return true;
  }

  close(code: number, reason: string): void {
    const sequence = this.#sequence;
    if (sequence === undefined) this.connection.close(code, reason);
    else this.connection.close(code, reason, (send) => sequence.after(send));
  }

  shut(code: number, reason: string): void {
    this.connection.shut(code, reason);
  }

  onMessage(data: string | Buffer, isBinary: boolean): void {
    this.#idle?.touch();
    if (this.#rate?.take(data.length, performance.now()) === false) {
      this.shut(CloseCode.PolicyViolation, 'too many messages');
      return;
    }
    this.inbox.accept(data, isBinary);
  }

  onPing(payload: Buffer): void {
    this.#emit('ping', [payload]);
  }

  onPong(payload: Buffer): void {
    this.#emit('pong', [payload]);
  }

  onFault(error: Error): void {
    this.#emit('error', [error]);
  }

  onDrain(): void {
    if (this.buffered > 0) {
      this.outbox.wantDrain();
      return;
    }
    const { hooks } = this.#settings;
    if (hooks.drain !== undefined) this.#call(() => hooks.drain?.(this.#socket));
    this.#emit('drain', []);
  }

  onClosing(): void {
    this.inbox.discard();
  }

  onClosed(verdict: Verdict): void {
    this.#wasClean = verdict.wasClean;
    if (this.#idle !== undefined) clock.clear(this.#idle);
    if (this.#expiry !== undefined) clock.clear(this.#expiry);
    this.#settings.release(this.#socket);
    this.inbox.end(() => this.#tellClose(verdict));
  }

  onUserError(error: unknown): void {
    this.#settings.report(error, this.#socket);
    this.shut(CloseCode.InternalError, '');
  }

  runCallback(callback: SendCallback, error: Error | undefined): void {
    this.#call(() => (error === undefined ? callback() : callback(error)));
  }

  /** Whether more is welcome; if not, 'drain' says when it is. */
  #hasRoom(): boolean {
    if (this.buffered <= this.#settings.highWaterMark) return true;
    this.outbox.wantDrain();
    return false;
  }

  /** Whether a message may be queued now; if not, the callback hears why. */
  #mayQueue(buffered: number, callback: SendCallback | undefined): boolean {
    if (this.connection.phase !== 'open') {
      this.#refuse(callback, 'the socket is not open', 'ERR_WS_NOT_OPEN');
      return false;
    }
    if (buffered <= this.#settings.maxBackpressure) return true;
    this.#refuse(callback, 'more than maxBackpressure is buffered', 'ERR_WS_BACKPRESSURE');
    if (this.#settings.onBackpressure === 'close') {
      this.shut(CloseCode.TryAgainLater, 'too slow to read');
    } else {
      this.outbox.wantDrain();
    }
    return false;
  }

  /** Told later: nothing is called from inside of `send`. */
  #refuse(callback: SendCallback | undefined, why: string, code: CallerErrorCode): void {
    if (callback === undefined) return;
    process.nextTick(() => this.runCallback(callback, stateError(why, code)));
  }

  #opened(): void {
    this.#delivery.opened();
    this.inbox.drain();
  }

  #sendFrame({ opcode, payload }: Outgoing, callback: SendCallback | undefined): void {
    if (callback !== undefined) this.outbox.beforePush(callback);
    if (typeof payload === 'string') this.outbox.pushText(FIN | opcode, payload);
    else this.outbox.pushBytes(FIN | opcode, payload);
  }

  #sendInSequence(
    message: unknown,
    options: SendOptions,
    callback: SendCallback | undefined,
  ): void {
    const sequence = (this.#sequence ??= new SendSequence(this));
    sequence.send({
      message: isBlob(message) ? message : toOutgoing(message, options.binary),
      isFinal: options.fin ?? true,
      callback,
    });
    if (sequence.isIdle) this.#sequence = undefined;
  }

  #tellClose({ code, reason }: Verdict): void {
    const { hooks } = this.#settings;
    if (hooks.close !== undefined) this.#call(() => hooks.close?.(this.#socket, code, reason));
    this.#emit('close', [code, reason]);
  }

  #emit(event: string, args: readonly unknown[]): void {
    emitSafely(this.#socket, event, args, (error) => this.onUserError(error));
  }

  #call(call: () => unknown): void {
    void callSafely(call, (error) => this.onUserError(error));
  }
}
