import { Buffer } from 'node:buffer';
import { encodeHeader, MAX_SERVER_HEADER, serverHeaderSize } from './frame';
import { writeText } from './relay';

/** The most bytes of UTF-8 that one UTF-16 code unit becomes. */
const MAX_UTF8_PER_UNIT = 3;

/** How much room {@link encodeText} may need for a string of this length. */
export function textFrameRoom(length: number): number {
  return MAX_SERVER_HEADER + length * MAX_UTF8_PER_UNIT;
}

/** How many bytes {@link encodeBytes} needs for a payload of this length. */
export function bytesFrameSize(length: number): number {
  return serverHeaderSize(length) + length;
}

/**
 * Writes a frame with this text straight into `target` and returns where it ends; there must be
 * {@link textFrameRoom} (RFC 6455 §5.2, §5.6).
 *
 * @param first - FIN, reserved bits and opcode
 */
export function encodeText(target: Buffer, at: number, first: number, text: string): number {
  // Nearly all text is ASCII: the header's size is guessed from the length, and mended if wrong.
  const guess = serverHeaderSize(text.length);
  const length = writeText(target, text, at + guess);
  const size = serverHeaderSize(length);
  if (size !== guess) target.copyWithin(at + size, at + guess, at + guess + length);
  encodeHeader(target, at, first, length);
  return at + size + length;
}

/**
 * Writes a frame with these bytes into `target` and returns where it ends; there must be
 * {@link bytesFrameSize} (RFC 6455 §5.2, §5.6).
 *
 * @param first - FIN, reserved bits and opcode
 */
export function encodeBytes(
  target: Buffer,
  at: number,
  first: number,
  payload: Uint8Array,
): number {
  const start = encodeHeader(target, at, first, payload.length);
  target.set(payload, start);
  return start + payload.length;
}

/** The header alone, for a payload that is too large to be worth copying. */
export function headerOf(first: number, length: number): Buffer {
  const header = Buffer.allocUnsafe(serverHeaderSize(length));
  encodeHeader(header, 0, first, length);
  return header;
}
