import { Alarm, clock } from './clock';

/** When to ping, and when to give up, in milliseconds. */
export interface HeartbeatTimes {
  readonly pingInterval: number;
  readonly pingTimeout: number;
}

/** What a heartbeat does to its connection. */
export interface HeartbeatOwner {
  readonly settings: HeartbeatTimes;
  /** Whether the peer could be heard at all: not while we do not read. */
  readonly isListening: boolean;
  /** When bytes came last, by `clock.now`. */
  readonly heardAt: number;
  /** Sends a ping. */
  beat(): void;
  /** The peer did not answer. */
  onSilence(): void;
}

/**
 * Finds peers that are gone without a word (RFC 6455 §5.5.2).
 *
 * ```
 *            silent for pingInterval: ping          silent for pingTimeout more
 *   ┌───────┐ ────────────────────────▶ ┌─────────┐ ──────────────────────────▶ onSilence
 *   │ quiet │                           │ waiting │
 *   └───────┘ ◀──────────────────────── └─────────┘
 *                 any byte
 * ```
 * A byte costs nothing here: the alarm looks at `heardAt` when it rings, and sets itself again for
 * what is left.
 */
export class Heartbeat extends Alarm {
  readonly #owner: HeartbeatOwner;
  #pingedAt: number | undefined = undefined;

  constructor(owner: HeartbeatOwner) {
    super();
    this.#owner = owner;
  }

  /** Begins. */
  start(): void {
    clock.set(this, this.#owner.settings.pingInterval);
  }

  /** Ends for good. */
  stop(): void {
    clock.clear(this);
  }

  override ring(): void {
    const owner = this.#owner;
    const { pingInterval, pingTimeout } = owner.settings;
    const { heardAt } = owner;
    if (this.#pingedAt !== undefined && heardAt < this.#pingedAt && owner.isListening) {
      owner.onSilence();
      return;
    }
    this.#pingedAt = undefined;
    const left = heardAt + pingInterval - clock.now;
    if (left > 0) {
      clock.set(this, left);
      return;
    }
    owner.beat();
    // Without a timeout the pings only keep proxies from cutting an idle connection.
    this.#pingedAt = pingTimeout === Infinity ? undefined : clock.now;
    clock.set(this, pingTimeout === Infinity ? pingInterval : pingTimeout);
  }
}
