import type { NextFunction, Request, Response } from 'express';
import { ServerResponse, type IncomingMessage } from 'node:http';
import { callSafely } from '../socket/user-code';

/** An Express app (4 or 5), or any handler in the manner of Connect. */
export type App = (req: Request, res: Response, next: NextFunction) => unknown;

/** What an Express app has besides being a function; Connect has none of it. */
interface Settings {
  readonly request?: object;
  readonly response?: object;
  get?(name: string): unknown;
}

type Trust = (address: string | undefined, hop: number) => boolean;
type ParseQuery = (query: string) => unknown;

/** A setting of the app, `undefined` where it has none. */
export function settingOf(app: App, name: string): unknown {
  return (app as Settings).get?.(name);
}

/** Makes a true Express request of what Node parsed, as `app.handle` does. */
export function adoptRequest(app: App, request: IncomingMessage): Request {
  const { request: prototype } = app as Settings;
  // Before the prototype, for the reason that kindOf gives.
  Object.assign(request, { res: undefined });
  if (prototype !== undefined) Object.setPrototypeOf(request, prototype);
  // Its prototype was just set; a Connect app's middleware knows to expect less.
  const req = request as Request;
  const parse = settingOf(app, 'query parser fn') as ParseQuery | undefined;
  // Express 4 parses the query in a middleware of the app's own pipeline, 5 in a getter.
  if (parse !== undefined && !('query' in req)) defineQuery(req, parse);
  return req;
}

/** Parsed when somebody asks: a parser that throws does so inside of whoever did. */
function defineQuery(req: Request, parse: ParseQuery): void {
  const set = (value: unknown): void => {
    Object.defineProperty(req, 'query', { value, writable: true, enumerable: true });
  };
  const get = (): unknown => {
    set(parse(req.url.split('?').slice(1).join('?')));
    return req.query;
  };
  Object.defineProperty(req, 'query', { get, set, enumerable: true, configurable: true });
}

/** Makes a true Express response for a request that was adopted. */
export function makeResponse(app: App, req: Request): Response {
  const { response: prototype } = app as Settings;
  const Kind: ResponseKind = prototype === undefined ? ServerResponse : kindOf(prototype);
  // With the app's prototype above it; a Connect app's middleware knows to expect less.
  const res = new Kind(req) as Response;
  const locals: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  req.res = res;
  return Object.assign(res, { locals, req });
}

type ResponseKind = new (request: IncomingMessage) => ServerResponse;

const kinds = new WeakMap<object, ResponseKind>();

/**
 * Responses that are born with what an app has them inherit from. `app.handle` exchanges the prototype
 * of a finished one instead; V8 then makes a hidden class of its own for every response and every
 * property that is set on it, which took half of a handshake with `use` (Node 20 and 22, not 24).
 */
function kindOf(prototype: object): ResponseKind {
  const known = kinds.get(prototype);
  if (known !== undefined) return known;
  const Kind = class extends ServerResponse {};
  Object.setPrototypeOf(Kind.prototype, prototype);
  kinds.set(prototype, Kind);
  return Kind;
}

/**
 * Has the app answer a request. An app of Express or Connect always does; a bare handler may throw,
 * or pass on, and then `onPass` is called with the status that says so.
 */
export function answerWith(
  app: App,
  req: Request,
  res: Response,
  onPass: (status: 404 | 500) => void,
): void {
  const next = (error?: unknown): void => onPass(error === undefined ? 404 : 500);
  // Without a `next`, an app answers with its own 404 and 500.
  const rest = 'handle' in app ? [] : [next];
  void callSafely(
    (): unknown => Reflect.apply(app, undefined, [req, res, ...rest]),
    () => onPass(500),
  );
}

/** The host and port that the request was sent to; a proxy's word only where it is trusted. */
export function hostOf(app: App, req: IncomingMessage): string | undefined {
  const trust = settingOf(app, 'trust proxy fn') as Trust | undefined;
  const forwarded = req.headers['x-forwarded-host'];
  if (typeof forwarded === 'string' && trust?.(req.socket.remoteAddress, 0) === true) {
    return forwarded.split(',', 1)[0]?.trim();
  }
  return req.headers.host;
}

/** The client's address, as Express knows it under `trust proxy`. */
export function addressOf(req: IncomingMessage): string {
  return (req as Request).ip ?? req.socket.remoteAddress ?? '';
}
