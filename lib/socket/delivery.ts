import { Blob, type Buffer } from 'node:buffer';
import { CloseCode } from '../protocol/close';
import type { Decoded, Issue, SocketSettings } from './settings';
import type { Socket } from './socket';
import { callSafely, emitSafely, isThenable, settle, type ErrorSink } from './user-code';

/** Waits for the next message of an iterator; `undefined` is the end. */
export type Taker = (result: IteratorResult<unknown, undefined>) => void;

/** What user code's doings end in. */
export interface DeliveryOwner {
  /** User code failed: report it, and close with 1011. */
  onUserError(error: unknown): void;
  /** Ends the connection for a reason of ours. */
  shut(code: number, reason: string): void;
}

/** A short word on the first thing that is wrong, for a close reason. */
const MAX_REASON_CHARS = 60;

/**
 * Hands one message to whoever takes it: an iterator if there is one; else the `message` hook once
 * `open` has settled, and the 'message' listeners. Before that, a `receive` schema has its say.
 */
export class Delivery {
  readonly #socket: Socket;
  readonly #settings: SocketSettings;
  readonly #owner: DeliveryOwner;
  #isOpening = true;
  #iterators = 0;
  #takers: Taker[] | undefined = undefined;

  constructor(socket: Socket, settings: SocketSettings, owner: DeliveryOwner) {
    this.#socket = socket;
    this.#settings = settings;
    this.#owner = owner;
  }

  /** Whether `open` has not settled yet. */
  get isOpening(): boolean {
    return this.#isOpening;
  }

  /** Whether an iterator takes the messages. */
  get isPulled(): boolean {
    return this.#iterators > 0;
  }

  /** Whether a message would be taken now. */
  wantsMessage(): boolean {
    if (this.#iterators > 0) return this.#takers !== undefined;
    if (this.#settings.hooks.message !== undefined) return !this.#isOpening;
    return this.#socket.listenerCount('message') > 0;
  }

  /** `open` has settled. */
  opened(): void {
    this.#isOpening = false;
  }

  /** An iterator begins, and is the only one to get messages until it ends. */
  beginIterator(): void {
    this.#iterators++;
  }

  /** An iterator ends; what it waits for, if it does, will not come. */
  endIterator(waiting: Taker | undefined): void {
    this.#iterators--;
    const others = this.#takers?.filter((taker) => taker !== waiting) ?? [];
    this.#takers = others.length > 0 ? others : undefined;
    waiting?.({ value: undefined, done: true });
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

  /** Hands a message over; a promise when the next one has to wait. Never throws or rejects. */
  deliver(data: string | Buffer, isBinary: boolean): Promise<void> | undefined {
    const { decode } = this.#settings.codec;
    if (decode === undefined) return this.#hand(this.#asBinaryType(data), isBinary);
    if (typeof data !== 'string') {
      this.#owner.shut(CloseCode.UnsupportedData, 'JSON text expected');
      return undefined;
    }
    return this.#decode(decode, data);
  }

  #decode(
    decode: (text: string) => Decoded | Promise<Decoded>,
    text: string,
  ): Promise<void> | undefined {
    try {
      const decoded = decode(text);
      if (!isThenable(decoded)) return this.#judge(decoded);
      return settle(
        Promise.resolve(decoded).then((late) => this.#judge(late)),
        this.#errorSink(),
      );
    } catch (error) {
      this.#owner.onUserError(error);
      return undefined;
    }
  }

  #judge(decoded: Decoded): Promise<void> | undefined {
    switch (decoded.kind) {
      case 'value':
        return this.#hand(decoded.value, false);
      case 'invalid':
        return this.#refuse(decoded.issues);
      case 'not json':
        this.#owner.shut(CloseCode.InvalidPayload, 'not JSON');
        return undefined;
    }
  }

  #refuse(issues: readonly Issue[]): Promise<void> | undefined {
    const { hooks } = this.#settings;
    if (hooks.invalid !== undefined) {
      return callSafely(() => hooks.invalid?.(this.#socket, issues), this.#errorSink());
    }
    const what = (issues[0]?.message ?? '').slice(0, MAX_REASON_CHARS);
    this.#owner.shut(CloseCode.PolicyViolation, `invalid message: ${what}`);
    return undefined;
  }

  #hand(value: unknown, isBinary: boolean): Promise<void> | undefined {
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

  /** What `binaryType` makes of a binary message; text passes. */
  #asBinaryType(data: string | Buffer): unknown {
    const { binaryType } = this.#socket;
    if (typeof data === 'string' || binaryType === 'nodebuffer') return data;
    return binaryType === 'arraybuffer' ? Uint8Array.from(data).buffer : new Blob([data]);
  }
}
