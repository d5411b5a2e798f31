import { Buffer } from 'node:buffer';
import { applyMask, copyMasked, type MaskedBytes } from './mask';

/** A payload smaller than this part of the memory it lies in is copied out, not passed on. */
const KEEP_FRACTION = 4;

/** Whether keeping so few of these bytes would keep much more memory than they are. */
function pins(bytes: Buffer, length: number): boolean {
  return length * KEEP_FRACTION < bytes.buffer.byteLength;
}

/** The bytes themselves, or a copy where passing them on would pin much more memory than they are. */
export function detach(bytes: Buffer): Buffer {
  return pins(bytes, bytes.length) ? Buffer.from(bytes) : bytes;
}

/** The same for bytes under a masking key, which is applied on the way, in place or in the copy. */
export function detachUnmasked(masked: MaskedBytes): Buffer {
  const { source, start, end, key } = masked;
  if (!pins(source, end - start)) {
    applyMask(source, start, end, key);
    return source.subarray(start, end);
  }
  const copy = Buffer.allocUnsafe(end - start);
  copyMasked(masked, copy, 0);
  return copy;
}
