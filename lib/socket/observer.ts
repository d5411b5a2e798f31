import { Buffer, type Blob } from 'node:buffer';
import { channel } from 'node:diagnostics_channel';
import { isBlob } from './outgoing';
import type { Socket } from './socket';

/** The options whose limits are told of when they are reached. */
export type LimitName =
  | 'closeTimeout'
  | 'handshakeTimeout'
  | 'idleTimeout'
  | 'maxBackpressure'
  | 'maxConnections'
  | 'maxConnectionsPerIp'
  | 'maxFragments'
  | 'maxPayload'
  | 'maxPendingHandshakes'
  | 'messageRate'
  | 'pingTimeout';

/** Published on `attach-websocket:open`. */
export interface OpenMessage {
  /** The path of the route, as it was declared. */
  readonly path: string;
  readonly socket: Socket;
}

/** Published on `attach-websocket:message`, for each message. */
export interface MessageMessage {
  readonly path: string;
  readonly socket: Socket;
  readonly direction: 'received' | 'sent';
  /** Of the payload, before it was compressed. */
  readonly bytes: number;
  readonly isBinary: boolean;
}

/** Published on `attach-websocket:close`. */
export interface CloseMessage {
  readonly path: string;
  readonly socket: Socket;
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
}

/** Published on `attach-websocket:limit`. */
export interface LimitMessage {
  /** `undefined` while the route is being looked for in the app. */
  readonly path: string | undefined;
  readonly name: LimitName;
  /** `undefined` before the 101. */
  readonly socket: Socket | undefined;
}

const openChannel = channel('attach-websocket:open');
const messageChannel = channel('attach-websocket:message');
const closeChannel = channel('attach-websocket:close');
const limitChannel = channel('attach-websocket:limit');

/**
 * What the sockets of one route have done: counted always, published when somebody subscribes.
 *
 * Counting is adding to a number, on an object that all sockets of the route share; a message that
 * nobody subscribes to is not made.
 */
export class Observer {
  readonly path: string;
  opened = 0;
  messagesReceived = 0;
  messagesSent = 0;
  /** On the wire: headers, control frames and all. */
  bytesReceived = 0;
  bytesSent = 0;
  dropped = 0;
  readonly closes: Map<number, number> = new Map();

  /** @param path - what the route is called */
  constructor(path: string) {
    this.path = path;
  }

  /** A socket is open. */
  onOpen(socket: Socket): void {
    this.opened++;
    if (openChannel.hasSubscribers) {
      openChannel.publish({ path: this.path, socket } satisfies OpenMessage);
    }
  }

  /** A message came in. */
  onReceived(socket: Socket, data: string | Buffer, isBinary: boolean): void {
    this.messagesReceived++;
    if (messageChannel.hasSubscribers) this.#publish(socket, 'received', data, isBinary);
  }

  /** A message was queued; of one in fragments, its last. */
  onSent(socket: Socket, data: string | Buffer | Blob, isBinary: boolean): void {
    this.messagesSent++;
    if (messageChannel.hasSubscribers) this.#publish(socket, 'sent', data, isBinary);
  }

  /** A socket's connection is gone. */
  onClosed(
    socket: Socket,
    { code, reason, wasClean }: Omit<CloseMessage, 'path' | 'socket'>,
  ): void {
    this.closes.set(code, (this.closes.get(code) ?? 0) + 1);
    if (closeChannel.hasSubscribers) {
      const message: CloseMessage = { path: this.path, socket, code, reason, wasClean };
      closeChannel.publish(message);
    }
  }

  /** A limit was reached. */
  onLimit(name: LimitName, socket: Socket | undefined): void {
    if (limitChannel.hasSubscribers) {
      limitChannel.publish({ path: this.path, name, socket } satisfies LimitMessage);
    }
  }

  #publish(
    socket: Socket,
    direction: MessageMessage['direction'],
    data: string | Buffer | Blob,
    isBinary: boolean,
  ): void {
    const bytes = isBlob(data) ? data.size : Buffer.byteLength(data);
    const message: MessageMessage = { path: this.path, socket, direction, bytes, isBinary };
    messageChannel.publish(message);
  }
}
