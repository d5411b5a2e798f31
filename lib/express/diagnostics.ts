import { channel, type Channel } from 'node:diagnostics_channel';
import type { IncomingMessage } from 'node:http';
import type { CloseMessage, LimitMessage, MessageMessage, OpenMessage } from '../socket/observer';
import type { Socket } from '../socket/socket';
import { describePath } from './matcher';
import type { ErrorOrigin } from './options';

/** Published on the channels `attach-websocket:handshake:…`: one object for all of one handshake. */
export interface HandshakeMessage {
  /** The path of the route, as it was declared; `undefined` until there is one. */
  readonly path: string | undefined;
  /** What the client asked for, without its query. */
  readonly url: string;
  readonly request: IncomingMessage;
  /** Of the answer, set at the end; `undefined` when nobody was there to take one. */
  readonly status: number | undefined;
  /** Set at the end, when the answer is 101. */
  readonly socket: Socket | undefined;
  /** What user code threw, set from `error` on. */
  readonly error: unknown;
}

/** Published on `attach-websocket:error`. */
export interface ErrorMessage {
  /** The path of the route, as it was declared. */
  readonly path: string;
  /** What user code threw, or rejected with. */
  readonly error: unknown;
  /** Set once the socket is open. */
  readonly socket: Socket | undefined;
  /** Set while the handshake is under way. */
  readonly request: IncomingMessage | undefined;
}

/**
 * What is published on the channels of `node:diagnostics_channel`, by their names.
 *
 * ```ts
 * const onClose = ({ path, code }: Diagnostics['attach-websocket:close']) => log(path, code);
 * subscribe('attach-websocket:close', (message) => onClose(message as never));
 * ```
 *
 * Nothing is made while nobody subscribes. A subscriber runs in the middle of our work, and what it
 * throws Node throws again in the next tick, as an uncaught exception: it had better not.
 */
export interface Diagnostics {
  /** An upgrade has come that is ours to answer. */
  'attach-websocket:handshake:start': HandshakeMessage;
  /** Its answer is out, or its client has left. Comes once for each start. */
  'attach-websocket:handshake:end': HandshakeMessage;
  /** User code threw on the way; the end is still to come. */
  'attach-websocket:handshake:error': HandshakeMessage;
  /** A socket is open. */
  'attach-websocket:open': OpenMessage;
  /** A message was received, or queued to be sent: once for each socket. */
  'attach-websocket:message': MessageMessage;
  /** A socket's connection is gone. Comes once for each open. */
  'attach-websocket:close': CloseMessage;
  /** User code threw, whoever else is told of it. */
  'attach-websocket:error': ErrorMessage;
  /** A limit was reached. */
  'attach-websocket:limit': LimitMessage;
}

/** The channels of the handshake. A channel lives as long as somebody holds it. */
export const handshakeChannels: Readonly<Record<'start' | 'end' | 'error', Channel>> = {
  start: channel('attach-websocket:handshake:start'),
  end: channel('attach-websocket:handshake:end'),
  error: channel('attach-websocket:handshake:error'),
};

const errorChannel = channel('attach-websocket:error');
const limitChannel = channel('attach-websocket:limit');

/** Publishes what user code threw. */
export function publishError(error: unknown, { route, socket, req }: ErrorOrigin): void {
  if (!errorChannel.hasSubscribers) return;
  const path = describePath(route.path);
  errorChannel.publish({ path, error, socket, request: req } satisfies ErrorMessage);
}

/** Publishes that a handshake has run into a limit; `path` where there is a route already. */
export function publishLimit(name: LimitMessage['name'], path: string | undefined): void {
  if (!limitChannel.hasSubscribers) return;
  limitChannel.publish({ path, name, socket: undefined } satisfies LimitMessage);
}
