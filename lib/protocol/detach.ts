import { Buffer } from 'node:buffer';
import { applyMask, type MaskedBytes } from './mask';
import { copyUnmasked } from './read-image';

/** A payload smaller than this part of the memory it lies in is copied out, not passed on. */
const KEEP_FRACTION = 4;

/**
 * What copies up to a quarter of it share, in bytes. Of Node's own pool, one that is kept would hold
 * 64 KiB (seen on Node 24 and 26; 8 KiB on 20 and 22).
 */
const POOL_SIZE = 8192;

let pool = Buffer.allocUnsafeSlow(POOL_SIZE);
let used = 0;

/** Whether keeping so few of these bytes would keep much more memory than they are. */
function pins(bytes: Buffer, length: number): boolean {
  // Its memory is at least as long, and takes longer to ask for.
  return length * KEEP_FRACTION < bytes.length || length * KEEP_FRACTION < bytes.buffer.byteLength;
}

/** The bytes themselves, or a copy where passing them on would pin much more memory than they are. */
export function detach(bytes: Buffer): Buffer {
  return pins(bytes, bytes.length) ? copyOf(bytes) : bytes;
}

/** A copy that holds little more memory than it is, however long it is kept. */
export function copyOf(bytes: Buffer): Buffer {
  const copy = allocate(bytes.length);
  bytes.copy(copy);
  return copy;
}

/** The same for bytes of the read at hand under a masking key, which is applied in place or to the copy. */
export function detachUnmasked(masked: MaskedBytes): Buffer {
  const { source, start, end, key } = masked;
  if (!pins(source, end - start)) {
    applyMask(source, start, end, key);
    return source.subarray(start, end);
  }
  const copy = allocate(end - start);
  copyUnmasked(masked, copy, 0);
  return copy;
}

function allocate(size: number): Buffer {
  if (size * KEEP_FRACTION > POOL_SIZE) return Buffer.allocUnsafeSlow(size);
  // It has no length any more when somebody has transferred the memory of a message to a worker.
  if (used + size > pool.length) {
    pool = Buffer.allocUnsafeSlow(POOL_SIZE);
    used = 0;
  }
  const memory = pool.subarray(used, used + size);
  // Any typed array may be laid over it, as over what Node allocates.
  used += (size + 7) & ~7;
  return memory;
}
