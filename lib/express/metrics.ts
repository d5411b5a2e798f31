import type { Mount } from './mount';

/** How many times something happened, by what it is. */
export type Counts = Readonly<Record<string, number>>;

/** What one route has done since it was attached, and what it holds at this moment. */
export interface RouteMetrics {
  /** As it was declared. */
  readonly path: string;
  /** Sockets whose connection is not gone yet: a gauge. */
  readonly connections: number;
  /** Sockets so far. */
  readonly opened: number;
  /**
   * Upgrades on this route that are over, by the status they were answered with, whoever answered;
   * `aborted` are those that nobody was there to take an answer of.
   */
  readonly handshakes: Counts & { readonly aborted: number };
  /** Messages so far; one to many counts once for each socket. */
  readonly messages: Flow;
  /** Bytes on the wire so far, of frames of all kinds, under TLS and without the handshake. */
  readonly bytes: Flow;
  /**
   * Sockets whose connection is gone, by close code. Those that RFC 6455 §7.4.2 leaves to libraries
   * and applications are peers' to choose, so they are counted together: `3xxx` and `4xxx`.
   */
  readonly closes: Counts;
  /** Bytes that wait to be sent, of all sockets: a gauge. */
  readonly bufferedBytes: number;
  /** Messages so far that were not sent, for there was more than `maxBackpressure` waiting. */
  readonly dropped: number;
}

/** What went either way. */
export interface Flow {
  readonly received: number;
  readonly sent: number;
}

/** What `sockets.metrics()` returns: a copy of plain numbers, which `JSON.stringify` can write. */
export interface Metrics {
  /** Upgrades that wait for the app, `use` or `auth`: a gauge. */
  readonly pendingHandshakes: number;
  /** In the order in which they were attached. */
  readonly routes: readonly RouteMetrics[];
}

/** How the handshakes on a route have ended. */
export class HandshakeCounts {
  readonly #answered = new Map<number, number>();
  #aborted = 0;

  /** Counts one, by the status of its answer; `undefined` where there is none. */
  add(status: number | undefined): void {
    if (status === undefined) this.#aborted++;
    else this.#answered.set(status, (this.#answered.get(status) ?? 0) + 1);
  }

  /** The sums so far. */
  read(): RouteMetrics['handshakes'] {
    return { ...Object.fromEntries(this.#answered), aborted: this.#aborted };
  }
}

/** The metrics of one route. */
export function readRoute({ settings, sockets, handshakes }: Mount): RouteMetrics {
  const { observer } = settings;
  let bufferedBytes = 0;
  for (const { bufferedAmount } of sockets) bufferedBytes += bufferedAmount;
  return {
    path: observer.path,
    connections: sockets.size,
    opened: observer.opened,
    handshakes: handshakes.read(),
    messages: { received: observer.messagesReceived, sent: observer.messagesSent },
    bytes: { received: observer.bytesReceived, sent: observer.bytesSent },
    closes: sumCloses(observer.closes),
    bufferedBytes,
    dropped: observer.dropped,
  };
}

function sumCloses(closes: ReadonlyMap<number, number>): Counts {
  const sums: Record<string, number> = {};
  for (const [code, count] of closes) {
    const name = code < 3000 ? String(code) : `${Math.floor(code / 1000)}xxx`;
    sums[name] = (sums[name] ?? 0) + count;
  }
  return sums;
}
