import type { EventEmitter } from 'node:events';
import type { Socket } from './socket';

/** The events of the WHATWG WebSocket interface. */
export type SocketEventType = 'open' | 'message' | 'error' | 'close';

/** A listener as `addEventListener` takes it. */
export type SocketEventListener<E> = ((event: E) => unknown) | { handleEvent(event: E): unknown };

/** An event that knows its socket. */
export class SocketEvent extends Event {
  readonly #socket: Socket;

  constructor(type: SocketEventType, socket: Socket) {
    super(type);
    this.#socket = socket;
  }

  override get target(): EventTarget {
    // A socket has the methods of an EventTarget, and the type is fixed by the DOM.
    return this.#socket as unknown as EventTarget;
  }

  override get currentTarget(): EventTarget {
    return this.target;
  }
}

/** A message came; `data` follows `binaryType`, or is what the `receive` schema made of it. */
export class SocketMessageEvent<Data = unknown> extends SocketEvent {
  readonly data: Data;

  constructor(socket: Socket, data: Data) {
    super('message', socket);
    this.data = data;
  }
}

/** The socket has closed (WHATWG CloseEvent). */
export class SocketCloseEvent extends SocketEvent {
  readonly code: number;
  readonly reason: string;
  /** Whether both sides sent a close frame. */
  readonly wasClean: boolean;

  constructor(socket: Socket, code: number, reason: string) {
    super('close', socket);
    this.code = code;
    this.reason = reason;
    this.wasClean = socket.wasClean;
  }
}

/** The connection failed. */
export class SocketErrorEvent extends SocketEvent {
  readonly error: Error;
  readonly message: string;

  constructor(socket: Socket, error: Error) {
    super('error', socket);
    this.error = error;
    this.message = error.message;
  }
}

/** What each type of event brings. */
export interface SocketEventMap<Data = unknown> {
  open: SocketEvent;
  message: SocketMessageEvent<Data>;
  error: SocketErrorEvent;
  close: SocketCloseEvent;
}

type AnyListener = SocketEventListener<never>;
/** What was set as `onmessage` and its like, and what listens for it. */
interface HandlerEntry {
  readonly listener: AnyListener;
  readonly call: AnyListener;
}

type NodeListener = (...args: unknown[]) => unknown;

/**
 * Lets `addEventListener` and `onmessage` listen to the socket's Node events: each listener gets a
 * Node listener that makes the event object. Made on first use.
 */
export class EventBridge {
  readonly #socket: Socket;
  readonly #listeners = new Map<SocketEventType, Map<AnyListener, NodeListener>>();
  readonly #handlers = new Map<SocketEventType, HandlerEntry>();

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  add(type: SocketEventType, listener: AnyListener, isOnce: boolean): void {
    const ofType = this.#listeners.get(type) ?? new Map<AnyListener, NodeListener>();
    this.#listeners.set(type, ofType);
    if (ofType.has(listener)) return;
    const call: NodeListener = (...args) => {
      if (isOnce) this.remove(type, listener);
      const event = makeEvent(type, this.#socket, args) as never;
      return typeof listener === 'function'
        ? Reflect.apply(listener, this.#socket, [event])
        : listener.handleEvent(event);
    };
    ofType.set(listener, call);
    emitterOf(this.#socket).on(type, call);
  }

  remove(type: SocketEventType, listener: AnyListener): void {
    const call = this.#listeners.get(type)?.get(listener);
    if (call === undefined) return;
    this.#listeners.get(type)?.delete(listener);
    emitterOf(this.#socket).off(type, call);
  }

  /** The `onmessage` kind of listener: one for each type. */
  handler(type: SocketEventType): AnyListener | null {
    return this.#handlers.get(type)?.listener ?? null;
  }

  setHandler(type: SocketEventType, listener: AnyListener | null): void {
    const earlier = this.#handlers.get(type);
    if (earlier !== undefined) this.remove(type, earlier.call);
    this.#handlers.delete(type);
    if (typeof listener !== 'function') return;
    // A function of its own: the same one may be listening by addEventListener, too.
    const call = (event: never): unknown => Reflect.apply(listener, this.#socket, [event]);
    this.#handlers.set(type, { listener, call });
    this.add(type, call, false);
  }
}

function emitterOf(socket: Socket): EventEmitter {
  // The bridge passes events on by name; their types are checked where it is called.
  return socket;
}

function makeEvent(type: SocketEventType, socket: Socket, args: readonly unknown[]): SocketEvent {
  switch (type) {
    case 'message':
      return new SocketMessageEvent(socket, args[0]);
    case 'close':
      return new SocketCloseEvent(socket, args[0] as number, args[1] as string);
    case 'error':
      return new SocketErrorEvent(socket, args[0] as Error);
    case 'open':
      return new SocketEvent(type, socket);
  }
}
