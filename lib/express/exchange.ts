import type { Buffer } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import type { Socket as NetSocket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Request, Response } from 'express';
import { refusal, type Refusal } from '../protocol/handshake';
import { Alarm, clock } from '../socket/clock';
import { end101, endWithRefusal, headOf101, ignoreLateHeaders, type Fields } from './answer';
import { EarlyBytes } from './early';
import { adoptRequest, answerWith, makeResponse, type App } from './app';
import { Trace } from './trace';

/** A refusal must be written within this time, in milliseconds; a session may have to be saved first. */
const ANSWER_MS = 5000;

/** Once it is written, the client has this long to take it and leave, in milliseconds. */
const LINGER_MS = 800;

const TOO_LONG = refusal(503, 'the handshake took too long');

/** How an exchange ended: as a WebSocket, with an HTTP answer, or with the client leaving. */
export type Outcome = 'accepted' | 'answered' | 'gone';

/** Takes over the transport of an accepted exchange, and what the client has sent already. */
export type Takeover = (transport: Duplex, head: Buffer) => void;

/** Who hears what comes of an exchange. */
export interface ExchangeOwner {
  /** It has been decided. Called once. */
  onSettled(outcome: Outcome): void;
  /** The response cannot be written, because middleware's hooks into it throw. */
  onBroken?(error: unknown): void;
}

/** How an exchange hears its transport and its response, while it has to. */
interface Listeners {
  readonly data: (chunk: Buffer) => void;
  readonly left: () => void;
  readonly abandoned: () => void;
  readonly drain: () => void;
  readonly finish: () => void;
}

/** To be the first listener on every connection that Node hands over: nobody else listens. */
export function ignoreError(): void {
  // A reset shows as 'close' as well; there is nothing to be done about the error itself.
}

/**
 * One HTTP request whose connection Node has handed over, until it is a WebSocket or was answered.
 * The only file that knows how a `ServerResponse` is put onto such a connection, and taken off it.
 *
 * ```
 *                 accept     ┌───────────┐  101 is out  ┌──────────┐
 *              ┌───────────▶ │ accepting │ ───────────▶ │ accepted │  transport handed on
 *   ┌─────────┐│             └─────┬─────┘              └──────────┘
 *   │ pending ├┤ refuse, answerByApp, middleware        ┌──────────┐
 *   └─────────┘├──────────────────┼───────────────────▶ │ answered │  FIN, LINGER_MS, destroyed
 *              │ FIN, reset, drop  │                    └──────────┘
 *              └───────────────────┴──────────────────▶ │   gone   │  destroyed
 *                                                       └──────────┘
 * ```
 * Invariants: `onSettled` is called exactly once, on entering one of the three on the right; until
 * then what the client sends is kept in order, up to a bound; nothing that middleware does to the
 * response after that reaches the transport, or throws.
 */
export class Exchange extends Alarm {
  readonly request: Request;
  /** Counts and publishes what becomes of it. */
  readonly trace: Trace;
  readonly #app: App;
  readonly #transport: Duplex;
  readonly #head: Buffer;
  /** Made when somebody has to be waited for. */
  #early: EarlyBytes | undefined = undefined;
  #response: Response | undefined = undefined;
  #state: 'pending' | 'accepting' | Outcome = 'pending';
  #owner: ExchangeOwner | undefined = undefined;
  #takeover: Takeover | undefined = undefined;
  /** Made when they are needed: a route that asks nobody accepts without them. */
  #madeListeners: Listeners | undefined = undefined;
  #waitingSince: number | undefined = undefined;

  constructor(app: App, request: IncomingMessage, transport: Duplex, head: Buffer) {
    super();
    this.#app = app;
    this.#transport = transport;
    this.#head = head;
    this.request = adoptRequest(app, request);
    this.trace = new Trace(request);
  }

  /** Whether the decision is still open. */
  get isPending(): boolean {
    return this.#state === 'pending';
  }

  /** The true response, made when something wants to touch it. */
  get response(): Response {
    return (this.#response ??= this.#makeResponse());
  }

  /** From now on it is this owner's, and nobody else hears of it. */
  belongTo(owner: ExchangeOwner): void {
    this.#owner = owner;
  }

  /**
   * Gives user code this long to decide, from the first time this is called, and notices when the
   * client leaves meanwhile.
   */
  wait(ms: number): void {
    const now = performance.now();
    if (this.#waitingSince === undefined) {
      this.#waitingSince = now;
      this.#early = new EarlyBytes(this.#head);
      const { data, left } = this.#listeners;
      this.#transport.on('data', data).on('end', left).on('close', left);
    }
    clock.set(this, ms - (now - this.#waitingSince));
  }

  /** Has the app run for it, which may answer; the decision stays open until it does. */
  runApp(): void {
    answerWith(this.#app, this.request, this.response, (status) => {
      this.refuse(refusal(status, ''));
    });
  }

  /** Answers 101 with these headers, and what middleware put onto the response. */
  accept(headers: Fields, takeover: Takeover): void {
    const response = this.#response;
    this.#state = 'accepting';
    this.#takeover = takeover;
    if (response === undefined) {
      this.#transport.write(headOf101(headers), 'latin1');
      this.#handOver();
      return;
    }
    try {
      end101(response, headers);
    } catch (error) {
      // Middleware hooks into the response; what it throws there is answered like any other throw.
      this.#state = 'pending';
      throw error;
    }
  }

  /** Answers with an HTTP status instead; every refusal is this function. */
  refuse(answer: Refusal): void {
    if (this.#state !== 'pending') return;
    this.#settle('answered');
    clock.set(this, ANSWER_MS);
    this.#tryToWrite(answer);
  }

  /** Has the app answer as it answers any other request; it may take its time, as with any other. */
  answerByApp(): void {
    this.#settle('answered');
    const transport = this.#transport;
    const { abandoned } = this.#listeners;
    transport.on('end', abandoned).on('close', abandoned).resume();
    answerWith(this.#app, this.request, this.response, (status) => {
      this.#tryToWrite(refusal(status, ''));
    });
  }

  /** Ends it without an answer; nothing happens when it is over already. */
  drop(): void {
    this.#onLeft();
  }

  /** The time is up. */
  override ring(): void {
    if (this.#state === 'pending') this.refuse(this.trace.onLimit('handshakeTimeout', TOO_LONG));
    else if (this.#state === 'accepting') this.#onLeft();
    else this.#transport.destroy();
  }

  get #listeners(): Listeners {
    return (this.#madeListeners ??= {
      data: (chunk) => this.#onData(chunk),
      left: () => this.#onLeft(),
      abandoned: () => this.#onAbandoned(),
      // Node's server passes this on for its own connections; this one it has let go of.
      drain: () => this.#response?.emit('drain'),
      finish: () => this.#onFinish(),
    });
  }

  #tryToWrite(answer: Refusal): void {
    try {
      this.#write(answer);
    } catch (error) {
      // Middleware's hooks into the response throw; then there is no answer to be had from it.
      this.#transport.destroy();
      this.#owner?.onBroken?.(error);
    }
  }

  #write(answer: Refusal): void {
    const { response } = this;
    if (response.headersSent) {
      // Half of another answer is out: the client must not take this one for its rest.
      this.#transport.destroy();
      return;
    }
    endWithRefusal(response, answer);
  }

  #makeResponse(): Response {
    const res = makeResponse(this.#app, this.request);
    res.shouldKeepAlive = false;
    res.assignSocket(asNetSocket(this.#transport));
    // What writes to it too late is told so by an event; nobody has to listen.
    res.on('error', ignoreError).once('finish', this.#listeners.finish);
    this.#transport.on('drain', this.#listeners.drain);
    // Without a 'finish' before it, nobody has had a whole answer.
    res.once('close', () => this.trace.end(undefined));
    return res;
  }

  #onData(chunk: Buffer): void {
    if (this.#state !== 'pending' && this.#state !== 'accepting') return;
    if (this.#early?.push(chunk) === false) this.#transport.pause();
  }

  #onLeft(): void {
    if (this.#state === 'pending' || this.#state === 'accepting') {
      this.#settle('gone');
      this.trace.end(undefined);
      this.#onAbandoned();
    }
    if (this.#transport.destroyed) clock.clear(this);
  }

  /** Nobody is there to be answered: as Node does with its own connections, request and response close. */
  #onAbandoned(): void {
    this.#transport.destroy();
    this.request.destroy();
  }

  #onFinish(): void {
    if (this.#state === 'accepting') {
      this.#handOver();
      return;
    }
    if (this.#state === 'pending') this.#settle('answered');
    this.trace.end(this.response.statusCode);
    this.#leave();
  }

  /** After an answer: our FIN, and what still comes is dropped, for a reset would overtake the answer. */
  #leave(): void {
    const transport = this.#transport;
    clock.set(this, LINGER_MS);
    const { abandoned, left } = this.#listeners;
    transport.off('end', abandoned).off('close', abandoned);
    transport.off('close', left).on('close', () => clock.clear(this));
    transport.resume();
    transport.end();
  }

  #handOver(): void {
    const transport = this.#transport;
    const response = this.#response;
    if (response !== undefined) this.#retire(response);
    if (this.#early !== undefined) {
      const { data, left } = this.#listeners;
      transport.off('data', data).off('end', left).off('close', left);
    }
    transport.off('error', ignoreError);
    // The server's own timeouts are for requests; from here on there are pings.
    if ('setTimeout' in transport) asNetSocket(transport).setTimeout(0);
    // The socket is there before the handshake counts as over: whoever closes waits for either.
    this.#enter('accepted');
    this.#takeover?.(transport, this.#early?.join() ?? this.#head);
    this.#owner?.onSettled('accepted');
  }

  /** Takes the response off the transport; it is closed, as Node closes one that was sent. */
  #retire(response: Response): void {
    response.detachSocket(asNetSocket(this.#transport));
    this.#transport.off('drain', this.#listeners.drain);
    Object.assign(this.request, { res: undefined });
    response.destroyed = true;
    ignoreLateHeaders(response);
    process.nextTick(() => response.emit('close'));
  }

  #settle(outcome: Outcome): void {
    this.#enter(outcome);
    this.#owner?.onSettled(outcome);
  }

  #enter(outcome: Outcome): void {
    this.#state = outcome;
    clock.clear(this);
  }
}

/** A Duplex is all that a response needs of its socket (seen on Node 20). */
function asNetSocket(transport: Duplex): NetSocket {
  return transport as unknown as NetSocket;
}
