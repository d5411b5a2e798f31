import { validateHeaderName, validateHeaderValue } from 'node:http';
import { rangeError, shown, typeError } from '../protocol/errors';
import { refusal, type Refusal } from '../protocol/handshake';

/** An HTTP answer instead of a WebSocket, made by {@link reject}. */
export class Rejection {
  readonly #refusal: Refusal;

  /** @internal */
  constructor(answer: Refusal) {
    this.#refusal = answer;
  }

  /** The answer as it goes out. */
  get refusal(): Refusal {
    return this.#refusal;
  }
}

/**
 * Refuses an upgrade with this HTTP answer. Return it from `auth`, or throw it.
 *
 * @param status - 300 to 599
 * @param body - a string is sent as text, anything else as JSON; without it, the status' own words
 * @param headers - checked here: nothing that could split the answer gets on the wire; those that
 *   frame the answer, such as `Content-Length`, are ours
 * @throws RangeError for another status, TypeError for a header that HTTP does not allow or a body
 *   that JSON cannot say
 */
export function reject(
  status: number,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Rejection {
  if (!Number.isInteger(status) || status < 300 || status > 599) {
    throw rangeError(`status must be an integer from 300 to 599, got ${shown(status)}`);
  }
  for (const [name, value] of Object.entries(headers)) {
    validateHeaderName(name);
    validateHeaderValue(name, value);
  }
  if (body === undefined || typeof body === 'string') {
    return new Rejection(refusal(status, body ?? '', headers));
  }
  // `undefined` for what JSON cannot say, which the types of JSON.stringify do not tell.
  const text = JSON.stringify(body) as string | undefined;
  if (text === undefined) {
    throw typeError(`JSON cannot say a ${typeof body} as body`, 'ERR_WS_INVALID_ARGUMENT');
  }
  return new Rejection(
    refusal(status, text, {
      'Content-Type': 'application/json; charset=utf-8',
      ...headers,
    }),
  );
}
