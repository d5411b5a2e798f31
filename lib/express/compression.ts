import type { DeflateOptions } from '../protocol/deflate';
import { checkBoolean, checkInteger, checkNumber, checkObject } from './checks';

/** How messages are compressed (RFC 7692). */
export interface PerMessageDeflateOptions {
  /** Messages below this many bytes are sent as they are. Default 1024; `Infinity` only inflates. */
  readonly threshold?: number | undefined;
  /** Zlib's level, 0 to 9, or -1 for zlib's default, which is 6. Level 1 takes a third of the time. Default -1. */
  readonly level?: number | undefined;
  /** Base-2 logarithm of the window, 9 to 15. Default 15. */
  readonly windowBits?: number | undefined;
  /** Zlib's memory level, 1 to 9. Default 8. */
  readonly memLevel?: number | undefined;
  /**
   * Whether messages may refer to those before them: small ones that are alike become much smaller, and
   * up to 2^`windowBits` bytes each way are kept for every connection. Default `false`.
   *
   * Danger: where a secret and text of an attacker are sent on one connection, the length of what is
   * sent tells of the secret; send one of them with `compress: false`.
   */
  readonly contextTakeover?: boolean | undefined;
}

/** Every number: its default and its range. */
const THRESHOLD = [1024, 0, Number.MAX_SAFE_INTEGER] as const;
const LEVEL = [-1, -1, 9] as const;
const WINDOW_BITS = [15, 9, 15] as const;
const MEM_LEVEL = [8, 1, 9] as const;

const NAMES: readonly string[] = [
  'threshold',
  'level',
  'windowBits',
  'memLevel',
  'contextTakeover',
] satisfies (keyof PerMessageDeflateOptions)[];

/**
 * Fills in what was not said; `undefined` where compression is off.
 *
 * @throws RangeError `ERR_WS_OUT_OF_RANGE`; TypeError `ERR_WS_INVALID_ARGUMENT`
 */
export function resolveDeflate(
  deflate: boolean | PerMessageDeflateOptions | undefined = false,
): DeflateOptions | undefined {
  if (deflate === false) return undefined;
  const given = deflate === true ? {} : deflate;
  checkObject('perMessageDeflate', given, NAMES);
  const { threshold = THRESHOLD[0], level = LEVEL[0], windowBits = WINDOW_BITS[0] } = given;
  const { memLevel = MEM_LEVEL[0], contextTakeover = false } = given;
  return {
    threshold: checkNumber('perMessageDeflate.threshold', threshold, THRESHOLD),
    level: checkInteger('perMessageDeflate.level', level, LEVEL),
    windowBits: checkInteger('perMessageDeflate.windowBits', windowBits, WINDOW_BITS),
    memLevel: checkInteger('perMessageDeflate.memLevel', memLevel, MEM_LEVEL),
    contextTakeover: checkBoolean('perMessageDeflate.contextTakeover', contextTakeover),
  };
}
