import { Router, type Request, type Response } from 'express';
import type { IncomingMessage } from 'node:http';
import { typeError } from '../protocol/errors';
import { settingOf, type App } from './app';
import type { Path } from './route';

/** What a path made of a request. */
export type Match =
  | { readonly kind: 'match'; readonly params: object }
  | { readonly kind: 'miss' }
  | { readonly kind: 'error'; readonly error: unknown };

const MISS: Match = { kind: 'miss' };

/**
 * Matches one path by Express' own rules: a private `Router` with the app's settings and a single
 * route. One router a path, because a router with more than a hundred answers later, not at once.
 */
export class Matcher {
  readonly #router: Router;
  #match: Match = MISS;

  /** @throws TypeError `ERR_WS_INVALID_ARGUMENT` for a path that Express refuses */
  constructor(app: App, path: Path) {
    this.#router = Router({
      caseSensitive: settingOf(app, 'case sensitive routing') === true,
      strict: settingOf(app, 'strict routing') === true,
    });
    try {
      this.#router.all(path as string, (req) => {
        this.#match = { kind: 'match', params: req.params };
      });
    } catch (error) {
      throw refusedPath(path, error);
    }
  }

  /** Whether it matches, or would if it could be decoded; the request stays as it was. */
  matches(request: IncomingMessage): boolean {
    const { params, route } = request as IncomingMessage & { params?: unknown; route?: unknown };
    const { kind } = this.match(request);
    Object.assign(request, { params, route });
    return kind !== 'miss';
  }

  /** Matches the request; on a match its `params` are set. */
  match(request: IncomingMessage): Match {
    this.#match = MISS;
    const { next } = request as Request;
    // A router reads url and method, and passes the response on to handlers; ours takes none.
    this.#router(request as Request, undefined as unknown as Response, (error?: unknown) => {
      if (error !== undefined && error !== null) this.#match = { kind: 'error', error };
    });
    // What Express' own methods on the response pass errors to: the app's, where the request is in it.
    Object.assign(request, { next });
    return this.#match;
  }
}

/** Express does not take this for a path. */
export function refusedPath(path: Path, error: unknown): TypeError {
  return typeError(
    `Express refuses the path ${describePath(path)}: ${(error as Error).message}`,
    'ERR_WS_INVALID_ARGUMENT',
  );
}

/** A path as it was written, for error messages and for comparing. */
export function describePath(path: Path): string {
  return Array.isArray(path) ? path.map(String).join(', ') : String(path);
}
