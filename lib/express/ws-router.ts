import { Router, type RequestHandler, type RouterOptions } from 'express';
import { stateError, typeError } from '../protocol/errors';
import { checkObject } from './checks';
import { describePath, refusedPath } from './matcher';
import { isInPassage, makeExit } from './passage';
import {
  route,
  type AnyRoute,
  type Handler,
  type ParamsOf,
  type Path,
  type PlainTypes,
  type Route,
  type RouteOptions,
  type Schema,
  type TypesOf,
} from './route';

/** Options of {@link wsRouter}: those of `express.Router`, and `claims`. */
export interface WsRouterOptions extends RouterOptions {
  /** Whether parameters of the path it is mounted on are in `params`. Default `true`. */
  readonly mergeParams?: boolean | undefined;
  /**
   * The paths that are this router's, as `app.get` takes them: `'/api/*splat'` (Express 5),
   * `'/api/*'` (Express 4). Needed only where somebody else listens for upgrades on the server, too:
   * those on these paths go through the app, and what it does not take it answers. Without it they
   * are left to the others, and the router gets none. Default: none.
   */
  readonly claims?: Path | undefined;
}

/**
 * An `express.Router` that declares WebSocket routes as well; {@link wsRouter} makes it.
 *
 * `Parent` is what the paths it is mounted on bring: `wsRouter<{ version: string }>()` for
 * `app.use('/api/:version', router)`.
 */
export interface WsRouter<Parent extends object = object> extends Router {
  /**
   * Declares a WebSocket route here, as {@link route} does. Plain requests on its path pass through.
   *
   * @throws TypeError `ERR_WS_INVALID_ARGUMENT` as `route`, for a path that Express refuses, and
   *   once the router is attached
   */
  ws<const P extends Path>(
    path: P,
    handler: Handler<PlainTypes<P, Parent & ParamsOf<P>>>,
  ): Route<PlainTypes<P, Parent & ParamsOf<P>>>;
  ws<
    const P extends Path,
    const Protocols extends readonly string[] = [],
    Auth = undefined,
    Receive extends Schema = undefined,
    Send extends Schema = undefined,
  >(
    path: P,
    options: RouteOptions<P, Protocols, Auth, Receive, Send, Parent & ParamsOf<P>>,
    handler: Handler<TypesOf<P, Protocols, Auth, Receive, Send, Parent & ParamsOf<P>>>,
  ): Route<TypesOf<P, Protocols, Auth, Receive, Send, Parent & ParamsOf<P>>>;
}

/** Any {@link WsRouter}, wherever it is mounted. */
export type AnyWsRouter = Router & { ws(...declaration: never[]): AnyRoute };

/** What may be attached. */
export type Attachable = AnyRoute | AnyWsRouter;

/** What a router has declared. */
export interface Declared {
  readonly claims: Path | undefined;
  readonly routes: AnyRoute[];
  state: 'open' | 'attached';
}

const OPTION_NAMES: readonly string[] = [
  'caseSensitive',
  'mergeParams',
  'strict',
  'claims',
] satisfies (keyof WsRouterOptions)[];

const declarations = new WeakMap<object, Declared>();
const routesOfRouters = new WeakSet<object>();

/**
 * Makes an `express.Router` that declares WebSocket routes next to pages: mounted with `app.use`,
 * behind whatever middleware stands in front of it. Every router with `.ws` goes into the list of
 * routes, one that is mounted on another router, too.
 *
 * ```ts
 * const api = wsRouter<{ version: string }>();
 * api.use(checkKey); // for pages and sockets
 * api.get('/rooms', listRooms);
 * const chat = api.ws('/chat/:room', { auth }, {
 *   open(socket) {
 *     socket.join(socket.params.room); // params: { version: string; room: string }
 *   },
 * });
 *
 * app.use('/api/:version', api);
 * const sockets = attachWebSocket(app, server, [api]);
 * sockets.of(chat).send('welcome');
 * ```
 *
 * An upgrade on it is a request to the app: middleware sees it, may refuse it with an answer, and what
 * it sets is on the 101. Then `origins`, limits, `use` and `auth` of the route decide; what these two
 * throw goes to the error handlers of router and app. Where nobody takes the upgrade, the app answers
 * it. `handshakeTimeout` counts from the start, for what the app answers, too. With other `upgrade` listeners on the server,
 * the router needs {@link WsRouterOptions.claims}.
 *
 * @param options - those of `express.Router`, with `mergeParams` on, and `claims`
 * @throws TypeError `ERR_WS_INVALID_ARGUMENT` for an unknown option
 */
export function wsRouter<Parent extends object = object>(
  options: WsRouterOptions = {},
): WsRouter<Parent> {
  checkObject('options of wsRouter', options, OPTION_NAMES);
  const { claims, mergeParams = true, ...own } = options;
  const declared: Declared = { claims, routes: [], state: 'open' };
  const router = Router({ mergeParams, ...own });
  const ws = (path: Path, ...rest: readonly unknown[]): AnyRoute => {
    const declaration = declare(declared, path, rest);
    register(router, path, leaveAt(declaration, declared));
    declared.routes.push(declaration);
    return declaration;
  };
  declarations.set(router, declared);
  // What declarations are made of is said by the signatures of WsRouter.
  return Object.assign(router, { ws }) as unknown as WsRouter<Parent>;
}

/** Whether {@link wsRouter} has made this. */
export function isWsRouter(value: unknown): value is AnyWsRouter {
  return declarations.has(value as object);
}

/** What these routers have declared; what is no router has nothing. */
export function declaredBy(attached: readonly Attachable[]): Declared[] {
  return attached.flatMap((each) => declarations.get(each) ?? []);
}

/** Whether a route is a router's: on its own, it would stand in front of the router's middleware. */
export function isOfRouter(declaration: object): boolean {
  return routesOfRouters.has(declaration);
}

function declare({ state }: Declared, path: Path, rest: readonly unknown[]): AnyRoute {
  if (state === 'attached') {
    throw typeError(
      `the route ${describePath(path)} comes too late: declare it before attachWebSocket`,
      'ERR_WS_INVALID_ARGUMENT',
    );
  }
  // The overloads of `ws` are those of `route`.
  const declaration = Reflect.apply(route as (...args: unknown[]) => AnyRoute, undefined, [
    path,
    ...rest,
  ]);
  routesOfRouters.add(declaration);
  return declaration;
}

function register(router: Router, path: Path, handler: RequestHandler): void {
  try {
    router.get(path as string, handler);
  } catch (error) {
    throw refusedPath(path, error);
  }
}

/** The exit of a route; an upgrade that comes to a router nobody attached is told so. */
function leaveAt(declaration: AnyRoute, declared: Declared): RequestHandler {
  const exit = makeExit(declaration);
  return (req, res, next) => {
    if (declared.state === 'attached' || !isInPassage(req)) void exit(req, res, next);
    else next(notAttached(declaration));
  };
}

function notAttached({ path }: AnyRoute): Error {
  return stateError(
    `the router of ${describePath(path)} is not attached: pass it to attachWebSocket, in the list of routes`,
    'ERR_WS_INVALID_ARGUMENT',
  );
}
