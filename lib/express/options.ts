import type { NextFunction, Request, Response } from 'express';
import type { IncomingMessage } from 'node:http';
import type { DeflateOptions } from '../protocol/deflate';
import { shown, typeError } from '../protocol/errors';
import type { Socket } from '../socket/socket';
import type { RateLimit } from '../socket/token-bucket';
import { checkChoice, checkNumber, checkObject } from './checks';
import { resolveDeflate, type PerMessageDeflateOptions } from './compression';
import type { AnyRoute } from './route';

/** What may stand in `use`: middleware of Express or Connect, routers, and lists of them. */
export type Middleware = MiddlewareHandler | readonly Middleware[];

/** One signature, so that parameters need no annotation; Express' own is assignable to it. */
export type MiddlewareHandler = (req: Request, res: Response, next: NextFunction) => unknown;

/**
 * From which pages a browser may open a socket.
 *
 * - `'same-origin'` (the default): pages of the host and port that the request itself names.
 * - a list such as `['https://example.com']`: these too, compared as strings.
 * - a function: whatever it says; `undefined` as origin is a client that is no browser.
 * - `'*'`: every page of the web. With cookies, every page then acts in your user's name.
 *
 * A client that sends no `Origin` is not a browser and passes, but for the function.
 */
export type Origins =
  | 'same-origin'
  | '*'
  | readonly string[]
  | ((origin: string | undefined, req: IncomingMessage) => boolean);

/** Limits that a route may set for itself; what it does not set comes from the attach options. */
export interface LimitOptions {
  /** Bytes of one message; more closes with 1009. Default 1 MiB. */
  readonly maxPayload?: number | undefined;
  /** Frames of one message, an empty one counts as eight; more closes with 1008. Default 1024, or a sixteenth of `maxPayload` if that is more. */
  readonly maxFragments?: number | undefined;
  /** Buffered bytes above which `send` returns `false`. Default 64 KiB. */
  readonly highWaterMark?: number | undefined;
  /** Buffered bytes above which a further message is not taken. Default 1 MiB. `Infinity` lets one slow reader fill the memory. */
  readonly maxBackpressure?: number | undefined;
  /** What happens then: the socket is closed with 1013, or the message is dropped. Default `'close'`. */
  readonly onBackpressure?: 'close' | 'drop' | undefined;
  /** Milliseconds for `use` and `auth` together; then 503. Default 10 s. */
  readonly handshakeTimeout?: number | undefined;
  /** Milliseconds from our close frame to the end of the connection, whatever is buffered. Default 10 s. */
  readonly closeTimeout?: number | undefined;
  /** Milliseconds of silence before a ping. Default 25 s, below every usual proxy's limit. */
  readonly pingInterval?: number | undefined;
  /** Milliseconds of silence after a ping before the connection is ended. Default 20 s. */
  readonly pingTimeout?: number | undefined;
  /** Milliseconds without a message either way before a close with 1001. Default `Infinity`. */
  readonly idleTimeout?: number | undefined;
  /** Open sockets and handshakes; more get 503. Default `Infinity`. */
  readonly maxConnections?: number | undefined;
  /** The same for one `req.ip`; more get 429. Default `Infinity`. */
  readonly maxConnectionsPerIp?: number | undefined;
  /** Messages and bytes that one socket may send in `per` milliseconds; more closes with 1008. Default: any. */
  readonly messageRate?: Readonly<Partial<RateLimit>> | undefined;
  /** Rooms that one socket may be in. Default 128. */
  readonly maxRooms?: number | undefined;
  /** Characters of a room's name. Default 255. */
  readonly maxRoomNameLength?: number | undefined;
  /**
   * Compresses messages where the client offers it (RFC 7692): `true`, or how. Costs CPU time, and saves
   * bytes; `maxPayload` counts what a message has when it is inflated. Default `false`.
   */
  readonly perMessageDeflate?: boolean | PerMessageDeflateOptions | undefined;
  /** From which pages a browser may connect. Default `'same-origin'`. */
  readonly origins?: Origins | undefined;
}

/** Where an error of user code came from. */
export interface ErrorOrigin {
  readonly route: AnyRoute;
  /** Set once the socket is open. */
  readonly socket?: Socket | undefined;
  /** Set while the handshake is under way. */
  readonly req?: IncomingMessage | undefined;
}

/** What runs for an upgrade on a route: what the routes say, or the app before it. */
export type Pipeline = 'routes' | 'app';

/** Options of `attachWebSocket`. */
export interface AttachOptions extends LimitOptions {
  /** Middleware for all routes, before their own. */
  readonly use?: Middleware | undefined;
  /**
   * What an upgrade on a route goes through before `use` and `auth`: nothing of the app (`'routes'`, the
   * default), or everything that was registered on it before `attachWebSocket` (`'app'`): session,
   * logging, redirects. So attach behind these, and in front of a handler that answers everything, such
   * as a 404. Whoever answers there has answered; what `use` and `auth` throw goes to the app's error
   * handlers. `handshakeTimeout` covers all of it.
   */
  readonly pipeline?: Pipeline | undefined;
  /** Handshakes under way at a time; more get 503. Default 1000. */
  readonly maxPendingHandshakes?: number | undefined;
  /**
   * What happens to a WebSocket upgrade that no route matches: the app answers (`'app'`), it is left
   * alone (`'ignore'`), or the one or the other, whether or not somebody else listens (`'auto'`, the
   * default).
   */
  readonly unmatched?: 'auto' | 'app' | 'ignore' | undefined;
  /** Keeps the server's other upgrade listeners away from our paths. Default `false`. */
  readonly exclusive?: boolean | undefined;
  /** Hears of what user code threw, unless the route has an `error` hook. Default: one line on stderr. */
  readonly onError?: ((error: unknown, origin: ErrorOrigin) => void) | undefined;
}

/** Limits with all gaps filled. */
export interface Limits {
  readonly maxPayload: number;
  readonly maxFragments: number;
  readonly highWaterMark: number;
  readonly maxBackpressure: number;
  readonly onBackpressure: 'close' | 'drop';
  readonly handshakeTimeout: number;
  readonly closeTimeout: number;
  readonly pingInterval: number;
  readonly pingTimeout: number;
  readonly idleTimeout: number;
  readonly messageRate: RateLimit | undefined;
  readonly maxRooms: number;
  readonly maxRoomNameLength: number;
  /** `undefined` where compression is off. */
  readonly perMessageDeflate: DeflateOptions | undefined;
  readonly origins: Origins;
}

/** How many sockets and handshakes there may be. */
export interface ConnectionLimits {
  readonly maxConnections: number;
  readonly maxConnectionsPerIp: number;
}

const MAX_TIME = 2 ** 31 - 1;
const MAX_SIZE = Number.MAX_SAFE_INTEGER;

type NumberName = {
  [K in keyof Limits]: Limits[K] extends number ? K : never;
}[keyof Limits];

/** Every number: its default and its range; `Infinity` is allowed besides, on purpose. */
const NUMBERS: Readonly<Record<NumberName, readonly [fallback: number, min: number, max: number]>> =
  {
    maxPayload: [1_048_576, 1, MAX_SIZE],
    maxFragments: [1024, 1, MAX_SIZE],
    highWaterMark: [65_536, 0, MAX_SIZE],
    maxBackpressure: [1_048_576, 0, MAX_SIZE],
    handshakeTimeout: [10_000, 1, MAX_TIME],
    closeTimeout: [10_000, 1, MAX_TIME],
    pingInterval: [25_000, 1, MAX_TIME],
    pingTimeout: [20_000, 1, MAX_TIME],
    idleTimeout: [Infinity, 1, MAX_TIME],
    maxRooms: [128, 1, MAX_SIZE],
    maxRoomNameLength: [255, 1, MAX_SIZE],
  };

const RATE_NAMES: readonly string[] = ['messages', 'bytes', 'per'] satisfies (keyof RateLimit)[];

const CONNECTIONS = [undefined, 1, MAX_SIZE] as const;

const LIMIT_NAMES: readonly string[] = [
  // The keys of NUMBERS are exactly the names.
  ...(Object.keys(NUMBERS) as NumberName[]),
  'maxConnections',
  'maxConnectionsPerIp',
  'onBackpressure',
  'messageRate',
  'origins',
  'perMessageDeflate',
] satisfies (keyof LimitOptions)[];

/** How many bytes a fragment of a large message has at least, on average. */
const BYTES_PER_FRAGMENT = 16;

/**
 * Fills in the limits of a route: its own, then those of the attach options, then the defaults.
 *
 * @throws RangeError `ERR_WS_OUT_OF_RANGE` naming option, value and range; TypeError
 *   `ERR_WS_INVALID_ARGUMENT` for a value of the wrong kind
 */
export function resolveLimits(own: LimitOptions, shared: LimitOptions): Limits {
  const pick = <K extends keyof LimitOptions>(name: K): LimitOptions[K] =>
    own[name] ?? shared[name];
  const number = (name: NumberName): number =>
    checkNumber(name, pick(name) ?? NUMBERS[name][0], NUMBERS[name]);
  const numbers = Object.fromEntries(
    // The keys of NUMBERS are exactly the names.
    (Object.keys(NUMBERS) as NumberName[]).map((name) => [name, number(name)]),
  ) as Record<NumberName, number>;
  return {
    ...numbers,
    maxFragments:
      pick('maxFragments') ??
      Math.max(numbers.maxFragments, Math.floor(numbers.maxPayload / BYTES_PER_FRAGMENT)),
    onBackpressure: checkChoice('onBackpressure', pick('onBackpressure') ?? 'close', [
      'close',
      'drop',
    ]),
    messageRate: resolveRate(pick('messageRate')),
    perMessageDeflate: resolveDeflate(pick('perMessageDeflate')),
    origins: checkOrigins(pick('origins') ?? 'same-origin'),
  };
}

/**
 * The limits on connections of an attach or of a route: each counts for itself, so neither is
 * filled in from the other.
 *
 * @throws RangeError as {@link resolveLimits}
 */
export function resolveConnectionLimits(own: LimitOptions): ConnectionLimits {
  const { maxConnections = Infinity, maxConnectionsPerIp = Infinity } = own;
  return {
    maxConnections: checkNumber('maxConnections', maxConnections, CONNECTIONS),
    maxConnectionsPerIp: checkNumber('maxConnectionsPerIp', maxConnectionsPerIp, CONNECTIONS),
  };
}

/** Refuses names that mean nothing: a limit with a typo would be no limit. */
export function checkNames(where: string, options: object, known: readonly string[]): void {
  const names = [...known, ...LIMIT_NAMES];
  const unknown = Object.keys(options).find((name) => !names.includes(name));
  if (unknown === undefined) return;
  throw typeError(
    `unknown option '${unknown}' of ${where}; known are ${names.sort().join(', ')}`,
    'ERR_WS_INVALID_ARGUMENT',
  );
}

function resolveRate(rate: Readonly<Partial<RateLimit>> | undefined): RateLimit | undefined {
  if (rate === undefined) return undefined;
  checkObject('messageRate', rate, RATE_NAMES);
  const { messages = Infinity, bytes = Infinity, per = 1000 } = rate;
  return {
    messages: checkNumber('messageRate.messages', messages, [undefined, 1, MAX_SIZE]),
    bytes: checkNumber('messageRate.bytes', bytes, [undefined, 1, MAX_SIZE]),
    per: checkNumber('messageRate.per', per, [undefined, 1, MAX_TIME]),
  };
}

function checkOrigins(origins: unknown): Origins {
  if (origins === 'same-origin' || origins === '*') return origins;
  // Functions are called with an origin and a request; nothing more can be known of them.
  if (typeof origins === 'function') return origins as Origins;
  if (Array.isArray(origins) && origins.every(isOrigin)) return origins;
  throw typeError(
    `origins must be 'same-origin', '*', a function, or a list of origins such as ` +
      `'https://example.com' without a path, got ${shown(origins)}`,
    'ERR_WS_INVALID_ARGUMENT',
  );
}

/** RFC 6454 §6.2: scheme, host and port, and nothing behind them; browsers send exactly that. */
function isOrigin(origin: unknown): origin is string {
  if (typeof origin !== 'string' || !URL.canParse(origin)) return false;
  const [scheme, host, ...rest] = origin.split('//');
  return scheme?.endsWith(':') === true && !!host && !host.includes('/') && rest.length === 0;
}
