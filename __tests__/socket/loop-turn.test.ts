import { setImmediate as immediate } from 'node:timers/promises';
import { loopTurn } from '../../lib/socket/loop-turn';

afterEach(async () => {
  jest.restoreAllMocks();
  await immediate();
});

describe('the number of a turn', () => {
  it('is one for all who ask in it, also behind promises and ticks', async () => {
    const first = loopTurn();
    await Promise.resolve();
    expect(loopTurn()).toBe(first);
    await new Promise((resolve) => process.nextTick(resolve, undefined));
    expect(loopTurn()).toBe(first);
  });

  it('is another in the next', async () => {
    const first = loopTurn();
    await immediate();
    const second = loopTurn();
    await immediate();
    expect(new Set([first, second, loopTurn()]).size).toBe(3);
  });

  it('costs one immediate a turn in which somebody asks, and none in others', async () => {
    await immediate();
    const spy = jest.spyOn(globalThis, 'setImmediate');
    for (let i = 0; i < 100; i++) loopTurn();
    expect(spy).toHaveBeenCalledTimes(1);
    await immediate();
    await immediate();
    expect(spy).toHaveBeenCalledTimes(1);
    loopTurn();
    expect(spy).toHaveBeenCalledTimes(2);
  });
});
