import type { NextFunction, RequestHandler } from 'express';
import type { IncomingMessage } from 'node:http';
import type { Exchange } from './exchange';

/** A place in the app where upgrades may leave it: an attachment's, or a route that a router declares. */
export type Exit = object;

/** Asked at every exit; whoever takes the upgrade there goes on from `next` when it is to go back. */
export type AtExit = (exit: Exit, next: NextFunction) => 'taken' | 'passed';

interface Passage {
  readonly exchange: Exchange;
  readonly atExit: AtExit;
}

/**
 * Upgrades on their way through the app. What stands in the app knows only the request.
 *
 * ```
 *   enterApp ─▶ middleware ─▶ exit ─▶ middleware ─▶ exit ─▶ the app's own 404
 *                   │           └─ taken: use, auth, 101       │
 *                   └─ whoever answers has answered ───────────┘
 * ```
 * Invariant: an upgrade is taken at one exit at most; behind it, and once it is decided, it is a
 * request like any other.
 */
const passages = new WeakMap<IncomingMessage, Passage>();

/** Sends an upgrade through the app; it may be answered there, or be taken at an exit. */
export function enterApp(exchange: Exchange, atExit: AtExit): void {
  passages.set(exchange.request, { exchange, atExit });
  exchange.runApp();
}

/** Whether this request is an upgrade that looks for its exit. */
export function isInPassage(request: IncomingMessage): boolean {
  return passages.has(request);
}

/** The middleware that is this exit; every other request passes through it untouched. */
export function makeExit(exit: Exit): RequestHandler {
  return (req, _res, next) => {
    const passage = passages.get(req);
    // It was decided meanwhile: who passes on late would only meet a 404 that nobody can be sent.
    if (passage?.exchange.isPending === false) return;
    if (passage?.atExit(exit, next) === 'taken') passages.delete(req);
    else next();
  };
}
