import type { Buffer } from 'node:buffer';
import type { Duplex } from 'node:stream';

/** Who hears what happens to a transport. None of these may throw. */
export interface TransportListener {
  onData(chunk: Buffer): void;
  /** The peer's FIN. */
  onTransportEnd(): void;
  onTransportError(error: Error): void;
  /** It is gone. */
  onTransportClose(): void;
}

/** How the shared listeners find whom to tell. */
const kListener = Symbol('listener');

interface Transport extends Duplex {
  [kListener]?: TransportListener;
}

/** Tells this listener from now on; with listeners that all transports share, no closure a socket. */
export function listenTo(transport: Duplex, listener: TransportListener): void {
  (transport as Transport)[kListener] = listener;
  transport.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose);
}

function onData(this: Transport, chunk: Buffer): void {
  this[kListener]?.onData(chunk);
}

function onEnd(this: Transport): void {
  this[kListener]?.onTransportEnd();
}

function onError(this: Transport, error: Error): void {
  this[kListener]?.onTransportError(error);
}

function onClose(this: Transport): void {
  this[kListener]?.onTransportClose();
}
