import { Turn } from '../../lib/socket/turn';

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function watched(): { turn: Turn; told: string[] } {
  const told: string[] = [];
  const turn = new Turn({ onQuiet: () => told.push('quiet'), onMore: () => told.push('more') });
  return { turn, told };
}

describe('Turn', () => {
  it('flushes everybody once, at the end of the turn', async () => {
    const { turn, told } = watched();
    const flush = jest.fn();
    turn.enlist({ flush });
    turn.enlist({ flush });
    expect(flush).not.toHaveBeenCalled();
    await nextTurn();
    await nextTurn();
    expect(flush).toHaveBeenCalledTimes(2);
    expect(told).toEqual(['quiet']);
  });

  it('leaves what is enlisted while flushing to the next turn', async () => {
    const { turn, told } = watched();
    const late = jest.fn();
    turn.enlist({ flush: () => turn.enlist({ flush: late }) });
    await nextTurn();
    expect([late.mock.calls.length, told]).toEqual([0, ['more']]);
    await nextTurn();
    expect([late.mock.calls.length, told]).toEqual([1, ['more', 'quiet']]);
  });

  it('does not wait for the end of a turn that takes long', async () => {
    const { turn, told } = watched();
    const flush = jest.fn();
    const now = jest.spyOn(performance, 'now').mockReturnValue(1000);
    turn.flushIfLate();
    turn.enlist({ flush });
    turn.flushIfLate();
    expect(flush).not.toHaveBeenCalled();
    now.mockReturnValue(1001.5);
    turn.flushIfLate();
    now.mockRestore();
    expect(flush).toHaveBeenCalledTimes(1);
    // The immediate that was set finds nothing to do.
    await nextTurn();
    expect(told).toEqual(['quiet']);
  });

  it('waits, however late, until what holds it has returned', async () => {
    const { turn } = watched();
    const flush = jest.fn();
    const now = jest.spyOn(performance, 'now').mockReturnValue(1000);
    turn.enlist({ flush });
    now.mockReturnValue(2000);
    const given = turn.hold(() => {
      turn.flushIfLate();
      const inner = turn.hold(() => 'inner');
      turn.flushIfLate();
      return `${inner}, outer`;
    });
    expect([given, flush.mock.calls.length]).toEqual(['inner, outer', 0]);
    turn.flushIfLate();
    now.mockRestore();
    expect(flush).toHaveBeenCalledTimes(1);
    await nextTurn();
  });

  it('is not held for ever by what throws', async () => {
    const { turn } = watched();
    const flush = jest.fn();
    const now = jest.spyOn(performance, 'now').mockReturnValue(1000);
    turn.enlist({ flush });
    now.mockReturnValue(2000);
    const fail = (): never => {
      throw new Error('from inside');
    };
    expect(() => turn.hold(fail)).toThrow('from inside');
    turn.flushIfLate();
    now.mockRestore();
    expect(flush).toHaveBeenCalledTimes(1);
    await nextTurn();
  });
});
