import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { NextFunction } from 'express';
import { CloseCode } from '../protocol/close';
import { negotiateDeflate } from '../protocol/deflate';
import { typeError } from '../protocol/errors';
import {
  readHandshake,
  refusal,
  selectProtocol,
  type Offer,
  type Refusal,
} from '../protocol/handshake';
import {
  expireSocket,
  shutSocket,
  Socket,
  startSocket,
  type SocketIdentity,
} from '../socket/socket';
import { callSafely } from '../socket/user-code';
import { checkOrigin } from './admission';
import { addressOf, type App } from './app';
import type { Exchange, ExchangeOwner, Outcome } from './exchange';
import type { Matcher } from './matcher';
import { LazyAbort } from './lazy-abort';
import { asError, type Chain, type Mount } from './mount';
import type { Pipeline } from './options';
import { enterApp } from './passage';
import { Rejection } from './rejection';

/** What an upgrade needs of the attachment it belongs to. */
export interface Gatekeeper {
  readonly app: App;
  readonly pipeline: Pipeline;
  /** Whether sockets are closed as soon as they open. */
  readonly isClosing: boolean;
  /** Why no upgrade is let in at all. */
  refusal(): Refusal | undefined;
  /** User code will be waited for; a refusal when that is too much. */
  pend(exchange: Exchange): Refusal | undefined;
  /** It is not waited for any more. */
  settle(exchange: Exchange): void;
}

/**
 * One upgrade on a route, from the matched request to an open socket or an HTTP answer.
 *
 * Handshake, origin, limits, the app where the pipeline is its, `use`, `auth`, subprotocol, 101,
 * `open`: in this order, and each of them may refuse. Without `use`, `auth` and the app, all of it
 * happens before the event returns.
 */
export class Upgrade implements ExchangeOwner {
  readonly #keeper: Gatekeeper;
  readonly #mount: Mount;
  readonly #exchange: Exchange;
  /** Whether a place was taken that may have to be given back. */
  #stage: 'outside' | 'admitted' = 'outside';
  /** Whose place it is; `''` where addresses are not counted. */
  #address = '';
  #abort: LazyAbort | undefined = undefined;
  /** How the app goes on, while the upgrade stands in it. */
  #next: NextFunction | undefined;

  /** `next` where it was found in the app. */
  constructor(keeper: Gatekeeper, mount: Mount, exchange: Exchange, next?: NextFunction) {
    this.#next = next;
    this.#keeper = keeper;
    this.#mount = mount;
    this.#exchange = exchange;
    exchange.belongTo(this);
    exchange.trace.onRoute(mount);
  }

  /** Decides at once, or when user code has; never throws. */
  run(): void {
    try {
      const offer = this.#admit();
      if ('status' in offer) this.#exchange.refuse(offer);
      else if (this.#isAsked()) void this.#runLater(offer);
      else this.#decide(offer, undefined);
    } catch (error) {
      this.#onThrown(error);
    }
  }

  onSettled(outcome: Outcome): void {
    if (this.#stage === 'outside') return;
    this.#keeper.settle(this.#exchange);
    // Once accepted, the place is the socket's.
    if (outcome === 'accepted') return;
    this.#mount.leave(this.#address);
    this.#abort?.abort();
  }

  onBroken(error: unknown): void {
    this.#report(error);
  }

  async #runLater(offer: Offer): Promise<void> {
    try {
      this.#decide(offer, await this.#askUser());
    } catch (error) {
      this.#onThrown(error);
    }
  }

  #decide(offer: Offer, context: unknown): void {
    // From here on it is not the app's any more.
    this.#next = undefined;
    // The client may have left meanwhile, the time may be up, or middleware has answered.
    if (this.#exchange.isPending) this.#accept(offer, context);
  }

  #isAsked(): boolean {
    const { chain, route } = this.#mount;
    return (
      chain !== undefined || route.options.auth !== undefined || this.#appMatcher() !== undefined
    );
  }

  /** Set where the app is asked first. */
  #appMatcher(): Matcher | undefined {
    return this.#keeper.pipeline === 'app' ? this.#mount.matcher : undefined;
  }

  /** What can be decided at once; from here on a place is taken. */
  #admit(): Offer | Refusal {
    const { request } = this.#exchange;
    const offer = readHandshake(request);
    if ('status' in offer) return offer;
    // Node asks the kernel for an address, and keeps it on the connection: only where it is counted.
    const address = this.#mount.countsAddresses ? addressOf(request) : '';
    const refused =
      this.#keeper.refusal() ??
      checkOrigin(this.#keeper.app, request, this.#mount.limits.origins, offer.origin) ??
      this.#mount.enter(address);
    if (refused !== undefined) return refused;
    this.#address = address;
    this.#stage = 'admitted';
    return offer;
  }

  /** The app, `use`, then `auth`: what the context is to be. Throws what they throw, and rejections. */
  async #askUser(): Promise<unknown> {
    const exchange = this.#exchange;
    const { chain, route, limits } = this.#mount;
    const refused = this.#keeper.pend(exchange);
    if (refused !== undefined) throw new Rejection(refused);
    exchange.wait(limits.handshakeTimeout);
    const matcher = this.#appMatcher();
    if (matcher !== undefined) await this.#passApp(matcher);
    if (chain !== undefined) await runChain(chain, exchange);
    const { auth } = route.options;
    if (auth === undefined || !exchange.isPending) return undefined;
    const abort = new LazyAbort();
    this.#abort = abort;
    const context = await auth(exchange.request, abort);
    if (context === false || context === null) throw new Rejection(refusal(403, ''));
    if (context instanceof Rejection) throw context;
    return context;
  }

  /** Resolves when the app has passed it on to where it was attached; stays open when it answers. */
  #passApp(matcher: Matcher): Promise<void> {
    const exchange = this.#exchange;
    return new Promise((resolve, reject) => {
      enterApp(exchange, (exit, next) => {
        if (exit !== this.#keeper) return 'passed';
        // The app has its own parameters on the request, and may have rewritten the URL.
        const match = matcher.match(exchange.request);
        if (match.kind === 'miss') return 'passed';
        this.#next = next;
        // What Express says of a path that it cannot decode.
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- see above
        if (match.kind === 'error') reject(match.error);
        else resolve();
        return 'taken';
      });
    });
  }

  /** In the app, what was thrown is for its error handlers. */
  #onThrown(error: unknown): void {
    const exchange = this.#exchange;
    const next = this.#next;
    const answer = this.#refusalFor(error);
    const isRefusal = error instanceof Rejection && error !== LEFT;
    if (next === undefined || isRefusal || !exchange.isPending) {
      exchange.refuse(answer);
      return;
    }
    void callSafely(
      () => next(error === LEFT ? undefined : asError(error)),
      () => exchange.refuse(answer),
    );
  }

  #accept({ accept, protocols, extensions }: Offer, context: unknown): void {
    const ours = this.#mount.route.options.protocols ?? [];
    const protocol = selectProtocol(ours, protocols);
    if (protocol === undefined && ours.length > 0 && protocols.length > 0) {
      this.#exchange.refuse(refusal(400, `no common subprotocol; spoken here: ${ours.join(', ')}`));
      return;
    }
    const { perMessageDeflate } = this.#mount.limits;
    const deflate = perMessageDeflate && negotiateDeflate(extensions, perMessageDeflate);
    const { params, originalUrl: url } = this.#exchange.request;
    const expiresAt = expiryOf(context);
    const identity = { params: compact(params), context, protocol: protocol ?? '', url, deflate };
    const headers: [string, string][] = [
      ['Upgrade', 'websocket'],
      ['Connection', 'Upgrade'],
      ['Sec-WebSocket-Accept', accept],
    ];
    if (protocol !== undefined) headers.push(['Sec-WebSocket-Protocol', protocol]);
    if (deflate !== undefined) headers.push(['Sec-WebSocket-Extensions', deflate.response]);
    this.#exchange.accept(headers, (transport, head) => {
      const socket = this.#open(transport, identity);
      this.#exchange.trace.onAccepted(socket);
      if (expiresAt !== undefined) expireSocket(socket, expiresAt);
      startSocket(socket, this.#openHook(socket), head);
      if (this.#keeper.isClosing) shutSocket(socket, CloseCode.GoingAway, '');
    });
  }

  #open(transport: Duplex, identity: SocketIdentity): Socket {
    const socket = new Socket(transport, this.#mount.settings, identity);
    this.#mount.add(socket, this.#address);
    return socket;
  }

  #openHook(socket: Socket): (() => unknown) | undefined {
    const { handlers } = this.#mount.route;
    const { request } = this.#exchange;
    return handlers.open === undefined ? undefined : () => handlers.open?.(socket, request);
  }

  #refusalFor(error: unknown): Refusal {
    if (error instanceof Rejection) return error.refusal;
    const status = statusOf(error);
    if (status >= 500 && !this.#isAbort(error)) this.#report(error);
    return refusal(status, STATUS_CODES[status] ?? '');
  }

  /** What `auth` throws because the client has left is no error of its own. */
  #isAbort(error: unknown): boolean {
    return this.#abort?.isAborted === true && read(error, 'name') === 'AbortError';
  }

  #report(error: unknown): void {
    this.#exchange.trace.onError(error);
    this.#mount.report(error, { req: this.#exchange.request });
  }
}

/** By next('router'): on its way through the app, the request would meet the 404 next. */
const LEFT = new Rejection(refusal(404, ''));

const NO_PARAMS: object = Object.freeze({});

/** Parameters come in an object without a prototype, which takes 0.3 kB even when it is empty. */
function compact(params: object): object {
  return Object.keys(params).length === 0 ? NO_PARAMS : params;
}

/** Resolves when the middleware passes on; stays open when it answers instead. */
function runChain(chain: Chain, { request, response }: Exchange): Promise<void> {
  return new Promise((resolve, reject) => {
    chain(request, response, (result) => {
      if (result.kind === 'passed') {
        resolve();
        return;
      }
      const reason = result.kind === 'error' ? result.error : LEFT;
      // Express hands on what user code threw, whatever it is.
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- see above
      reject(reason);
    });
  });
}

/** The status an error asks for, as Express honours it; 500 for everything else. */
function statusOf(error: unknown): number {
  const asked = [read(error, 'status'), read(error, 'statusCode')].find(Number.isInteger);
  return typeof asked === 'number' && asked >= 400 && asked <= 599 ? asked : 500;
}

/** A property of something that was thrown; even looking at it may throw. */
function read(error: unknown, name: string): unknown {
  try {
    return (Object(error) as Record<string, unknown>)[name];
  } catch {
    return undefined;
  }
}

/** When the authorisation ends, in milliseconds since the epoch. */
function expiryOf(context: unknown): number | undefined {
  const { expiresAt } = Object(context) as { expiresAt?: unknown };
  if (expiresAt === undefined || expiresAt === null) return undefined;
  const time = expiresAt instanceof Date ? expiresAt.getTime() : expiresAt;
  if (typeof time === 'number' && !Number.isNaN(time)) return time;
  throw typeError(
    'expiresAt in the context must be a Date or milliseconds since the epoch',
    'ERR_WS_INVALID_ARGUMENT',
  );
}
