import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Request } from 'express';
import type { RouteParameters, ParamsDictionary } from 'express-serve-static-core';
import { isToken } from '../protocol/header';
import { shown, typeError } from '../protocol/errors';
import type { Sendable } from '../socket/outgoing';
import type { Issue } from '../socket/settings';
import type { Socket, SocketTypes } from '../socket/socket';
import { isSchema } from './codec';
import { checkNames, type LimitOptions, type Middleware } from './options';
import type { Rejection } from './rejection';

/** What `app.get` takes as a path. */
export type Path = string | RegExp | readonly (string | RegExp)[];

/** The parameters in a path, as the types of Express name them. */
export type ParamsOf<P extends Path> = P extends string
  ? string extends P
    ? ParamsDictionary
    : RouteParameters<P>
  : ParamsDictionary;

/** A Standard Schema (zod, valibot, arktype …), or none. */
export type Schema = StandardSchemaV1 | undefined;

/** What `auth` gets besides the request. */
export interface AuthInfo {
  /** Aborts when the client leaves, or `handshakeTimeout` has passed; an `AbortError` is not reported then. */
  readonly signal: AbortSignal;
}

/** What `socket.context` becomes of what `auth` returns. */
export type ContextOf<Auth> = Exclude<Awaited<Auth>, Rejection | false | null>;

/** Options of one route. */
export interface RouteOptions<
  P extends Path = Path,
  Protocols extends readonly string[] = readonly string[],
  Auth = unknown,
  Receive extends Schema = Schema,
  Send extends Schema = Schema,
  Params = ParamsOf<P>,
> extends LimitOptions {
  /** Express middleware, run on the real request and response before the 101. What answers has answered. */
  readonly use?: Middleware | undefined;
  /** Subprotocols in our order of preference. A client that offers others only gets 400. */
  readonly protocols?: Protocols | undefined;
  /**
   * Decides who may come in, before the 101. What it returns is `socket.context`; `reject()`
   * (returned or thrown) is answered as it says, `false` and `null` with 403, any other throw with
   * 500 or the error's own `status`. `undefined` lets in without a context, so a look-up ends in
   * `?? false`. An `expiresAt` (Date or milliseconds since the epoch) in the
   * context closes the socket then, with 1008.
   */
  readonly auth?: ((req: Request<Params>, info: AuthInfo) => Auth) | undefined;
  /** What text messages must be, as JSON: others never reach the handler. */
  readonly receive?: Receive | undefined;
  /** What `send` takes; it is sent as JSON. */
  readonly send?: Send | undefined;
}

/** The hooks of a route, shared by all of its sockets. Each may be asynchronous. */
export interface Handlers<T extends SocketTypes> {
  /** The socket is open. Messages wait until this has settled. The request is not kept for later. */
  open?(socket: Socket<T>, req: Request<T['params'] & ParamsDictionary>): unknown;
  /** A message; the next one comes when this has settled. */
  message?(socket: Socket<T>, data: T['in']): unknown;
  /** The socket has closed. Called exactly once for every socket that was opened. */
  close?(socket: Socket<T>, code: number, reason: string): unknown;
  /** `send` returned `false` and everything has been taken since. */
  drain?(socket: Socket<T>): unknown;
  /** A message that does not fit `receive`. Without this hook, it closes the socket with 1008. */
  invalid?(socket: Socket<T>, issues: readonly Issue[]): unknown;
  /** User code threw, in this route. Without this hook, `onError` of the attach options hears. */
  error?(error: unknown, socket: Socket<T> | undefined): unknown;
}

/** A function is the `open` hook. */
export type Handler<T extends SocketTypes> =
  ((socket: Socket<T>, req: Request<T['params'] & ParamsDictionary>) => unknown) | Handlers<T>;

declare const types: unique symbol;

/** A route, ready for `attachWebSocket`. */
export interface Route<T extends SocketTypes = SocketTypes> {
  readonly path: Path;
  readonly options: RouteOptions;
  readonly handlers: Handlers<SocketTypes>;
  /** Only in types: what its sockets are. */
  readonly [types]?: T;
}

/** Any route. */
export type AnyRoute = Route;

/** The type of a route's sockets: `SocketOf<typeof chat>`. */
export type SocketOf<R extends AnyRoute> = R extends Route<infer T> ? Socket<T> : never;

/** The types of a route without options. */
export interface PlainTypes<P extends Path, Params extends object = ParamsOf<P>> {
  params: Params;
  context: undefined;
  protocol: '';
  in: string | Buffer;
  out: Sendable;
}

/** The types that options give to a route. */
export interface TypesOf<
  P extends Path,
  Protocols extends readonly string[],
  Auth,
  Receive extends Schema,
  Send extends Schema,
  Params extends object = ParamsOf<P>,
> {
  params: Params;
  context: ContextOf<Auth>;
  /** `''`: a client may offer none. */
  protocol: Protocols[number] | '';
  in: Receive extends StandardSchemaV1 ? StandardSchemaV1.InferOutput<Receive> : string | Buffer;
  out: Send extends StandardSchemaV1 ? StandardSchemaV1.InferInput<Send> : Sendable;
}

const OPTION_NAMES: (keyof RouteOptions)[] = ['use', 'protocols', 'auth', 'receive', 'send'];
const HOOKS: readonly string[] = [
  'open',
  'message',
  'close',
  'drain',
  'invalid',
  'error',
] satisfies (keyof Handlers<SocketTypes>)[];

/**
 * Declares a WebSocket route, in the order of `app.get(path, middleware, handler)`.
 *
 * @param path - what `app.get` takes, matched by Express' own rules
 * @param handler - a function (it is `open`), or an object of hooks
 * @throws TypeError `ERR_WS_INVALID_ARGUMENT` for an unknown option or hook, a value of the wrong
 *   kind, or a schema that is none
 */
export function route<const P extends Path>(
  path: P,
  handler: Handler<PlainTypes<P>>,
): Route<PlainTypes<P>>;
export function route<
  const P extends Path,
  const Protocols extends readonly string[] = [],
  Auth = undefined,
  Receive extends Schema = undefined,
  Send extends Schema = undefined,
>(
  path: P,
  options: RouteOptions<P, Protocols, Auth, Receive, Send>,
  handler: Handler<TypesOf<P, Protocols, Auth, Receive, Send>>,
): Route<TypesOf<P, Protocols, Auth, Receive, Send>>;
export function route(path: Path, ...rest: readonly unknown[]): AnyRoute {
  const [options, handler] = rest.length > 1 ? rest : [{}, rest[0]];
  return {
    path,
    options: checkOptions(options),
    handlers: checkHandler(handler),
  };
}

function checkOptions(options: unknown): RouteOptions {
  if (typeof options !== 'object' || options === null) {
    throw invalid(`options of a route must be an object, got ${typeof options}`);
  }
  checkNames('a route', options, OPTION_NAMES);
  // Its names are known; the values are checked one by one.
  const { auth, receive, send, protocols } = options as RouteOptions;
  if (auth !== undefined && typeof auth !== 'function') throw invalid('auth must be a function');
  for (const [name, schema] of Object.entries({ receive, send })) {
    if (schema !== undefined && !isSchema(schema)) {
      throw invalid(`${name} must be a Standard Schema (zod, valibot, arktype …)`);
    }
  }
  checkProtocols(protocols ?? []);
  return options;
}

function checkProtocols(protocols: unknown): void {
  const isList = Array.isArray(protocols) && protocols.every((name) => typeof name === 'string');
  if (!isList || !protocols.every(isToken) || new Set(protocols).size !== protocols.length) {
    throw invalid(
      `protocols must be a list of different tokens (RFC 6455 §4.1), got ${shown(protocols)}`,
    );
  }
}

function checkHandler(handler: unknown): Handlers<SocketTypes> {
  // What a function gets is fixed by route's signature.
  if (typeof handler === 'function') return { open: handler as Handlers<SocketTypes>['open'] & {} };
  if (typeof handler !== 'object' || handler === null) {
    throw invalid(`handler must be a function or an object of hooks, got ${typeof handler}`);
  }
  const unknown = Object.keys(handler).find((name) => !HOOKS.includes(name));
  if (unknown !== undefined) {
    throw invalid(`unknown hook '${unknown}'; known are ${HOOKS.join(', ')}`);
  }
  const broken = Object.entries(handler).find(([, hook]) => !isHook(hook));
  if (broken !== undefined) throw invalid(`hook '${broken[0]}' must be a function`);
  return handler;
}

function isHook(hook: unknown): boolean {
  return hook === undefined || typeof hook === 'function';
}

function invalid(message: string): TypeError {
  return typeError(message, 'ERR_WS_INVALID_ARGUMENT');
}
