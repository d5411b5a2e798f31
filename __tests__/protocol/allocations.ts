import { Buffer } from 'node:buffer';

/**
 * The sizes of the buffers that are asked for while `run` runs: memory counted without a clock and
 * without a look at the heap.
 */
export function allocationsOf(run: () => void): number[] {
  const plain = (['alloc', 'allocUnsafe', 'allocUnsafeSlow'] as const).map((name) =>
    jest.spyOn(Buffer, name),
  );
  const joined = jest.spyOn(Buffer, 'concat');
  try {
    run();
    const sizes = plain.flatMap((spy) => spy.mock.calls.map(([size]) => size));
    return [...sizes, ...joined.mock.calls.map(([list]) => sum(list.map((each) => each.length)))];
  } finally {
    for (const spy of [...plain, joined]) spy.mockRestore();
  }
}

export const sum = (sizes: readonly number[]): number =>
  sizes.reduce((total, size) => total + size, 0);
