import { Blob, type Buffer } from 'node:buffer';
import { CloseCode } from '../protocol/close';
import type { Decoded, Issue, SocketSettings } from './settings';
import type { Socket } from './socket';
import { callSafely, emitSafely, isThenable, settle, type ErrorSink } from './user-code';

/** What a schema made of a message. */
export interface Checked {
  readonly value: unknown;
}

/** Whom messages are for, and what user code's doings end in. */
export interface Recipient {
  readonly socket: Socket;
  readonly settings: SocketSettings;
  /** Whether `open` has not settled yet. */
  readonly isOpening: boolean;
  /** User code failed: report it, and close with 1011. */
  onUserError(error: unknown): void;
  /** Ends the connection for a reason of ours. */
  shut(code: number, reason: string): void;
}

/*
 * A message goes through the route's `receive` schema, then to the `message` hook once `open` has
 * settled, and to the 'message' listeners. Functions: an object a socket would be 72 bytes of its
 * memory, for nothing that the session does not hold.
 */

/** Whether the hook or a listener would take a message now. */
export function isWanted({ socket, settings, isOpening }: Recipient): boolean {
  if (settings.hooks.message !== undefined) return !isOpening;
  return socket.listenerCount('message') > 0;
}

/**
 * What the `receive` schema makes of a message; `undefined` when it is not to be handed over.
 * Never throws or rejects.
 */
export function checkMessage(
  to: Recipient,
  data: string | Buffer,
): Checked | undefined | Promise<Checked | undefined> {
  if (typeof data !== 'string') {
    to.shut(CloseCode.UnsupportedData, 'JSON text expected');
    return undefined;
  }
  try {
    const decoded = to.settings.codec.decode?.(data);
    return isThenable(decoded) ? judgeLater(to, decoded) : judge(to, decoded);
  } catch (error) {
    to.onUserError(error);
    return undefined;
  }
}

/** What `binaryType` makes of a binary message. */
export function asBinaryType({ binaryType }: Socket, data: Buffer): unknown {
  if (binaryType === 'nodebuffer') return data;
  return binaryType === 'arraybuffer' ? Uint8Array.from(data).buffer : new Blob([data]);
}

/** Calls hook and listeners; a promise when the next message has to wait. Never throws or rejects. */
export function handOver(
  to: Recipient,
  value: unknown,
  isBinary: boolean,
): Promise<void> | undefined {
  const waiting = callHook(to, value);
  if (to.socket.listenerCount('message') > 0) {
    emitSafely(to.socket, 'message', [value, isBinary], errorSink(to));
  }
  return waiting;
}

async function judgeLater(
  to: Recipient,
  decoding: PromiseLike<Decoded>,
): Promise<Checked | undefined> {
  try {
    return await judge(to, await decoding);
  } catch (error) {
    to.onUserError(error);
    return undefined;
  }
}

function judge(
  to: Recipient,
  decoded: Decoded | undefined,
): Checked | undefined | Promise<undefined> {
  if (decoded?.kind === 'value') return decoded;
  if (decoded?.kind === 'invalid') return refuse(to, decoded.issues);
  to.shut(CloseCode.InvalidPayload, 'not JSON');
  return undefined;
}

function refuse(to: Recipient, issues: readonly Issue[]): Promise<undefined> | undefined {
  const { hooks } = to.settings;
  if (hooks.invalid === undefined) {
    to.shut(CloseCode.PolicyViolation, `invalid message: ${issues[0]?.message ?? ''}`);
    return undefined;
  }
  const waiting = callSafely(() => hooks.invalid?.(to.socket, issues), errorSink(to));
  return waiting?.then(() => undefined);
}

// As callSafely, without a closure for each message.
function callHook(to: Recipient, value: unknown): Promise<void> | undefined {
  const { hooks } = to.settings;
  if (hooks.message === undefined) return undefined;
  try {
    const result = hooks.message(to.socket, value);
    if (isThenable(result)) return settle(result, errorSink(to));
  } catch (error) {
    to.onUserError(error);
  }
  return undefined;
}

function errorSink(to: Recipient): ErrorSink {
  return (error) => to.onUserError(error);
}
