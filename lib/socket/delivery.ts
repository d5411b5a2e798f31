import { Blob, type Buffer } from 'node:buffer';
import { CloseCode } from '../protocol/close';
import type { Decoded, Issue, SocketSettings } from './settings';
import type { Socket } from './socket';
import { callSafely, emitSafely, isThenable, settle, type ErrorSink } from './user-code';

/** What a schema made of a message. */
export interface Checked {
  readonly value: unknown;
}

/** Waits for the next message of an iterator; `undefined` is the end. */
export type Taker = (result: IteratorResult<unknown, undefined>) => void;

/** What user code's doings end in. */
export interface DeliveryOwner {
  /** Whether `open` has not settled yet. */
  readonly isOpening: boolean;
  /** User code failed: report it, and close with 1011. */
  onUserError(error: unknown): void;
  /** Ends the connection for a reason of ours. */
  shut(code: number, reason: string): void;
}

/**
 * Hands one message to whoever takes it: an iterator if there is one; else the `message` hook once
 * `open` has settled, and the 'message' listeners. Before that, a `receive` schema has its say.
 */
export class Delivery {
  readonly #socket: Socket;
  readonly #settings: SocketSettings;
  readonly #owner: DeliveryOwner;
  #iterators = 0;
  #takers: Taker[] | undefined = undefined;

  constructor(socket: Socket, settings: SocketSettings, owner: DeliveryOwner) {
    this.#socket = socket;
    this.#settings = settings;
    this.#owner = owner;
  }

  /** Whether `open` has not settled yet. */
  get isOpening(): boolean {
    return this.#owner.isOpening;
  }

  /** Whether an iterator takes the messages. */
  get isPulled(): boolean {
    return this.#iterators > 0;
  }

  /** Whether a message would be taken now. */
  wantsMessage(): boolean {
    if (this.#iterators > 0) return this.#takers !== undefined;
    if (this.#settings.hooks.message !== undefined) return !this.#owner.isOpening;
    return this.#socket.listenerCount('message') > 0;
  }

  /** An iterator begins, and is the only one to get messages until it ends. */
  beginIterator(): void {
    this.#iterators++;
  }

  /** An iterator ends; what it waits for will not come. */
  endIterator(waiting: readonly Taker[]): void {
    this.#iterators--;
    const others = this.#takers?.filter((taker) => !waiting.includes(taker)) ?? [];
    this.#takers = others.length > 0 ? others : undefined;
    for (const taker of waiting) taker({ value: undefined, done: true });
  }

  /** An iterator waits for the next message. */
  addTaker(taker: Taker): void {
    (this.#takers ??= []).push(taker);
  }

  /** No message will come any more. */
  endTakers(): void {
    const takers = this.#takers ?? [];
    this.#takers = undefined;
    for (const taker of takers) taker({ value: undefined, done: true });
  }

  /** Whether the route has a `receive` schema. */
  get isChecking(): boolean {
    return this.#settings.codec.decode !== undefined;
  }

  /**
   * What the `receive` schema makes of a message; `undefined` when it is not to be handed over.
   * Never throws or rejects.
   */
  check(data: string | Buffer): Checked | undefined | Promise<Checked | undefined> {
    if (typeof data !== 'string') {
      this.#owner.shut(CloseCode.UnsupportedData, 'JSON text expected');
      return undefined;
    }
    try {
      const decoded = this.#settings.codec.decode?.(data);
      return isThenable(decoded) ? this.#judgeLater(decoded) : this.#judge(decoded);
    } catch (error) {
      this.#owner.onUserError(error);
      return undefined;
    }
  }

  /** Hands a message over; a promise when the next one has to wait. Never throws or rejects. */
  hand(message: unknown, isBinary: boolean): Promise<void> | undefined {
    const value = isBinary ? this.#asBinaryType(message as Buffer) : message;
    const taker = this.#takers?.shift();
    if (taker !== undefined) {
      if (this.#takers?.length === 0) this.#takers = undefined;
      taker({ value, done: false });
      return undefined;
    }
    const waiting = this.#callHook(value);
    if (this.#socket.listenerCount('message') > 0) {
      emitSafely(this.#socket, 'message', [value, isBinary], this.#errorSink());
    }
    return waiting;
  }

  async #judgeLater(decoding: PromiseLike<Decoded>): Promise<Checked | undefined> {
    try {
      return await this.#judge(await decoding);
    } catch (error) {
      this.#owner.onUserError(error);
      return undefined;
    }
  }

  #judge(decoded: Decoded | undefined): Checked | undefined | Promise<undefined> {
    if (decoded?.kind === 'value') return decoded;
    if (decoded?.kind === 'invalid') return this.#refuse(decoded.issues);
    this.#owner.shut(CloseCode.InvalidPayload, 'not JSON');
    return undefined;
  }

  #refuse(issues: readonly Issue[]): Promise<undefined> | undefined {
    const { hooks } = this.#settings;
    if (hooks.invalid === undefined) {
      this.#owner.shut(CloseCode.PolicyViolation, `invalid message: ${issues[0]?.message ?? ''}`);
      return undefined;
    }
    const waiting = callSafely(() => hooks.invalid?.(this.#socket, issues), this.#errorSink());
    return waiting?.then(() => undefined);
  }

  /** Made when it is needed: a closure for each socket would cost 64 bytes while it is idle. */
  #errorSink(): ErrorSink {
    return (error) => this.#owner.onUserError(error);
  }

  // As callSafely, without a closure for each message.
  #callHook(value: unknown): Promise<void> | undefined {
    const { hooks } = this.#settings;
    if (hooks.message === undefined) return undefined;
    try {
      const result = hooks.message(this.#socket, value);
      if (isThenable(result)) return settle(result, this.#errorSink());
    } catch (error) {
      this.#owner.onUserError(error);
    }
    return undefined;
  }

  /** What `binaryType` makes of a binary message. */
  #asBinaryType(data: Buffer): unknown {
    const { binaryType } = this.#socket;
    if (binaryType === 'nodebuffer') return data;
    return binaryType === 'arraybuffer' ? Uint8Array.from(data).buffer : new Blob([data]);
  }
}
