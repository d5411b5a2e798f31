/**
 * The peer broke a rule. Thrown inside `protocol/` only, caught in one place by the owner of the
 * connection, and never seen by user code as a throw.
 */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly code = 'ERR_WS_PROTOCOL';

  /** The code to send in the close frame (RFC 6455 §7.4.1). */
  readonly closeCode: number;

  constructor(message: string, closeCode: number) {
    super(message);
    this.closeCode = closeCode;
  }
}

/** Names of the errors that a wrong call of this library throws or calls back with. */
export type CallerErrorCode =
  | 'ERR_WS_INVALID_ARGUMENT'
  | 'ERR_WS_OUT_OF_RANGE'
  | 'ERR_WS_INVALID_DATA'
  | 'ERR_WS_INVALID_MESSAGE'
  | 'ERR_WS_PATH_TAKEN'
  | 'ERR_WS_NOT_OPEN'
  | 'ERR_WS_BACKPRESSURE'
  | 'ERR_WS_FRAGMENT_MIX';

/** A value of the wrong kind, by our caller. */
export function typeError(message: string, code: CallerErrorCode): TypeError {
  return Object.assign(new TypeError(message), { code });
}

/** A value of the right kind outside of its range, by our caller. */
export function rangeError(message: string): RangeError {
  return Object.assign(new RangeError(message), { code: 'ERR_WS_OUT_OF_RANGE' as const });
}

/** Something that cannot be done in the state things are in, by our caller. */
export function stateError(message: string, code: CallerErrorCode): Error {
  return Object.assign(new Error(message), { code });
}

/** A value as an error message names it. Whatever was passed by mistake, this does not throw. */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(shown).join(', ')}]`;
  if (typeof value === 'string') return `'${value}'`;
  if (typeof value === 'function') return 'a function';
  return Object(value) === value ? 'an object' : String(value);
}
