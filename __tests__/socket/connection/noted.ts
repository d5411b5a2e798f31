import { makeWire, type Wire, type WireOptions } from '../wire';

/** A socket that keeps what 'error' brought. */
export function makeNoted(options?: WireOptions): Wire & { errors: Error[] } {
  const errors: Error[] = [];
  const wire = makeWire(options);
  wire.socket.on('error', (error) => errors.push(error));
  return { ...wire, errors };
}

/** The first byte of each frame that came. */
export const opcodes = (wire: Wire): string[] =>
  wire.peer.frames.map(({ first }) => first.toString(16).padStart(2, '0'));
