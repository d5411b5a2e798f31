import { Blob, Buffer, isUtf8 } from 'node:buffer';
import { isAnyArrayBuffer } from 'node:util/types';
import { MAX_CONTROL_PAYLOAD } from '../protocol/close';
import { rangeError, typeError } from '../protocol/errors';
import { Opcode } from '../protocol/opcode';

/** What `send` takes when the route declares no `send` schema. */
export type Sendable = string | NodeJS.ArrayBufferView | ArrayBufferLike | Blob;

/** What a ping or pong may carry, at most 125 bytes. */
export type ControlData = string | NodeJS.ArrayBufferView | ArrayBufferLike;

/** How a message is sent. */
export interface SendOptions {
  /** Sends as binary (`true`) or as text (`false`); by default, strings are text. */
  readonly binary?: boolean | undefined;
  /** `false` keeps this message out of compression, where compression was negotiated. */
  readonly compress?: boolean | undefined;
  /** `false` when more fragments of the same message follow (RFC 6455 §5.4). Default `true`. */
  readonly fin?: boolean | undefined;
}

/** A message ready to be framed. */
export interface Outgoing {
  readonly opcode: typeof Opcode.Text | typeof Opcode.Binary;
  readonly payload: string | Buffer;
}

/** The bytes of a view or a buffer, exactly: not those around it. `undefined` for anything else. */
export function bytesOf(data: unknown): Buffer | undefined {
  if (Buffer.isBuffer(data)) return data;
  if (ArrayBuffer.isView(data)) return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return isAnyArrayBuffer(data) ? Buffer.from(data) : undefined;
}

/** Whether this is a `Blob`, whose bytes have to be waited for. */
export function isBlob(data: unknown): data is Blob {
  return data instanceof Blob;
}

/**
 * Turns what the user gave into a text or a binary message.
 *
 * @throws TypeError `ERR_WS_INVALID_DATA` for any other type, and for bytes that are to be sent as
 *   text but are not UTF-8
 */
export function toOutgoing(data: unknown, binary: boolean | undefined): Outgoing {
  if (typeof data === 'string') {
    return binary === true
      ? { opcode: Opcode.Binary, payload: Buffer.from(data) }
      : { opcode: Opcode.Text, payload: data };
  }
  const payload = bytesOf(data);
  if (payload === undefined) throw cannotSend(data);
  if (binary !== false) return { opcode: Opcode.Binary, payload };
  if (isUtf8(payload)) return { opcode: Opcode.Text, payload };
  throw typeError('bytes to be sent as text are not UTF-8', 'ERR_WS_INVALID_DATA');
}

/**
 * The payload of a ping or pong, strings as UTF-8 (RFC 6455 §5.5).
 *
 * @throws TypeError `ERR_WS_INVALID_DATA` for any other type, RangeError above 125 bytes
 */
export function toControlPayload(data: ControlData): Buffer {
  const payload = typeof data === 'string' ? Buffer.from(data) : bytesOf(data);
  if (payload === undefined) throw cannotSend(data);
  if (payload.length > MAX_CONTROL_PAYLOAD) {
    throw rangeError(
      `a ping or pong carries at most ${MAX_CONTROL_PAYLOAD} bytes, got ${payload.length} (RFC 6455 §5.5)`,
    );
  }
  return payload;
}

function cannotSend(data: unknown): TypeError {
  const type = data === null ? 'null' : typeof data;
  const name = type === 'object' ? Object.prototype.toString.call(data).slice(8, -1) : type;
  return typeError(
    `cannot send ${name}: expected a string, Buffer, ArrayBufferView, ArrayBuffer or Blob`,
    'ERR_WS_INVALID_DATA',
  );
}
