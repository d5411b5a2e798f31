import { Takers, type Taker } from '../../lib/socket/takers';

const end = { value: undefined, done: true };

/** Two iterators, of which each waits for a message. */
function makeWaiting(): { takers: Takers; first: jest.Mock; second: jest.Mock } {
  const takers = new Takers();
  const [first, second] = [jest.fn(), jest.fn()];
  for (const taker of [first, second] as Taker[]) {
    takers.begin();
    takers.add(taker);
  }
  return { takers, first, second };
}

describe('Takers', () => {
  it('pull from the first iterator to the end of the last', () => {
    const takers = new Takers();
    expect([takers.isPulling, takers.isWaiting]).toEqual([false, false]);
    takers.begin();
    takers.begin();
    takers.leave([]);
    expect(takers.isPulling).toBe(true);
    takers.leave([]);
    expect(takers.isPulling).toBe(false);
  });

  it('hand a message to the call that has waited longest, and then to nobody', () => {
    const { takers, first, second } = makeWaiting();
    expect(['a', 'b', 'c'].map((value) => takers.hand(value))).toEqual([true, true, false]);
    expect(first.mock.calls).toEqual([[{ value: 'a', done: false }]]);
    expect(second.mock.calls).toEqual([[{ value: 'b', done: false }]]);
    expect([takers.isPulling, takers.isWaiting]).toEqual([true, false]);
  });

  it('tell those of an iterator that is left of the end, and nobody else', () => {
    const { takers, first, second } = makeWaiting();
    takers.leave([first]);
    expect([first.mock.calls, second.mock.calls]).toEqual([[[end]], []]);
    takers.hand('a');
    expect(second.mock.calls).toEqual([[{ value: 'a', done: false }]]);
  });

  it('tell all of the end, once', () => {
    const { takers, first, second } = makeWaiting();
    takers.end();
    takers.end();
    expect([first.mock.calls, second.mock.calls]).toEqual([[[end]], [[end]]]);
    expect(takers.isWaiting).toBe(false);
  });
});
