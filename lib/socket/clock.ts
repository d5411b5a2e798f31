/** Something that is to happen later, and at most once per {@link Clock.set}. */
export abstract class Alarm {
  /** The slot it waits in; the clock's business. */
  slot: Set<Alarm> | undefined = undefined;
  /** The tick it is due at; the clock's business. */
  dueTick = 0;

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
 *   slots  [ {alarms} | {} | {alarms} | … ]     due tick modulo SLOTS
 *               ▲ tick
 * ```
 * Invariants: an alarm is in at most one slot, the one of its due tick; the timer runs, unref'ed,
 * exactly while an alarm is set.
 */
export class Clock {
  readonly #slots: (Set<Alarm> | undefined)[] = [];
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
    const slot = (this.#slots[alarm.dueTick % SLOTS] ??= new Set());
    slot.add(alarm);
    alarm.slot = slot;
    this.#count++;
  }

  /** Takes an alarm back. */
  clear(alarm: Alarm): void {
    if (alarm.slot === undefined) return;
    alarm.slot.delete(alarm);
    alarm.slot = undefined;
    this.#count--;
    if (this.#count === 0) this.#stop();
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
      this.#ringSlot(this.#slots[this.#tick % SLOTS]);
    }
  }

  #ringSlot(slot: Set<Alarm> | undefined): void {
    if (slot === undefined) return;
    // Alarms of a later round of the wheel stay; what rings may set itself again.
    for (const alarm of [...slot]) {
      if (alarm.dueTick !== this.#tick || alarm.slot !== slot) continue;
      this.clear(alarm);
      alarm.ring();
    }
  }
}

/** The one clock. */
export const clock: Clock = new Clock();
