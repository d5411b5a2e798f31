import { CloseCode } from '../protocol/close';
import { Alarm, clock } from './clock';

/** Who is closed when the time has come. */
export interface Closable {
  shut(code: number, reason: string): void;
}

/** The same, who also hears that a limit was reached. */
export interface Idler extends Closable {
  onLimit(name: 'idleTimeout'): void;
}

/** Closes with 1008 when the authorisation given by `auth` expires. */
export class Expiry extends Alarm {
  readonly #socket: Closable;
  readonly #at: number;

  constructor(socket: Closable, at: number) {
    super();
    this.#socket = socket;
    this.#at = at;
    clock.set(this, at - Date.now());
  }

  override ring(): void {
    // The clock stands still while the process does, wall-clock time does not.
    const left = this.#at - Date.now();
    if (left > 0) clock.set(this, left);
    else this.#socket.shut(CloseCode.PolicyViolation, 'authorisation expired');
  }
}

/** Closes with 1001 when no message went either way for a while. */
export class IdleTimer extends Alarm {
  readonly #socket: Idler;
  readonly #timeout: number;
  #busyAt = clock.now;

  constructor(socket: Idler, timeout: number) {
    super();
    this.#socket = socket;
    this.#timeout = timeout;
    clock.set(this, timeout);
  }

  /** A message went by. */
  touch(): void {
    this.#busyAt = clock.now;
  }

  override ring(): void {
    const left = this.#busyAt + this.#timeout - clock.now;
    if (left > 0) {
      clock.set(this, left);
      return;
    }
    this.#socket.onLimit('idleTimeout');
    this.#socket.shut(CloseCode.GoingAway, 'idle');
  }
}
