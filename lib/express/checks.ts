import { rangeError, shown, typeError } from '../protocol/errors';

/**
 * Checks a number of an option; `Infinity` is allowed besides, on purpose.
 *
 * @throws RangeError `ERR_WS_OUT_OF_RANGE` naming option, value and range
 */
export function checkNumber(
  name: string,
  value: unknown,
  range: readonly [fallback: unknown, min: number, max: number],
): number {
  return value === Infinity ? Infinity : checkInteger(name, value, range, ', or Infinity');
}

/** As {@link checkNumber}, where `Infinity` means nothing. */
export function checkInteger(
  name: string,
  value: unknown,
  [, min, max]: readonly [fallback: unknown, min: number, max: number],
  besides = '',
): number {
  if (Number.isInteger(value) && Number(value) >= min && Number(value) <= max) return Number(value);
  throw rangeError(
    `${name} must be an integer from ${min} to ${max}${besides}, got ${shown(value)}`,
  );
}

/** Checks a switch: what is only truthy may have been meant otherwise. */
export function checkBoolean(name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw typeError(`${name} must be true or false, got ${shown(value)}`, 'ERR_WS_INVALID_ARGUMENT');
}

/** Checks a value that is one of a few words. */
export function checkChoice<const T extends string>(
  name: string,
  value: unknown,
  choices: readonly T[],
): T {
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  const words = choices.map((choice) => `'${choice}'`).join(' or ');
  throw rangeError(`${name} must be ${words}, got ${shown(value)}`);
}

/** Refuses what is no object, and names that mean nothing: an option with a typo would be none. */
export function checkObject(name: string, value: unknown, known: readonly string[]): void {
  const isObject = typeof value === 'object' && value !== null;
  const unknown = isObject ? Object.keys(value).find((each) => !known.includes(each)) : '';
  if (isObject && unknown === undefined) return;
  throw typeError(
    `${name} must be an object of ${known.join(', ')}, got ${unknown === '' ? shown(value) : `'${unknown}'`}`,
    'ERR_WS_INVALID_ARGUMENT',
  );
}
