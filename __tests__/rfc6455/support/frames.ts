import { Buffer } from 'node:buffer';
import { clientFrame, hex } from '../../support/bytes';

/*
 * Frames of a client under the key 00000000, which leaves the payload readable; the ways of a
 * vector put a random one in its place.
 */

/** The bit of a message's last frame. */
export const FIN = 0x80;

const frame = (first: number, payload: Buffer | string = ''): Buffer =>
  clientFrame({ first, payload });

export const text = (payload: Buffer | string = ''): Buffer => frame(FIN | 0x1, payload);
export const binary = (payload: Buffer | string = ''): Buffer => frame(FIN | 0x2, payload);
/** A text that goes on. */
export const textPart = (payload: Buffer | string = ''): Buffer => frame(0x1, payload);
export const binaryPart = (payload: Buffer | string = ''): Buffer => frame(0x2, payload);
/** A continuation that goes on. */
export const part = (payload: Buffer | string = ''): Buffer => frame(0x0, payload);
/** The last continuation. */
export const last = (payload: Buffer | string = ''): Buffer => frame(FIN, payload);
export const ping = (payload: Buffer | string = ''): Buffer => frame(FIN | 0x9, payload);
export const pong = (payload: Buffer | string = ''): Buffer => frame(FIN | 0xa, payload);

/** A close frame with this body. */
export const closeWith = (body: Buffer): Buffer => frame(FIN | 0x8, body);

/** A close frame with a code, whatever it is, and a reason. */
export function close(code: number, reason: Buffer | string = ''): Buffer {
  return closeWith(
    Buffer.concat([hex(code.toString(16).padStart(4, '0')), Buffer.from(reason as string)]),
  );
}

/** A frame with these reserved bits, 1 to 7, besides. */
export function withReserved(bits: number, bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy[0] = copy[0]! | (bits << 4);
  return copy;
}

/** A frame of any opcode. */
export const ofOpcode = (opcode: number, payload: Buffer | string = ''): Buffer =>
  frame(FIN | opcode, payload);

/** A frame without FIN. */
export const unfinished = (opcode: number, payload: Buffer | string = ''): Buffer =>
  frame(opcode, payload);

/** A key that changes every byte it meets, for messages that are too long for every way. */
const KEY = '37fa213d';

/** A message in frames of so many bytes, under a key of its own. */
export function fragments(first: number, payload: Buffer, size = Infinity): Buffer[] {
  const count = Math.max(1, Math.ceil(payload.length / size));
  return Array.from({ length: count }, (_, i) => {
    const opcode = i === 0 ? first : 0;
    const from = i === 0 ? 0 : i * size;
    return clientFrame({
      first: opcode | (i === count - 1 ? FIN : 0),
      payload: payload.subarray(from, from + size),
      key: KEY,
    });
  });
}
