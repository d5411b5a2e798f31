import type { EventEmitter } from 'node:events';

/** Hears of what user code threw, or rejected with. Must not throw. */
export type ErrorSink = (error: unknown) => void;

/** Whether this is something to wait for. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    // Only looked at: whatever the property is, typeof is safe.
    typeof (value as { then?: unknown }).then === 'function'
  );
}

/** Waits for a promise of user code; the promise that comes back never rejects. */
export async function settle(promise: PromiseLike<unknown>, onError: ErrorSink): Promise<void> {
  try {
    await promise;
  } catch (error) {
    onError(error);
  }
}

/** Calls user code; neither a throw nor a rejection gets out, and a promise is handed back. */
export function callSafely(call: () => unknown, onError: ErrorSink): Promise<void> | undefined {
  try {
    const result = call();
    if (isThenable(result)) return settle(result, onError);
  } catch (error) {
    onError(error);
  }
  return undefined;
}

/** Emits an event; a listener that throws or rejects is answered for, and the next one runs. */
export function emitSafely(
  emitter: EventEmitter,
  event: string,
  args: readonly unknown[],
  onError: ErrorSink,
): void {
  if (emitter.listenerCount(event) === 0) return;
  for (const listener of emitter.rawListeners(event)) {
    // As callSafely, without a closure for each message.
    try {
      const result: unknown = Reflect.apply(listener, emitter, args);
      if (isThenable(result)) void settle(result, onError);
    } catch (error) {
      onError(error);
    }
  }
}
