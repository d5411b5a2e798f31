import type { IncomingMessage } from 'node:http';
import { CloseCode, serializeClose } from '../protocol/close';
import { rangeError, typeError } from '../protocol/errors';
import { refusal, type Refusal } from '../protocol/handshake';
import { Members } from '../rooms/rooms';
import type { Audience } from '../socket/room-directory';
import { shutSocket, type Socket, type SocketTypes } from '../socket/socket';
import { Admission } from './admission';
import type { App } from './app';
import type { Exchange } from './exchange';
import { describePath, Matcher } from './matcher';
import { readRoute, type Metrics } from './metrics';
import { Mount } from './mount';
import { checkNumber } from './checks';
import { resolveConnectionLimits, type AttachOptions, type Pipeline } from './options';
import type { AnyRoute, Route } from './route';
import type { Gatekeeper } from './upgrade';
import { declaredBy, isWsRouter, type Attachable, type Declared } from './ws-router';

/** The live sockets of one route, with its types. */
export interface RouteSockets<T extends SocketTypes> extends Audience<T['out']> {
  /** Open sockets. */
  readonly clients: ReadonlySet<Socket<T>>;
  /** The members of a room. */
  to(room: string): Audience<T['out']>;
}

/** How everything is closed. */
export interface CloseOptions {
  /** Close code. Default 1001. */
  readonly code?: number | undefined;
  /** Milliseconds after which sockets that are left are ended. Default 10 s. */
  readonly timeout?: number | undefined;
  /** Milliseconds over which the closes are spread, so that not all clients come back at once. Default 0. */
  readonly jitter?: number | undefined;
}

/** What `attachWebSocket` gives back: the live sockets, and the way to end them all. */
export interface Attachment extends AsyncDisposable {
  /** Every open socket, of all routes. */
  readonly clients: Iterable<Socket> & { readonly size: number };
  /**
   * The sockets of one route, with its types.
   *
   * @throws TypeError `ERR_WS_INVALID_ARGUMENT` for a route that was not attached here
   */
  of<T extends SocketTypes>(route: Route<T>): RouteSockets<T>;
  /** Everybody in the rooms of this name, of all routes; each route encodes with its own schema. */
  to(room: string): Audience;
  /**
   * Closes the sockets that the predicate picks, and returns how many.
   *
   * @param code - default 1008
   * @throws RangeError as `socket.close`
   */
  disconnect(predicate: (socket: Socket) => boolean, code?: number, reason?: string): number;
  /**
   * What the routes have done and hold, for whoever watches. Looks at every open socket once: ask for
   * it every few seconds, not for every message.
   */
  metrics(): Metrics;
  /**
   * Closes down: upgrades get 503 from now on, every socket is closed, and what is left after
   * `timeout` is ended. Resolves when no socket is left. `server.close()` completes then, too,
   * unless a plain HTTP connection is still open: `server.closeAllConnections()` ends those.
   *
   * @throws RangeError for a code that must not be sent, or a time out of range
   */
  close(options?: CloseOptions): Promise<void>;
}

const CLOSING = refusal(503, 'closing', { 'Retry-After': '5' });
const PENDING_FULL = refusal(503, 'too many handshakes', { 'Retry-After': '1' });

const COUNT = [undefined, 1, Number.MAX_SAFE_INTEGER] as const;
const TIME = [undefined, 0, 2 ** 31 - 1] as const;

/** The one implementation of {@link Attachment}. */
export class LiveAttachment implements Attachment, Gatekeeper {
  readonly app: App;
  readonly pipeline: Pipeline;
  /** What routers have declared. */
  readonly routers: readonly Declared[];
  /** The paths that are the routers', as far as they say. */
  readonly #claims: readonly Matcher[];
  readonly #mounts: ReadonlyMap<AnyRoute, Mount>;
  readonly #maxPending: number;
  readonly #pending = new Set<Exchange>();
  #closing: Promise<void> | undefined = undefined;
  /** Called when a socket or a handshake has gone, while closing. */
  #onGone: () => void = () => undefined;

  constructor(app: App, attached: readonly Attachable[], options: AttachOptions) {
    const { maxPendingHandshakes = 1000, pipeline = 'routes' } = options;
    this.app = app;
    this.pipeline = pipeline;
    this.#maxPending = checkNumber('maxPendingHandshakes', maxPendingHandshakes, COUNT);
    const total = new Admission(resolveConnectionLimits(options));
    const mount = (route: AnyRoute, matcher: Matcher | undefined): [AnyRoute, Mount] => [
      route,
      new Mount({ route, matcher, options, total, onGone: () => this.#onGone() }),
    ];
    this.routers = declaredBy(attached);
    const plain = attached.filter((each): each is AnyRoute => !isWsRouter(each));
    this.#mounts = new Map([
      ...plain.map((route) => mount(route, new Matcher(app, route.path))),
      ...this.routers.flatMap(({ routes }) => routes.map((route) => mount(route, undefined))),
    ]);
    this.#claims = this.routers.flatMap(({ claims }) =>
      claims === undefined ? [] : [new Matcher(app, claims)],
    );
  }

  /** A route as it runs here. */
  mountOf(route: object): Mount | undefined {
    // Whatever it is, looking for it is safe.
    return this.#mounts.get(route as AnyRoute);
  }

  /** Whether a router has said that this path is its own. */
  claims(request: IncomingMessage): boolean {
    return this.#claims.some((claim) => claim.matches(request));
  }

  /** The routes as they run here. */
  get mounts(): Iterable<Mount> {
    return this.#mounts.values();
  }

  get clients(): Attachment['clients'] {
    const mounts = [...this.#mounts.values()];
    return {
      get size() {
        return mounts.reduce((sum, { sockets }) => sum + sockets.size, 0);
      },
      *[Symbol.iterator]() {
        for (const { sockets } of mounts) yield* sockets;
      },
    };
  }

  /** Whether upgrades are refused for good. */
  get isClosing(): boolean {
    return this.#closing !== undefined;
  }

  of<T extends SocketTypes>(route: Route<T>): RouteSockets<T> {
    const mount = this.#mounts.get(route);
    if (mount === undefined) {
      throw typeError(
        `the route ${describePath(route.path)} was not attached here`,
        'ERR_WS_INVALID_ARGUMENT',
      );
    }
    const { sockets, rooms } = mount;
    const all = new Members(() => sockets, mount.settings.codec, new Set());
    return {
      // The sockets of a mount are those of its route.
      clients: sockets as unknown as ReadonlySet<Socket<T>>,
      to: (room) => rooms.to(room),
      except: (...left) => all.except(...left),
      send: (data) => all.send(data),
    };
  }

  to(room: string): Audience {
    return new RoomsOfAll([...this.#mounts.values()], room, []);
  }

  disconnect(
    predicate: (socket: Socket) => boolean,
    code: number = CloseCode.PolicyViolation,
    reason = '',
  ): number {
    serializeClose(code, reason);
    const picked = [...this.clients].filter((socket) => predicate(socket));
    for (const socket of picked) shutSocket(socket, code, reason);
    return picked.length;
  }

  metrics(): Metrics {
    const routes = Array.from(this.mounts, readRoute);
    return { pendingHandshakes: this.#pending.size, routes };
  }

  close(options: CloseOptions = {}): Promise<void> {
    const { code = CloseCode.GoingAway, timeout = 10_000, jitter = 0 } = options;
    serializeClose(code, '');
    checkNumber('timeout', timeout, TIME);
    checkNumber('jitter', jitter, TIME);
    if (jitter === Infinity) throw rangeError('jitter must be finite, got Infinity');
    return (this.#closing ??= this.#close(code, timeout, jitter));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  pend(exchange: Exchange): Refusal | undefined {
    if (this.#pending.size >= this.#maxPending) {
      return exchange.trace.onLimit('maxPendingHandshakes', PENDING_FULL);
    }
    this.#pending.add(exchange);
    return undefined;
  }

  settle(exchange: Exchange): void {
    if (this.#pending.delete(exchange)) this.#onGone();
  }

  /** Why no upgrade is let in at all. */
  refusal(): Refusal | undefined {
    return this.isClosing ? CLOSING : undefined;
  }

  async #close(code: number, timeout: number, jitter: number): Promise<void> {
    const gone = new Promise<void>((resolve) => {
      this.#onGone = () => {
        if (this.clients.size === 0 && this.#pending.size === 0) resolve();
      };
    });
    for (const exchange of [...this.#pending]) exchange.refuse(CLOSING);
    for (const socket of this.clients) shutWithin(jitter, socket, code);
    const timer = timeout === Infinity ? undefined : setTimeout(() => this.#terminate(), timeout);
    timer?.unref();
    this.#onGone();
    await gone;
    clearTimeout(timer);
  }

  #terminate(): void {
    for (const exchange of [...this.#pending]) exchange.drop();
    for (const socket of this.clients) socket.terminate();
  }
}

/** Spreads the closes, so that not everybody comes back in the same instant. */
function shutWithin(jitter: number, socket: Socket, code: number): void {
  const shut = (): void => shutSocket(socket, code, '');
  if (jitter > 0) setTimeout(shut, Math.random() * jitter).unref();
  else shut();
}

/** The rooms of one name, of several routes. */
class RoomsOfAll implements Audience {
  readonly #mounts: readonly Mount[];
  readonly #room: string;
  readonly #left: readonly Socket[];

  constructor(mounts: readonly Mount[], room: string, left: readonly Socket[]) {
    this.#mounts = mounts;
    this.#room = room;
    this.#left = left;
  }

  except(...sockets: readonly Socket[]): Audience {
    return new RoomsOfAll(this.#mounts, this.#room, [...this.#left, ...sockets]);
  }

  send(data: unknown): number {
    const sent = this.#mounts.map(({ rooms }) =>
      rooms
        .to(this.#room)
        .except(...this.#left)
        .send(data),
    );
    return sent.reduce((sum, each) => sum + each, 0);
  }
}
