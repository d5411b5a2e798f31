/** The due tick of an alarm that is not set. */
const NEVER = -1;

/** Something that is to happen later, and at most once per {@link Clock.set}. */
export abstract class Alarm {
  /** The tick it is due at; the clock's business. */
  dueTick: number = NEVER;
  /** Its place in the slot of that tick; the clock's business. */
  place = 0;

  /** Whether it is going to ring. */
  get isSet(): boolean {
    return this.dueTick !== NEVER;
  }

  /** The time has come. Must not throw. */
  abstract ring(): void;
}

/** How exact the clock is. Heartbeats, close and expiry timers need no better. */
export const TICK_MS = 100;

/** One round of the wheel is 51.2 s, more than every default but expiry. */
const SLOTS = 512;

/** After a stall the clock goes on by this much at most: peers are not to blame for our pause. */
const MAX_TICKS_AT_ONCE = 10;

/**
 * One timer for all sockets: a hashed timing wheel.
 *
 * ```
 *   slots  [ [alarms] | [] | [alarms] | … ]     due tick modulo SLOTS
 *               ▲ tick
 * ```
 * Invariants: an alarm is in at most one slot, the one of its due tick, and knows its place there: the
 * last one takes the place of one that leaves. The timer runs, unref'ed, exactly while an alarm is
 * set.
 */
export class Clock {
  readonly #slots: Alarm[][] = [];
  #timer: NodeJS.Timeout | undefined = undefined;
  #tick = 0;
  #count = 0;
  #lastAt = 0;

  /** Coarse time in milliseconds, from an arbitrary start; stands still while no alarm is set. */
  get now(): number {
    return this.#tick * TICK_MS;
  }

  /** Alarms that are set. */
  get size(): number {
    return this.#count;
  }

  /**
   * Rings after at least `ms`, at most two ticks later; `Infinity` is never. An alarm that is set
   * already is moved.
   */
  set(alarm: Alarm, ms: number): void {
    this.clear(alarm);
    if (ms === Infinity) return;
    this.#start();
    alarm.dueTick = this.#tick + Math.ceil(Math.max(0, ms) / TICK_MS) + 1;
    alarm.place = this.#slotOf(alarm.dueTick).push(alarm) - 1;
    this.#count++;
  }

  /** Takes an alarm back. */
  clear(alarm: Alarm): void {
    if (!alarm.isSet) return;
    const slot = this.#slotOf(alarm.dueTick);
    // eslint-disable-next-line @typescript-eslint/no-non-null-assertion -- the alarm itself is in there
    const last = slot.pop()!;
    if (last !== alarm) {
      slot[alarm.place] = last;
      last.place = alarm.place;
    }
    alarm.dueTick = NEVER;
    this.#count--;
    if (this.#count === 0) this.#stop();
  }

  #slotOf(tick: number): Alarm[] {
    return (this.#slots[tick % SLOTS] ??= []);
  }

  #start(): void {
    if (this.#timer !== undefined) return;
    this.#lastAt = performance.now();
    this.#timer = setInterval(() => this.#advance(), TICK_MS);
    this.#timer.unref();
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #advance(): void {
    const passed = Math.floor((performance.now() - this.#lastAt) / TICK_MS);
    this.#lastAt += passed * TICK_MS;
    for (let ticks = Math.min(passed, MAX_TICKS_AT_ONCE); ticks > 0; ticks--) {
      this.#tick++;
      this.#ringSlot();
    }
  }

  #ringSlot(): void {
    // Alarms of a later round of the wheel stay; what rings may set and clear itself and others.
    for (const alarm of [...this.#slotOf(this.#tick)]) {
      if (alarm.dueTick !== this.#tick) continue;
      this.clear(alarm);
      alarm.ring();
    }
  }
}

/** The one clock. */
export const clock: Clock = new Clock();
