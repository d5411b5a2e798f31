import { Buffer } from 'node:buffer';
import type { Duplex } from 'node:stream';
import { CloseCode } from '../protocol/close';
import type { DeflateTerms } from '../protocol/deflate';
import { copyOf } from '../protocol/detach';
import { ProtocolError } from '../protocol/errors';
import { Expiry, IdleTimer } from './alarms';
import { clock } from './clock';
import type { Verdict } from './closing';
import { Connection, type ConnectionOwner } from './connection';
import type { Recipient } from './delivery';
import { Inbox } from './inbox';
import type { LimitName } from './observer';
import type { SendCallback } from './outbox';
import { Sender, type SenderOwner } from './sender';
import type { SocketSettings } from './settings';
import type { Socket } from './socket';
import { TokenBucket } from './token-bucket';
import { callSafely, emitSafely } from './user-code';

/** What a peer has run into when it broke a rule with this code. */
const LIMIT_OF: ReadonlyMap<number, LimitName> = new Map([
  [CloseCode.MessageTooBig, 'maxPayload'],
  [CloseCode.PolicyViolation, 'maxFragments'],
]);

/**
 * What is behind a {@link Socket}: joins the wire, the inbox and the user's code, and is the one
 * place where a failure of user code turns into a close.
 *
 * ```
 *   Connection ──onMessage──▶ Session ──▶ Inbox ──▶ handOver ──▶ user
 *   Outbox ◀──── Sender ◀──── Socket.send ◀─── user
 * ```
 */
export class Session implements ConnectionOwner, Recipient, SenderOwner {
  readonly socket: Socket;
  readonly settings: SocketSettings;
  readonly connection: Connection;
  readonly #rate: TokenBucket | undefined;
  readonly #idle: IdleTimer | undefined;
  #expiry: Expiry | undefined = undefined;
  #madeInbox: Inbox | undefined = undefined;
  #madeSender: Sender | undefined = undefined;
  #isOpening = true;

  constructor(
    socket: Socket,
    transport: Duplex,
    settings: SocketSettings,
    terms: DeflateTerms | undefined,
  ) {
    const { messageRate, idleTimeout } = settings;
    this.socket = socket;
    this.settings = settings;
    this.connection = new Connection(transport, this, settings, terms);
    this.#rate =
      messageRate === undefined ? undefined : new TokenBucket(messageRate, performance.now());
    this.#idle = idleTimeout === Infinity ? undefined : new IdleTimer(this, idleTimeout);
  }

  /** What was agreed on, as `Sec-WebSocket-Extensions` says it. */
  get extensions(): string {
    return this.connection.deflate?.response ?? '';
  }

  get isReading(): boolean {
    return this.#madeInbox?.isReading ?? true;
  }

  /** Whether the user stopped the reading. */
  get isPaused(): boolean {
    return this.#madeInbox?.isPaused ?? false;
  }

  /** Bytes that were given to us and not yet taken by the operating system. */
  get buffered(): number {
    return this.#madeSender?.buffered ?? this.connection.buffered;
  }

  /** Whether `open` has not settled yet. */
  get isOpening(): boolean {
    return this.#isOpening;
  }

  /** Made when a message comes, or somebody asks for one: an idle socket needs none. */
  get inbox(): Inbox {
    return (this.#madeInbox ??= new Inbox(this, this.connection));
  }

  /** Made for the first message that is sent. */
  get sender(): Sender {
    return (this.#madeSender ??= new Sender(this.socket, this.connection, this.settings, this));
  }

  /** Calls `open` if there is one, then begins to read; `head` came right behind the handshake. */
  start(open: (() => unknown) | undefined, head: Buffer): void {
    this.connection.listen();
    this.settings.observer.onOpen(this.socket);
    const opening =
      open === undefined ? undefined : callSafely(open, (error) => this.onUserError(error));
    this.#emit('open', []);
    if (opening === undefined) this.#opened();
    else void opening.then(() => this.#opened());
    this.connection.receive(head);
  }

  /** Closes with 1008 at this time, in milliseconds since the epoch. */
  expireAt(time: number): void {
    this.#expiry = new Expiry(this, time);
  }

  close(code: number, reason: string): void {
    this.connection.close(code, reason);
  }

  shut(code: number, reason: string): void {
    this.connection.shut(code, reason);
  }

  onMessage(data: string | Buffer, isBinary: boolean): void {
    this.#idle?.touch();
    this.settings.observer.onReceived(this.socket, data, isBinary);
    if (this.#rate?.take(data.length, performance.now()) === false) {
      this.onLimit('messageRate');
      this.shut(CloseCode.PolicyViolation, 'too many messages');
      return;
    }
    this.inbox.accept(data, isBinary);
  }

  whenSent(run: () => void): void {
    if (this.#madeSender === undefined) run();
    else this.#madeSender.after(run);
  }

  onSending(): void {
    this.#idle?.touch();
  }

  onPing(payload: Buffer): void {
    this.#emitBytes('ping', payload);
  }

  onPong(payload: Buffer): void {
    this.#emitBytes('pong', payload);
  }

  onLimit(name: LimitName): void {
    this.settings.observer.onLimit(name, this.socket);
  }

  onFault(error: Error): void {
    const limit = error instanceof ProtocolError ? LIMIT_OF.get(error.closeCode) : undefined;
    if (limit !== undefined) this.onLimit(limit);
    this.#emit('error', [error]);
  }

  onDrain(): void {
    if (this.buffered > 0) {
      this.connection.outbox.wantDrain();
      return;
    }
    const { hooks } = this.settings;
    if (hooks.drain !== undefined) this.#call(() => hooks.drain?.(this.socket));
    this.#emit('drain', []);
  }

  onClosing(): void {
    this.#madeInbox?.discard();
  }

  onClosed(verdict: Verdict): void {
    this.settings.observer.onClosed(this.socket, verdict);
    if (this.#idle !== undefined) clock.clear(this.#idle);
    if (this.#expiry !== undefined) clock.clear(this.#expiry);
    this.settings.release(this.socket);
    this.inbox.end(() => this.#tellClose(verdict));
  }

  /** Somebody may want messages who did not before. */
  wake(): void {
    this.#madeInbox?.wake();
  }

  onUserError(error: unknown): void {
    this.settings.report(error, this.socket);
    this.shut(CloseCode.InternalError, '');
  }

  runCallback(callback: SendCallback, error: Error | undefined): void {
    this.#call(() => (error === undefined ? callback() : callback(error)));
  }

  #opened(): void {
    this.#isOpening = false;
    this.#madeInbox?.drain();
  }

  #tellClose({ code, reason }: Verdict): void {
    const { hooks } = this.settings;
    if (hooks.close !== undefined) this.#call(() => hooks.close?.(this.socket, code, reason));
    this.#emit('close', [code, reason]);
  }

  /** The bytes go on to be used when this returns: who listens gets a copy. */
  #emitBytes(event: string, bytes: Buffer): void {
    if (this.socket.listenerCount(event) > 0) this.#emit(event, [copyOf(bytes)]);
  }

  #emit(event: string, args: readonly unknown[]): void {
    if (this.socket.listenerCount(event) === 0) return;
    emitSafely(this.socket, event, args, (error) => this.onUserError(error));
  }

  #call(call: () => unknown): void {
    void callSafely(call, (error) => this.onUserError(error));
  }
}
