import { Buffer } from 'node:buffer';

/** Also what a slow reader can pin beyond what it is owed. */
export const SLAB_SIZE = 65_536;

/**
 * Slabs kept for the next turn, 2 MiB; a turn that needs more takes fresh ones, and leaves as much to the
 * collector: with 8, an echo of 4 KiB, 64 × 16, takes 15 % longer (bench/run.mjs).
 */
const MAX_IDLE = 32;

/**
 * Memory that the small frames of all sockets are encoded into.
 *
 * ```
 *   bytes [ frame | frame | frame |  free  ....... ]
 *         0                       used             SLAB_SIZE
 * ```
 * Invariants: bytes below `used` do not change before every region was handed to its transport and
 * the transport has let go of it; a slab that a transport still reads from is `pinned`, and never
 * written to again.
 */
export class Slab {
  readonly bytes: Buffer = Buffer.allocUnsafeSlow(SLAB_SIZE);
  /** Where the frame that was written last starts; it ends at `used`. */
  lastStart = 0;
  used = 0;
  pinned = false;
}

let current = new Slab();
const full: Slab[] = [];
const idle: Slab[] = [];

/** The slab with room for this many bytes, at most {@link SLAB_SIZE}, from its `used` on. */
export function slabWithRoom(size: number): Slab {
  if (current.used + size > SLAB_SIZE) {
    full.push(current);
    current = idle.pop() ?? new Slab();
  }
  return current;
}

/**
 * To be called when no region is waiting to be written: slabs that nobody reads from are written
 * from their start again, the others are left to the garbage collector.
 */
export function recycleSlabs(): void {
  copies.slab = views.slab = undefined;
  for (const slab of full.splice(0)) {
    if (slab.pinned || idle.length >= MAX_IDLE) continue;
    slab.used = 0;
    idle.push(slab);
  }
  if (current.pinned) current = idle.pop() ?? new Slab();
  current.used = 0;
}

/**
 * To be called instead while regions still wait: nothing is written from its start again, and full
 * slabs live for as long as their regions do.
 */
export function giveAwaySlabs(): void {
  full.length = 0;
}

/** The Buffer that was made last; the members of a room share one region, so one Buffer. */
class LastBuffer {
  slab: Slab | undefined = undefined;
  #start = 0;
  #end = 0;
  #buffer: Buffer = Buffer.alloc(0);
  readonly #make: (bytes: Buffer) => Buffer;

  constructor(make: (bytes: Buffer) => Buffer) {
    this.#make = make;
  }

  of(slab: Slab, start: number, end: number): Buffer {
    if (slab !== this.slab || start !== this.#start || end !== this.#end) {
      this.slab = slab;
      this.#start = start;
      this.#end = end;
      this.#buffer = this.#make(slab.bytes.subarray(start, end));
    }
    return this.#buffer;
  }
}

const views = new LastBuffer((bytes) => bytes);
const copies = new LastBuffer((bytes) => Buffer.from(bytes));

/** The bytes themselves: only for a transport that lets go of them at once, or pins the slab. */
export function viewOf(slab: Slab, start: number, end: number): Buffer {
  return views.of(slab, start, end);
}

/** A copy that may be kept for as long as it takes. Not to be changed: others may hold it too. */
export function copyOf(slab: Slab, start: number, end: number): Buffer {
  return copies.of(slab, start, end);
}
