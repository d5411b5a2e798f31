import type { Buffer } from 'node:buffer';
import type { Duplex } from 'node:stream';
import { CloseCode } from '../protocol/close';
import type { DeflateTerms } from '../protocol/deflate';
import { shown, typeError } from '../protocol/errors';
import { Emitter, kListenerAdded } from './emitter';
import {
  EventBridge,
  type SocketEventListener,
  type SocketEventMap,
  type SocketEventType,
} from './events';
import type { SendCallback } from './outbox';
import { toControlPayload, type ControlData, type SendOptions } from './outgoing';
import type { Audience } from './room-directory';
import { Session } from './session';
import type { SharedMessage } from './shared-message';
import type { SocketSettings } from './settings';
import { SocketStream } from './socket-stream';

/** What the types of a socket depend on; a route infers all of it. */
export interface SocketTypes {
  /** The parameters of the path. */
  params: object;
  /** What `auth` returned. */
  context: unknown;
  /** The subprotocols that may have been agreed on. */
  protocol: string;
  /** What a message is when it reaches the handler. */
  in: unknown;
  /** What `send` takes. */
  out: unknown;
}

/** The Node events of a socket. */
export interface SocketEvents<T extends SocketTypes> {
  message: [data: T['in'], isBinary: boolean];
  close: [code: number, reason: string];
  error: [error: Error];
  ping: [payload: Buffer];
  pong: [payload: Buffer];
  drain: [];
  open: [];
}

/** How binary messages are handed over. */
export type BinaryType = 'nodebuffer' | 'arraybuffer' | 'blob';

/** Where a socket stands, as the WHATWG interface counts it. */
export type ReadyState = 0 | 1 | 2 | 3;

/** What a socket was opened with. */
export interface SocketIdentity {
  readonly params: object;
  readonly context: unknown;
  readonly protocol: string;
  readonly url: string;
  /** What was agreed on about compression. */
  readonly deflate: DeflateTerms | undefined;
}

const BINARY_TYPES: readonly unknown[] = ['nodebuffer', 'arraybuffer', 'blob'];

/**
 * What `onmessage` and its like hold. Taken from a method: properties are compared more strictly
 * than methods, and a socket of any route is to pass where any socket is asked for.
 */
type Handler<K extends SocketEventType, T extends SocketTypes> =
  { handle(event: SocketEventMap<T['in']>[K]): unknown }['handle'] | null;

let sessionOf: (socket: Socket) => Session;

/** Calls `open` if there is one, then begins to read; `head` came right behind the handshake. */
export function startSocket(socket: Socket, open: (() => unknown) | undefined, head: Buffer): void {
  sessionOf(socket).start(open, head);
}

/** Has the socket closed with 1008 at this time, in milliseconds since the epoch. */
export function expireSocket(socket: Socket, time: number): void {
  sessionOf(socket).expireAt(time);
}

/** Sends a message that is encoded once for many; false when this socket does not take it. */
export function sendShared(socket: Socket, message: SharedMessage): boolean {
  return sessionOf(socket).sender.sendShared(message);
}

/** Closes for a reason of the server's; `close` reports this code even if the peer is gone. */
export function shutSocket(socket: Socket, code: number, reason: string): void {
  sessionOf(socket).shut(code, reason);
}

/**
 * One open WebSocket: a Node `EventEmitter` that also has the members of the WHATWG interface.
 *
 * Nobody needs an `'error'` listener, and an error in a listener or hook closes this socket with
 * 1011 and nothing else. Its events and hooks are called one after the other, never from inside of
 * `send`, `ping` or `close`.
 */
export class Socket<T extends SocketTypes = SocketTypes> extends Emitter<SocketEvents<T>> {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSING = 2;
  static readonly CLOSED = 3;

  static {
    sessionOf = (socket) => socket.#session;
  }

  /** The parameters of the route's path, as Express decoded them. */
  readonly params: T['params'];
  /** What the route's `auth` returned. */
  readonly context: T['context'];
  /** The subprotocol that was agreed on, `''` when none was (RFC 6455 §1.9). */
  readonly protocol: T['protocol'];
  /** The request target that opened the socket: path and query. */
  readonly url: string;

  readonly #session: Session;
  #binaryType: BinaryType = 'nodebuffer';
  #bridge: EventBridge | undefined = undefined;

  /** @internal Sockets come from routes. */
  constructor(transport: Duplex, settings: SocketSettings, identity: SocketIdentity) {
    super();
    this.params = identity.params;
    this.context = identity.context;
    this.protocol = identity.protocol;
    this.url = identity.url;
    this.#session = new Session(this, transport, settings, identity.deflate);
  }

  /** 0. A route never sees a socket in this state. */
  get CONNECTING(): 0 {
    return 0;
  }

  /** 1: messages can be sent. */
  get OPEN(): 1 {
    return 1;
  }

  /** 2: the closing handshake is under way. */
  get CLOSING(): 2 {
    return 2;
  }

  /** 3: the connection is gone. */
  get CLOSED(): 3 {
    return 3;
  }

  /** Where the socket stands: 1 open, 2 closing, 3 closed. */
  get readyState(): ReadyState {
    const { phase } = this.#session.connection;
    if (phase === 'open') return 1;
    return phase === 'closed' ? 3 : 2;
  }

  /** The extensions in use, as in `Sec-WebSocket-Extensions`; `''` when there are none. */
  get extensions(): string {
    return this.#session.extensions;
  }

  /** Bytes that were given to `send` and not yet taken by the operating system. */
  get bufferedAmount(): number {
    return this.#session.buffered;
  }

  /** Whether reading was stopped by `pause`. */
  get isPaused(): boolean {
    return this.#session.isPaused;
  }

  /** Whether the connection ended with a close frame from both sides. */
  get wasClean(): boolean {
    return this.#session.connection.wasClean;
  }

  /**
   * How binary messages are handed over: `'nodebuffer'` (the default), `'arraybuffer'` or `'blob'`. A Buffer
   * may share its memory with other messages, as Buffers do: to transfer it to a worker, copy it or ask for
   * `'arraybuffer'`, which has its own.
   *
   * @throws TypeError `ERR_WS_INVALID_ARGUMENT` when set to anything else
   */
  get binaryType(): BinaryType {
    return this.#binaryType;
  }

  set binaryType(type: BinaryType) {
    if (!BINARY_TYPES.includes(type)) {
      const got: unknown = type;
      throw typeError(
        `binaryType must be 'nodebuffer', 'arraybuffer' or 'blob', got ${shown(got)}`,
        'ERR_WS_INVALID_ARGUMENT',
      );
    }
    this.#binaryType = type;
  }

  /**
   * Sends a message: strings as text, everything else as binary; with a `send` schema, its input as
   * JSON text. Frames of one turn of the event loop leave together.
   *
   * @param data - not to be changed before it was sent when larger than 8 KiB: it is not copied
   * @param callback - called when the operating system has taken the message, or with why not
   * @returns `false` when more than `highWaterMark` bytes are buffered: wait for `'drain'`, as with
   *   `stream.write`. After the close, `false` and an error to the callback, never a throw.
   * @throws TypeError `ERR_WS_INVALID_DATA` for a type that cannot be sent,
   *   `ERR_WS_INVALID_MESSAGE` when it does not fit the schema
   */
  send(data: T['out'], callback?: SendCallback): boolean;
  send(data: T['out'], options?: SendOptions, callback?: SendCallback): boolean;
  send(data: T['out'], options?: SendOptions | SendCallback, callback?: SendCallback): boolean {
    return typeof options === 'function'
      ? this.#session.sender.send(data, undefined, options)
      : this.#session.sender.send(data, options, callback);
  }

  /**
   * Sends a ping (RFC 6455 §5.5.2); the peer answers with a `'pong'` of the same bytes.
   *
   * @throws RangeError above 125 bytes, TypeError for a type that is neither string nor bytes
   */
  ping(data: ControlData = ''): void {
    this.#session.connection.ping(toControlPayload(data));
  }

  /**
   * Sends a pong that nobody asked for (RFC 6455 §5.5.3). Pings are answered without it.
   *
   * @throws RangeError above 125 bytes, TypeError for a type that is neither string nor bytes
   */
  pong(data: ControlData = ''): void {
    this.#session.connection.pong(toControlPayload(data));
  }

  /**
   * Starts the closing handshake (RFC 6455 §7.1.2). What was sent before still leaves; what the
   * peer sends from now on is dropped; after `closeTimeout` the connection is ended anyway. Calls
   * after the first do nothing.
   *
   * @param code - 1000 to 1003, 1007 to 1014, or 3000 to 4999; default 1000
   * @param reason - at most 123 bytes of UTF-8; default `''`
   * @throws RangeError `ERR_WS_OUT_OF_RANGE` for another code or a longer reason
   */
  close(code: number = CloseCode.Normal, reason = ''): void {
    this.#session.close(code, reason);
  }

  /** Ends the connection now, without a close frame: the peer sees 1006, and so does `'close'`. */
  terminate(): void {
    this.#session.connection.terminate();
  }

  /** Stops reading, so that the peer feels it in its send buffer; at most one read is held. */
  pause(): void {
    if (this.readyState === 1) this.#session.inbox.pause();
  }

  /** Goes on after {@link pause}. */
  resume(): void {
    this.#session.inbox.resume();
  }

  /** The rooms this socket is in; none any more when `close` is told. */
  get rooms(): ReadonlySet<string> {
    return this.#session.settings.rooms.roomsOf(this);
  }

  /**
   * Enters a room; rooms belong to the route's declaration. Left by itself at the close.
   *
   * @throws RangeError above `maxRooms` rooms or `maxRoomNameLength` characters, TypeError when the
   *   name is no string or empty
   */
  join(room: string): void {
    this.#session.settings.rooms.join(this, room);
  }

  /** Leaves a room. */
  leave(room: string): void {
    this.#session.settings.rooms.leave(this, room);
  }

  /** Everybody in a room of this route, this socket too if it is in: `to(room).send(message)`. */
  to(room: string): Audience<T['out']> {
    return this.#session.settings.rooms.to(room);
  }

  /** Pulls messages one by one: `for await (const message of socket)`; ends at the close. */
  [Symbol.asyncIterator](): AsyncIterableIterator<T['in'], undefined> {
    return this.#session.inbox.iterate();
  }

  /** The socket as a Node `Duplex` in object mode, one chunk a message each way. */
  stream(): SocketStream {
    // The stream calls send with what was written to it; its types are the stream's user's.
    return new SocketStream(this, this.#session.inbox.iterate());
  }

  /** `await using`: closes with 1000 and waits for the end. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.readyState === 3) return;
    const closed = new Promise<void>((resolve) => this.once('close', () => resolve()));
    this.close();
    await closed;
  }

  /** WHATWG: listens to an event. A listener may be an object with `handleEvent`. */
  addEventListener<K extends SocketEventType>(
    type: K,
    listener: SocketEventListener<SocketEventMap<T['in']>[K]>,
    options?: { once?: boolean | undefined },
  ): void {
    this.#events.add(type, listener, options?.once === true);
  }

  /** WHATWG: stops listening. */
  removeEventListener<K extends SocketEventType>(
    type: K,
    listener: SocketEventListener<SocketEventMap<T['in']>[K]>,
  ): void {
    this.#bridge?.remove(type, listener);
  }

  /** WHATWG: the listener that was set as `onopen`. Sockets come open: it is told once, at first. */
  get onopen(): Handler<'open', T> {
    return this.#events.handler('open') as Handler<'open', T>;
  }

  set onopen(listener: Handler<'open', T>) {
    this.#events.setHandler('open', listener);
  }

  /** WHATWG: the listener that was set as `onmessage`. */
  get onmessage(): Handler<'message', T> {
    return this.#events.handler('message') as Handler<'message', T>;
  }

  set onmessage(listener: Handler<'message', T>) {
    this.#events.setHandler('message', listener);
  }

  /** WHATWG: the listener that was set as `onerror`. */
  get onerror(): Handler<'error', T> {
    return this.#events.handler('error') as Handler<'error', T>;
  }

  set onerror(listener: Handler<'error', T>) {
    this.#events.setHandler('error', listener);
  }

  /** WHATWG: the listener that was set as `onclose`. */
  get onclose(): Handler<'close', T> {
    return this.#events.handler('close') as Handler<'close', T>;
  }

  set onclose(listener: Handler<'close', T>) {
    this.#events.setHandler('close', listener);
  }

  /** @internal */
  [kListenerAdded](event: string | symbol): void {
    if (event === 'message') this.#session.wake();
  }

  get #events(): EventBridge {
    return (this.#bridge ??= new EventBridge(this));
  }
}
