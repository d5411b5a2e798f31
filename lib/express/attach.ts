import type { RequestHandler } from 'express';
import type { Server } from 'node:http';
import { typeError } from '../protocol/errors';
import type { App } from './app';
import { LiveAttachment, type Attachment } from './attachment';
import { gateOf } from './gate';
import { checkChoice } from './checks';
import { checkNames, resolveLimits, type AttachOptions } from './options';
import { makeExit } from './passage';
import { declaredBy, isOfRouter, isWsRouter, type Attachable } from './ws-router';

const OPTION_NAMES: (keyof AttachOptions)[] = [
  'use',
  'maxPendingHandshakes',
  'unmatched',
  'exclusive',
  'pipeline',
  'onError',
];

/**
 * Gives an Express app WebSocket routes, on the server that it already has.
 *
 * ```ts
 * const server = createServer(app);
 * const sockets = attachWebSocket(app, server, [
 *   route('/echo', (socket) => socket.on('message', (data) => socket.send(data))),
 * ]);
 * server.listen(3000);
 * ```
 *
 * @param app - the Express app (4 or 5), or any handler `(req, res, next)` in the manner of Connect
 * @param server - the `http.Server` or `https.Server` that serves it
 * @param routes - what {@link route} made, the first that matches takes the socket; and what
 *   {@link wsRouter} made, found in the app when none does
 * @param options - limits and middleware for all routes; a route's own limits win
 * @throws TypeError `ERR_WS_INVALID_ARGUMENT` for an argument of the wrong kind, an unknown option,
 *   a path that Express refuses, an app without `use` where that is needed, or a router that nothing
 *   could reach; RangeError `ERR_WS_OUT_OF_RANGE` for an option out of range;
 *   Error `ERR_WS_PATH_TAKEN` for a path or a router that is on this server already
 */
export function attachWebSocket(
  app: App,
  server: Server,
  routes: readonly Attachable[],
  options: AttachOptions = {},
): Attachment {
  checkApp(app);
  checkServer(server);
  checkRoutes(routes);
  checkOptions(options);
  checkReach(app, routes, options);
  const { exclusive = false, unmatched = 'auto' } = options;
  const attachment = new LiveAttachment(app, routes, options);
  const { handshakeTimeout: reapAfter } = resolveLimits({}, options);
  gateOf(server).add({ attachment, unmatched, exclusive, reapAfter });
  for (const router of attachment.routers) router.state = 'attached';
  // Checked: in this pipeline it has it.
  if (attachment.pipeline === 'app') (app as App & Usable).use(makeExit(attachment));
  return attachment;
}

/** What Express and Connect apps have. */
interface Usable {
  use(handler: RequestHandler): unknown;
}

function checkApp(app: unknown): void {
  if (typeof app === 'function') return;
  throw invalid(`the first argument must be the Express app, got ${kindOf(app)}`);
}

/** An app has `on` and `listen` as well, but it is a function. */
function checkServer(server: unknown): void {
  const isEmitter =
    typeof server === 'object' && server !== null && 'on' in server && 'emit' in server;
  if (isEmitter) return;
  throw invalid(
    `the second argument must be the http.Server, got ${kindOf(server)}: pass what createServer(app) ` +
      'or app.listen(…) returns',
  );
}

function checkRoutes(routes: unknown): void {
  if (!Array.isArray(routes)) throw invalid(`routes must be an array, got ${kindOf(routes)}`);
  const wrong = routes.findIndex((each) => !isAttachable(each));
  if (wrong >= 0) {
    throw invalid(
      `routes[${wrong}] must come from route() or wsRouter(), got ${kindOf(routes[wrong])}`,
    );
  }
  const astray = routes.findIndex(isOfRouter);
  if (astray >= 0) {
    throw invalid(`routes[${astray}] is a router's: pass the router that declared it`);
  }
}

/** Whether upgrades can get to where they are waited for. */
function checkReach(
  app: App,
  routes: readonly Attachable[],
  { pipeline, unmatched }: AttachOptions,
): void {
  if (pipeline === 'app' && typeof (app as App & Partial<Usable>).use !== 'function') {
    throw invalid(
      "pipeline: 'app' needs an app with `use`, as Express and Connect make it: pass that app, not a " +
        'function around it, or put the middleware into the option `use`',
    );
  }
  const isHidden = declaredBy(routes).some(({ claims }) => claims === undefined);
  if (unmatched === 'ignore' && isHidden) {
    throw invalid(
      "unmatched: 'ignore' lets no upgrade get to a router that does not say what is its own: give " +
        'it claims, as in wsRouter({ claims })',
    );
  }
}

function checkOptions(options: unknown): asserts options is AttachOptions {
  if (typeof options !== 'object' || options === null) {
    throw invalid(`options must be an object, got ${kindOf(options)}`);
  }
  checkNames('attachWebSocket', options, OPTION_NAMES);
  // Its names are known; the values are checked one by one.
  const { exclusive, unmatched, pipeline, onError } = options as AttachOptions;
  if (exclusive !== undefined && typeof exclusive !== 'boolean') {
    throw invalid('exclusive must be true or false');
  }
  if (unmatched !== undefined) checkChoice('unmatched', unmatched, ['auto', 'app', 'ignore']);
  if (pipeline !== undefined) checkChoice('pipeline', pipeline, ['routes', 'app']);
  if (onError !== undefined && typeof onError !== 'function') {
    throw invalid(`onError must be a function, got ${kindOf(onError)}`);
  }
}

function isAttachable(value: unknown): value is Attachable {
  if (isWsRouter(value)) return true;
  return typeof value === 'object' && value !== null && 'path' in value && 'handlers' in value;
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'function' && 'handle' in value) return 'an Express app';
  return typeof value;
}

function invalid(message: string): TypeError {
  return typeError(message, 'ERR_WS_INVALID_ARGUMENT');
}
