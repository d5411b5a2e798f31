import {
  Router,
  type ErrorRequestHandler,
  type NextFunction,
  type Request,
  type RequestHandler,
  type Response,
} from 'express';
import type { IncomingMessage } from 'node:http';
import { shown, typeError } from '../protocol/errors';
import type { Refusal } from '../protocol/handshake';
import { Rooms } from '../rooms/rooms';
import { Observer } from '../socket/observer';
import type { SocketSettings } from '../socket/settings';
import type { Socket } from '../socket/socket';
import { callSafely } from '../socket/user-code';
import { Admission } from './admission';
import { makeCodec } from './codec';
import { describePath, type Matcher } from './matcher';
import { HandshakeCounts } from './metrics';
import {
  resolveConnectionLimits,
  resolveLimits,
  type AttachOptions,
  type Limits,
  type Middleware,
} from './options';
import { reportError } from './report';
import type { AnyRoute } from './route';

/** How the middleware of a route ended, unless it has answered. */
export type ChainResult =
  | { readonly kind: 'passed' }
  /** By `next('router')`: the rest was left out, what guards the route among it. */
  | { readonly kind: 'left' }
  | { readonly kind: 'error'; readonly error: unknown };

/** The middleware of a route, as one. */
export type Chain = (req: Request, res: Response, done: (result: ChainResult) => void) => void;

/** What a mount is made of. */
export interface MountTerms {
  readonly route: AnyRoute;
  /** `undefined` for a route of a router: only the app knows when it is reached. */
  readonly matcher: Matcher | undefined;
  readonly options: AttachOptions;
  /** Counts for the whole attach. */
  readonly total: Admission;
  /** Called when the connection of a socket is gone. */
  readonly onGone: () => void;
}

/** A route as one attach runs it: everything resolved, and its live sockets. */
export class Mount {
  readonly route: AnyRoute;
  readonly limits: Limits;
  /** `undefined` for a route of a router. */
  readonly matcher: Matcher | undefined;
  /** Middleware of the attach and of the route, or `undefined` where there is none. */
  readonly chain: Chain | undefined;
  readonly settings: SocketSettings;
  readonly rooms: Rooms;
  readonly handshakes: HandshakeCounts = new HandshakeCounts();
  readonly sockets: Set<Socket> = new Set<Socket>();
  readonly #options: AttachOptions;
  /** Of the whole attach, and of this route. */
  readonly #admissions: readonly Admission[];
  /** Kept only where an address has to be given back. */
  readonly #addresses: Map<Socket, string> | undefined;

  readonly #onGone: () => void;

  constructor({ route, matcher, options, total, onGone }: MountTerms) {
    const limits = resolveLimits(route.options, options);
    const codec = makeCodec(route.options.receive, route.options.send);
    this.route = route;
    this.limits = limits;
    this.matcher = matcher;
    this.chain = makeChain([options.use ?? [], route.options.use ?? []]);
    this.rooms = new Rooms(limits, codec);
    const own = new Admission(resolveConnectionLimits(route.options));
    this.#admissions = [total, own];
    this.#addresses = this.#admissions.some((each) => each.countsAddresses) ? new Map() : undefined;
    this.#options = options;
    this.#onGone = onGone;
    this.settings = {
      ...limits,
      // Hooks get the sockets of their own route: what they declare and what they get agree.
      hooks: route.handlers,
      codec,
      rooms: this.rooms,
      observer: new Observer(describePath(route.path)),
      report: (error, socket) => this.report(error, { socket }),
      release: (socket) => this.#release(socket),
    };
  }

  /** Tells the route's `error` hook, or `onError`, of what user code threw. */
  report(error: unknown, at: { socket?: Socket; req?: IncomingMessage }): void {
    reportError(error, { ...at, route: this.route }, this.#options.onError);
  }

  /** What the route is called, as it was declared. */
  get path(): string {
    return this.settings.observer.path;
  }

  /** Whether places are counted for each address. */
  get countsAddresses(): boolean {
    return this.#addresses !== undefined;
  }

  /** A place for a client of this address; a refusal when there is none. */
  enter(address: string): Refusal | undefined {
    for (const [index, admission] of this.#admissions.entries()) {
      const refused = admission.enter(address);
      if (refused === undefined) continue;
      for (const earlier of this.#admissions.slice(0, index)) earlier.leave(address);
      this.settings.observer.onLimit(refused.limit, undefined);
      return refused;
    }
    return undefined;
  }

  /** Gives the place back. */
  leave(address: string): void {
    for (const admission of this.#admissions) admission.leave(address);
  }

  /** A socket is open, on a place that was entered for this address. */
  add(socket: Socket, address: string): void {
    this.sockets.add(socket);
    this.#addresses?.set(socket, address);
  }

  #release(socket: Socket): void {
    this.sockets.delete(socket);
    this.rooms.release(socket);
    this.leave(this.#addresses?.get(socket) ?? '');
    this.#addresses?.delete(socket);
    this.#onGone();
  }
}

/** What the end of a chain says: without it, a router does not tell whether it was left before. */
const PASSED = new Error('passed');

/** Runs middleware as Express does; a rejected promise is an error on Express 4 as well. */
function makeChain(use: Middleware): Chain | undefined {
  const handlers = flatten(use);
  if (handlers.length === 0) return undefined;
  // The parameters of the path were set on the request before.
  const router = Router({ mergeParams: true });
  for (const handler of handlers) router.use(catching(handler));
  router.use((_req, _res, next) => next(PASSED));
  return (req, res, done) => {
    router(req, res, (error?: unknown) => {
      if (error === PASSED) done({ kind: 'passed' });
      else done(error ? { kind: 'error', error } : { kind: 'left' });
    });
  };
}

function flatten(use: Middleware): RequestHandler[] {
  if (Array.isArray(use)) return use.flatMap(flatten);
  if (typeof use !== 'function') {
    throw typeError(
      `use must be Express middleware or a list of it, got ${shown(use)}`,
      'ERR_WS_INVALID_ARGUMENT',
    );
  }
  // Connect's middleware is called in the same way; only its types know less.
  return [use as RequestHandler];
}

/** Hands every throw and rejection on as an error; of the four parameters of an error handler, too. */
function catching(
  handler: RequestHandler | ErrorRequestHandler,
): RequestHandler | ErrorRequestHandler {
  const call = (run: () => unknown, next: NextFunction): void => {
    void callSafely(run, (error) => next(asError(error)));
  };
  if (isErrorHandler(handler)) {
    return (error: unknown, req: Request, res: Response, next: NextFunction) => {
      call(() => handler(error, req, res, next), next);
    };
  }
  return (req: Request, res: Response, next: NextFunction) => {
    call(() => handler(req, res, next), next);
  };
}

/** Express tells them apart in the same way. */
function isErrorHandler(
  handler: RequestHandler | ErrorRequestHandler,
): handler is ErrorRequestHandler {
  return handler.length > 3;
}

/** Express takes what is falsy for no error at all, and some words for an order. */
export function asError(thrown: unknown): unknown {
  return Object(thrown) === thrown
    ? thrown
    : new Error(`middleware threw ${String(thrown)}`, { cause: thrown });
}
