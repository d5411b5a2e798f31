import { Buffer, isUtf8 } from 'node:buffer';
import { ProtocolError, rangeError, typeError } from './errors';

/** Why a connection ended (RFC 6455 §7.4.1 and the IANA registry). */
export const CloseCode = {
  /** 1000: the purpose was fulfilled. */
  Normal: 1000,
  /** 1001: the server shuts down, or the page was left. */
  GoingAway: 1001,
  /** 1002: a rule of the protocol was broken. */
  ProtocolError: 1002,
  /** 1003: a type of data that cannot be accepted, such as binary where JSON text is expected. */
  UnsupportedData: 1003,
  /** 1005: the close frame carried no code. Never sent. */
  NoStatus: 1005,
  /** 1006: the connection ended without a close frame. Never sent. */
  Abnormal: 1006,
  /** 1007: text that is not UTF-8, or not the JSON that the route asks for. */
  InvalidPayload: 1007,
  /** 1008: against the rules of this server: rate, validity, expiry. */
  PolicyViolation: 1008,
  /** 1009: a message above `maxPayload`. */
  MessageTooBig: 1009,
  /** 1011: the server met an error of its own; a handler threw. */
  InternalError: 1011,
  /** 1012: the server restarts; come back. */
  ServiceRestart: 1012,
  /** 1013: the reader was too slow; try again later. */
  TryAgainLater: 1013,
} as const;

/** What a close frame says. */
export interface Close {
  readonly code: number;
  readonly reason: string;
}

/** A control frame carries at most this many bytes (RFC 6455 §5.5). */
export const MAX_CONTROL_PAYLOAD = 125;

const MAX_REASON_BYTES = MAX_CONTROL_PAYLOAD - 2;

/**
 * Whether this code may stand in a close frame (RFC 6455 §7.4): the registered ones except 1004,
 * 1005, 1006 and 1015, and the ranges for libraries (3000–3999) and applications (4000–4999).
 */
export function isCloseCode(code: number): boolean {
  if (code >= 3000) return code <= 4999;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

/** A reason of ours, cut between two characters to what fits into a close frame. */
export function cutReason(reason: string): string {
  const bytes = Buffer.from(reason);
  if (bytes.length <= MAX_REASON_BYTES) return reason;
  let end = MAX_REASON_BYTES;
  // Continuation bytes (RFC 3629 §3) belong to the character before.
  while ((bytes.readUInt8(end) & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end);
}

/** Parses the body of a close frame (RFC 6455 §5.5.1). */
export function parseClose(body: Buffer): Close {
  if (body.length === 0) return { code: CloseCode.NoStatus, reason: '' };
  if (body.length === 1) {
    throw new ProtocolError('close body of one byte (§5.5.1)', CloseCode.ProtocolError);
  }
  const code = body.readUInt16BE(0);
  if (!isCloseCode(code)) {
    throw new ProtocolError(`close code ${code} must not be sent (§7.4)`, CloseCode.ProtocolError);
  }
  const reason = body.subarray(2);
  if (!isUtf8(reason)) {
    throw new ProtocolError('close reason is not UTF-8 (§5.5.1)', CloseCode.InvalidPayload);
  }
  return { code, reason: reason.toString() };
}

/**
 * Writes the body of a close frame (RFC 6455 §5.5.1).
 *
 * @throws RangeError `ERR_WS_OUT_OF_RANGE` for a code that must not be sent, or a reason above
 *   123 bytes of UTF-8; TypeError `ERR_WS_INVALID_ARGUMENT` for a code that is no integer or a
 *   reason that is no string.
 */
export function serializeClose(code: number, reason: string): Buffer {
  if (!Number.isInteger(code)) {
    throw typeError(
      `close code must be an integer, got ${String(code)}`,
      'ERR_WS_INVALID_ARGUMENT',
    );
  }
  if (!isCloseCode(code)) {
    throw rangeError(
      `close code ${code} must not be sent: use 1000-1003, 1007-1014 or 3000-4999 (RFC 6455 §7.4)`,
    );
  }
  if (typeof reason !== 'string') {
    throw typeError(
      `close reason must be a string, got ${typeof reason}`,
      'ERR_WS_INVALID_ARGUMENT',
    );
  }
  const length = Buffer.byteLength(reason);
  if (length > MAX_REASON_BYTES) {
    throw rangeError(
      `close reason has ${length} bytes of UTF-8, at most ${MAX_REASON_BYTES} fit (RFC 6455 §5.5)`,
    );
  }
  const body = Buffer.allocUnsafe(2 + length);
  body.writeUInt16BE(code, 0);
  body.write(reason, 2);
  return body;
}
