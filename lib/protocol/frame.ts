import { constants, type Buffer } from 'node:buffer';
import { CloseCode, MAX_CONTROL_PAYLOAD } from './close';
import { ProtocolError } from './errors';
import { isControl, isDefined, Opcode, type DataOpcode } from './opcode';

/*
 * RFC 6455 §5.2, what a client sends (masked); a server leaves the key out:
 *
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +-+-+-+-+-------+-+-------------+-------------------------------+
 *  |F|R|R|R| opcode|M| length 7    |  length 16 (126) or 64 (127)  |
 *  |I|S|S|S|  (4)  |A|             |                               |
 *  |N|V|V|V|       |S|             |                               |
 *  | |1|2|3|       |K|             |                               |
 *  +-+-+-+-+-------+-+-------------+-------------------------------+
 *  |        … length               | masking key (4 bytes)         |
 *  +-------------------------------+-------------------------------+
 */

/** The bit of the first byte that marks a message's last frame. */
export const FIN = 0x80;

/** The bit of the first byte that marks a compressed message (RFC 7692 §6). */
export const RSV1 = 0x40;

const RESERVED_BITS = 0x70;
const OPCODE_BITS = 0x0f;
const MASK_BIT = 0x80;
const LENGTH_BITS = 0x7f;
const LENGTH_16 = 126;
const LENGTH_64 = 127;

/** The longest header a client can send: 2 bytes, 8 of length, 4 of masking key. */
export const MAX_CLIENT_HEADER = 14;

/** The longest header a server sends: 2 bytes and 8 of length. */
export const MAX_SERVER_HEADER = 10;

/** The opcode in the first byte of a frame whose start was checked. */
export function opcodeOf(first: number): Opcode {
  // Only bytes that passed checkFrameStart get here.
  return (first & OPCODE_BITS) as Opcode;
}

/** How many bytes a client's header has, told by its second byte. */
export function clientHeaderSize(second: number): number {
  const length = second & LENGTH_BITS;
  if (length < LENGTH_16) return 6;
  return length === LENGTH_16 ? 8 : MAX_CLIENT_HEADER;
}

/** What the start of a frame is judged by, besides itself. */
export interface FrameContext {
  /** Whether a fragmented message is open. */
  readonly inMessage: boolean;
  /** Whether permessage-deflate was negotiated. */
  readonly mayDeflate: boolean;
}

/**
 * Step one: everything that the first two bytes of a client's frame can break (RFC 6455 §5,
 * RFC 7692 §6).
 *
 * @throws ProtocolError 1002
 */
export function checkFrameStart(first: number, second: number, context: FrameContext): void {
  const opcode = first & OPCODE_BITS;
  const reserved = first & RESERVED_BITS;
  if (reserved !== 0) checkReserved(reserved, opcode, context.mayDeflate);
  if (!isDefined(opcode)) throw fault(`reserved opcode 0x${opcode.toString(16)} (§5.2)`);
  if ((second & MASK_BIT) === 0) throw fault('frame from a client is not masked (§5.1)');
  if (isControl(opcode)) checkControl(first, second);
  else checkOrder(opcode, context.inMessage);
}

/** RFC 7692 §6.1: RSV1 is for the first frame of a data message, RSV2 and RSV3 for nobody. */
function checkReserved(reserved: number, opcode: number, mayDeflate: boolean): void {
  if (!mayDeflate || reserved !== RSV1) throw fault('reserved bit set without an extension (§5.2)');
  if (opcode !== Opcode.Text && opcode !== Opcode.Binary) {
    throw fault('RSV1 on a frame that does not start a message (RFC 7692 §6.1)');
  }
}

function checkControl(first: number, second: number): void {
  if ((first & FIN) === 0) throw fault('fragmented control frame (§5.5)');
  if ((second & LENGTH_BITS) > MAX_CONTROL_PAYLOAD) {
    throw fault(`control frame above ${MAX_CONTROL_PAYLOAD} bytes (§5.5)`);
  }
}

function checkOrder(opcode: DataOpcode, inMessage: boolean): void {
  if (opcode === Opcode.Continuation && !inMessage) {
    throw fault('continuation without a message (§5.4)');
  }
  if (opcode !== Opcode.Continuation && inMessage) {
    throw fault('data frame inside of a fragmented message (§5.4)');
  }
}

/**
 * Step two: the payload length, once the whole header is there (RFC 6455 §5.2).
 *
 * @throws ProtocolError 1002 when the length is not in its shortest form, 1009 from 2^53 on
 */
export function decodeLength(header: Buffer, at: number): number {
  // Bounds are the caller's: the header is complete.
  const short = header[at + 1]! & LENGTH_BITS;
  if (short < LENGTH_16) return short;
  if (short === LENGTH_16) {
    const length = (header[at + 2]! << 8) | header[at + 3]!;
    if (length < LENGTH_16) throw fault(`length ${length} in 16 bits is not minimal (§5.2)`);
    return length;
  }
  const high = header.readUInt32BE(at + 2);
  const low = header.readUInt32BE(at + 6);
  if (high === 0 && low <= 0xffff) throw fault(`length ${low} in 64 bits is not minimal (§5.2)`);
  // Compared before the halves are combined: above 2^53 a double loses bits.
  if (high > 0x1fffff) throw tooBig('frame of 2^53 bytes or more');
  return high * 0x1_0000_0000 + low;
}

/** The masking key: the last four bytes of the header, as one big-endian number. */
export function decodeMask(header: Buffer, headerEnd: number): number {
  return (
    (header[headerEnd - 4]! << 24) |
    (header[headerEnd - 3]! << 16) |
    (header[headerEnd - 2]! << 8) |
    header[headerEnd - 1]!
  );
}

/**
 * Refuses a message that has grown above what is allowed, before its bytes arrive.
 *
 * @throws ProtocolError 1009 (RFC 6455 §7.4.1)
 */
export function checkMessageSize(size: number, maxPayload: number, isText: boolean): void {
  if (size > maxPayload) throw tooBig(`message of ${size} bytes is above maxPayload ${maxPayload}`);
  const possible = isText ? constants.MAX_STRING_LENGTH : constants.MAX_LENGTH;
  if (size > possible) throw tooBig(`message of ${size} bytes is above what Node can hold`);
}

/** What deflate adds at most to what it cannot make smaller: stored blocks, and their headers. */
const STORED_SHARE = 64;
const STORED_BYTES = 64;

/**
 * The same for a compressed message: one that was no smaller when compressed may be that much larger.
 * Its true size is judged when it is inflated.
 *
 * @throws ProtocolError 1009
 */
export function checkCompressedSize(size: number, maxPayload: number): void {
  checkMessageSize(size, maxPayload + Math.ceil(maxPayload / STORED_SHARE) + STORED_BYTES, false);
}

/** How many bytes a server's header has for a payload of this length. */
export function serverHeaderSize(length: number): number {
  if (length < LENGTH_16) return 2;
  return length <= 0xffff ? 4 : MAX_SERVER_HEADER;
}

/**
 * Writes a server's frame header, unmasked and in its shortest form, and returns where it ends
 * (RFC 6455 §5.2).
 *
 * @param first - FIN, reserved bits and opcode
 */
export function encodeHeader(target: Buffer, at: number, first: number, length: number): number {
  target[at] = first;
  if (length < LENGTH_16) {
    target[at + 1] = length;
    return at + 2;
  }
  if (length <= 0xffff) {
    target[at + 1] = LENGTH_16;
    target[at + 2] = length >>> 8;
    target[at + 3] = length;
    return at + 4;
  }
  target[at + 1] = LENGTH_64;
  target.writeUInt32BE(Math.floor(length / 0x1_0000_0000), at + 2);
  target.writeUInt32BE(length >>> 0, at + 6);
  return at + MAX_SERVER_HEADER;
}

function fault(message: string): ProtocolError {
  return new ProtocolError(message, CloseCode.ProtocolError);
}

function tooBig(message: string): ProtocolError {
  return new ProtocolError(message, CloseCode.MessageTooBig);
}
