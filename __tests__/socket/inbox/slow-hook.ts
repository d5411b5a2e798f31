import type { Socket } from '../../../lib/socket/socket';
import { deferred, type Deferred } from '../wire';

/** Texts that tell where one is missing. */
export const numbers = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, i) => String(from + i));

/** A message hook that notes what came, and settles when it is told. */
export function makeSlowHook(): {
  readonly seen: unknown[];
  readonly begun: Deferred[];
  readonly message: (socket: Socket, data: unknown) => Promise<void>;
} {
  const seen: unknown[] = [];
  const begun: Deferred[] = [];
  const message = (_: Socket, data: unknown): Promise<void> => {
    seen.push(data);
    const waiting = deferred();
    begun.push(waiting);
    return waiting.promise;
  };
  return { seen, begun, message };
}
