import { Alarm, Clock, TICK_MS } from '../../lib/socket/clock';

class Bell extends Alarm {
  readonly rung: number[] = [];
  onRing: () => void = () => undefined;

  override ring(): void {
    this.rung.push(performance.now());
    this.onRing();
  }
}

beforeEach(() => jest.useFakeTimers({ now: 0 }));
afterEach(() => jest.useRealTimers());

describe('Clock', () => {
  it.each([0, 1, 99, 100, 101, 10_000, 51_200, 51_300, 600_000])(
    'rings %i ms later at the earliest, and two ticks after that at the latest',
    (ms) => {
      const clock = new Clock();
      const bell = new Bell();
      const start = performance.now();
      clock.set(bell, ms);
      jest.advanceTimersByTime(ms + 3 * TICK_MS);
      expect(bell.rung).toHaveLength(1);
      const after = (bell.rung[0] ?? 0) - start;
      expect(after).toBeGreaterThanOrEqual(ms);
      expect(after).toBeLessThanOrEqual(ms + 2 * TICK_MS);
    },
  );

  it('takes a time in the past for now, and Infinity for never', () => {
    const clock = new Clock();
    const [past, never] = [new Bell(), new Bell()];
    clock.set(past, -5000);
    clock.set(never, Infinity);
    jest.advanceTimersByTime(600_000);
    expect([past.rung.length, never.rung.length, clock.size]).toEqual([1, 0, 0]);
  });

  it('moves an alarm that is set again, and forgets one that is cleared', () => {
    const clock = new Clock();
    const [moved, cleared] = [new Bell(), new Bell()];
    clock.set(moved, 1000);
    clock.set(cleared, 1000);
    jest.advanceTimersByTime(500);
    clock.set(moved, 1000);
    clock.clear(cleared);
    clock.clear(cleared);
    jest.advanceTimersByTime(700);
    expect([moved.rung.length, cleared.rung.length]).toEqual([0, 0]);
    jest.advanceTimersByTime(600);
    expect([moved.rung.length, cleared.rung.length]).toEqual([1, 0]);
  });

  it.each([0, 1, 2])('rings the others of a tick when number %i of them is cleared', (cleared) => {
    const clock = new Clock();
    const bells = [new Bell(), new Bell(), new Bell()];
    for (const bell of bells) clock.set(bell, 1000);
    clock.clear(bells[cleared]!);
    expect(bells.map(({ isSet }) => isSet)).toEqual(bells.map((_, at) => at !== cleared));
    // Moved into its place, the last one can still be cleared, and set again.
    clock.clear(bells[2]!);
    if (cleared !== 2) clock.set(bells[2]!, 1000);
    jest.advanceTimersByTime(2000);
    expect(bells.map(({ rung }) => rung.length)).toEqual([0, 1, 2].map((at) => +(at !== cleared)));
    expect(clock.size).toBe(0);
  });

  it('runs one timer while an alarm is set, and none otherwise', () => {
    const clock = new Clock();
    const bells = [new Bell(), new Bell()];
    for (const bell of bells) clock.set(bell, 300);
    expect([jest.getTimerCount(), clock.size]).toEqual([1, 2]);
    jest.advanceTimersByTime(1000);
    expect([jest.getTimerCount(), clock.size]).toEqual([0, 0]);
  });

  it('lets an alarm set itself, and clear another of the same tick', () => {
    const clock = new Clock();
    const [first, second] = [new Bell(), new Bell()];
    first.onRing = () => {
      clock.clear(second);
      if (first.rung.length < 3) clock.set(first, TICK_MS);
    };
    clock.set(first, TICK_MS);
    clock.set(second, TICK_MS);
    jest.advanceTimersByTime(5000);
    expect([first.rung.length, second.rung.length]).toEqual([3, 0]);
  });

  it('goes on by a second at most after the process has stood still', () => {
    const clock = new Clock();
    const bell = new Bell();
    clock.set(bell, 20_000);
    const before = clock.now;
    // The process stands still for a minute, then one interval fires.
    jest.setSystemTime(60_000);
    jest.spyOn(performance, 'now').mockReturnValue(60_000);
    jest.advanceTimersToNextTimer();
    expect(clock.now - before).toBe(1000);
    expect(bell.rung).toEqual([]);
    jest.restoreAllMocks();
  });
});
