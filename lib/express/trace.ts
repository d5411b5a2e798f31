import type { IncomingMessage } from 'node:http';
import type { Refusal } from '../protocol/handshake';
import type { LimitName } from '../socket/observer';
import type { Socket } from '../socket/socket';
import { handshakeChannels, publishLimit, type HandshakeMessage } from './diagnostics';
import type { HandshakeCounts } from './metrics';

/** Where handshakes on a route are counted. */
export interface Counted {
  /** As the route was declared. */
  readonly path: string;
  readonly handshakes: HandshakeCounts;
}

/** A message while it is ours to fill in. */
type Draft = { -readonly [K in keyof HandshakeMessage]: HandshakeMessage[K] };

const { start, end, error } = handshakeChannels;

/**
 * One handshake as it is counted and published.
 *
 * Invariants: it ends exactly once; the message is made at the start, when somebody subscribes then,
 * or never.
 */
export class Trace {
  #route: Counted | undefined = undefined;
  #stage: 'under way' | 'over' = 'under way';
  readonly #message: Draft | undefined;

  constructor(request: IncomingMessage) {
    const isHeard = start.hasSubscribers || end.hasSubscribers || error.hasSubscribers;
    this.#message = isHeard ? draftOf(request) : undefined;
    if (this.#message !== undefined) start.publish(this.#message);
  }

  /** Its route is known. */
  onRoute(route: Counted): void {
    this.#route = route;
    if (this.#message !== undefined) this.#message.path = route.path;
  }

  /** User code threw. */
  onError(thrown: unknown): void {
    if (this.#message === undefined) return;
    this.#message.error = thrown;
    error.publish(this.#message);
  }

  /** A limit was reached; hands on the answer to that. */
  onLimit(name: LimitName, answer: Refusal): Refusal {
    publishLimit(name, this.#route?.path);
    return answer;
  }

  /** It is a socket, which has said nothing yet. */
  onAccepted(socket: Socket): void {
    if (this.#message !== undefined) this.#message.socket = socket;
    this.end(101);
  }

  /** Its answer is out, or there is none; what comes after the first time does not count. */
  end(status: number | undefined): void {
    if (this.#stage === 'over') return;
    this.#stage = 'over';
    this.#route?.handshakes.add(status);
    if (this.#message === undefined) return;
    this.#message.status = status;
    end.publish(this.#message);
  }
}

function draftOf(request: IncomingMessage): Draft {
  const url = String(request.url).replace(/\?.*$/s, '');
  return { path: undefined, url, request, status: undefined, socket: undefined, error: undefined };
}
