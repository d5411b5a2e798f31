import type { IncomingMessage } from 'node:http';
import { shown, typeError } from '../protocol/errors';
import { refusal, type Refusal } from '../protocol/handshake';
import { isThenable } from '../socket/user-code';
import { hostOf, type App } from './app';
import type { ConnectionLimits, Origins } from './options';

/** There is no place; `limit` is why. */
interface Full extends Refusal {
  readonly limit: keyof ConnectionLimits;
}

const RETRY = { 'Retry-After': '10' };
const TOO_MANY: Full = {
  ...refusal(503, 'too many connections', RETRY),
  limit: 'maxConnections',
};
const TOO_MANY_OF_ONE: Full = {
  ...refusal(429, 'too many connections from this address', RETRY),
  limit: 'maxConnectionsPerIp',
};

/**
 * Counts connections, those of one address too when that is limited.
 *
 * Invariant: as many `leave`s as successful `enter`s; the map holds no zeros.
 */
export class Admission {
  readonly #limits: ConnectionLimits;
  readonly #perAddress = new Map<string, number>();
  #count = 0;

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  /** Whether it has to be told the address when a client leaves. */
  get countsAddresses(): boolean {
    return this.#limits.maxConnectionsPerIp !== Infinity;
  }

  /** Takes a place; a refusal when there is none. */
  enter(address: string): Full | undefined {
    const { maxConnections, maxConnectionsPerIp } = this.#limits;
    const ofAddress = this.#perAddress.get(address) ?? 0;
    if (this.#count >= maxConnections) return TOO_MANY;
    if (ofAddress >= maxConnectionsPerIp) return TOO_MANY_OF_ONE;
    this.#count++;
    if (this.countsAddresses) this.#perAddress.set(address, ofAddress + 1);
    return undefined;
  }

  /** Gives the place back. */
  leave(address: string): void {
    this.#count--;
    const ofAddress = this.#perAddress.get(address);
    if (ofAddress === undefined) return;
    if (ofAddress > 1) this.#perAddress.set(address, ofAddress - 1);
    else this.#perAddress.delete(address);
  }
}

const ORIGIN_REFUSED =
  'this origin may not connect: allow it with the option "origins" of the route or of attachWebSocket';

/**
 * Whether this page may open a socket here (RFC 6455 §10.2). Strings are compared exactly; nothing
 * is parsed, least of all the request target.
 */
export function checkOrigin(
  app: App,
  request: IncomingMessage,
  origins: Origins,
  origin: string | undefined,
): Refusal | undefined {
  return isAllowed(app, request, origins, origin) ? undefined : refusal(403, ORIGIN_REFUSED);
}

function isAllowed(
  app: App,
  request: IncomingMessage,
  origins: Origins,
  origin: string | undefined,
): boolean {
  if (typeof origins === 'function') return askOrigins(origins, origin, request);
  if (origin === undefined || origins === '*') return true;
  const host = hostOf(app, request);
  if (host !== undefined && (origin === `https://${host}` || origin === `http://${host}`))
    return true;
  return origins !== 'same-origin' && origins.includes(origin);
}

/** What is only truthy, such as a promise, lets nobody in. */
function askOrigins(
  origins: Exclude<Origins, string | readonly string[]>,
  origin: string | undefined,
  request: IncomingMessage,
): boolean {
  const verdict: unknown = origins(origin, request);
  if (typeof verdict === 'boolean') return verdict;
  throw typeError(
    `the origins function must return true or false, got ${isThenable(verdict) ? 'a promise' : shown(verdict)}`,
    'ERR_WS_INVALID_ARGUMENT',
  );
}
