import { Buffer } from 'node:buffer';

/** One part of the protocol core, and the laws that hold for it whatever comes. */
export interface Target {
  readonly name: string;
  /** What its inputs are made of, which decides how they are mutated. */
  readonly shape: 'frames' | 'text' | 'bytes';
  /** Inputs to begin with. */
  readonly seeds: readonly Buffer[];
  /** Leading bytes that choose limits and options, and are no part of what is parsed. */
  readonly settings: number;
  /** Statements of the library that an input of this many bytes may execute. */
  readonly operations: (length: number) => number;
  /** @throws Broken when a law does not hold; anything else it throws breaks one, too. */
  readonly run: (input: Buffer) => void;
}

/** A law that did not hold. */
export class Broken extends Error {
  override readonly name = 'Broken';
}

/** States a law. */
export function law(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Broken(what);
}

/** States that two lists of lines are the same. */
export function sameLines(found: readonly string[], wanted: readonly string[], what: string): void {
  const at = wanted.findIndex((line, index) => line !== found[index]);
  if (at < 0 && found.length === wanted.length) return;
  const where = at < 0 ? wanted.length : at;
  const [got, not] = [found[where] ?? 'nothing', wanted[where] ?? 'nothing'];
  throw new Broken(`${what}: event ${where} is ${clip(got)}, not ${clip(not)}`);
}

const clip = (line: string): string => (line.length > 200 ? `${line.slice(0, 200)}…` : line);

const ALLOCATORS = ['alloc', 'allocUnsafe', 'allocUnsafeSlow', 'concat', 'from'] as const;

type Allocate = (...args: unknown[]) => Buffer;

/** How much memory `run` asks `Buffer` for: bytes in all, counted without a look at the heap. */
export function allocatedBy(run: () => void): number {
  let total = 0;
  let depth = 0;
  const plain = ALLOCATORS.map((name) => [name, Reflect.get(Buffer, name) as Allocate] as const);
  const counting = plain.map(([name, allocate]): [string, Allocate] => [
    name,
    (...args) => {
      depth++;
      const buffer = allocate.apply(Buffer, args);
      // `concat` asks for its memory by one of the others.
      if (--depth === 0) total += buffer.length;
      return buffer;
    },
  ]);
  Object.assign(Buffer, Object.fromEntries(counting));
  try {
    run();
  } finally {
    Object.assign(Buffer, Object.fromEntries(plain));
  }
  return total;
}
