import { EventEmitter } from 'node:events';

/** Called, if it is there, with the name of the event that has got another listener. */
export const kListenerAdded: unique symbol = Symbol('listenerAdded');

interface Notified {
  [kListenerAdded]?(event: string | symbol): void;
}

type Listener = (...args: unknown[]) => void;
type Add = 'on' | 'addListener' | 'prependListener';

function LazyEmitter(this: unknown): void {
  // EventEmitter's methods make its table when the first listener is added; its constructor would
  // make one at once, 0.3 kB for every idle socket (documented use: inheriting without calling it,
  // as with util.inherits; the same on Node 20 to 26).
}

/** `once` and `prependOnceListener` go through these as well. */
function notifying(add: Add) {
  return function (this: EventEmitter & Notified, event: string | symbol, listener: Listener) {
    EventEmitter.prototype[add].call(this, event, listener);
    this[kListenerAdded]?.(event);
    return this;
  };
}

LazyEmitter.prototype = Object.create(EventEmitter.prototype, {
  constructor: { value: LazyEmitter, writable: true, configurable: true },
  on: { value: notifying('on'), writable: true, configurable: true },
  addListener: { value: notifying('addListener'), writable: true, configurable: true },
  prependListener: { value: notifying('prependListener'), writable: true, configurable: true },
}) as object;

/** An `EventEmitter` that costs nothing before somebody listens, and tells when somebody does. */
// The function is a constructor whose instances inherit everything from EventEmitter.
export const Emitter: typeof EventEmitter = LazyEmitter as unknown as typeof EventEmitter;
