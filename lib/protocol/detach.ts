import { Buffer } from 'node:buffer';

/** A payload smaller than this part of the memory it lies in is copied out, not passed on. */
const KEEP_FRACTION = 4;

/** The bytes themselves, or a copy where passing them on would pin much more memory than they are. */
export function detach(bytes: Buffer): Buffer {
  return bytes.length * KEEP_FRACTION < bytes.buffer.byteLength ? Buffer.from(bytes) : bytes;
}
