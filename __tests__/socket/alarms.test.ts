import { Expiry, IdleTimer } from '../../lib/socket/alarms';

beforeEach(() => jest.useFakeTimers({ now: 1_000_000 }));
afterEach(() => jest.useRealTimers());

function closable(): { shut: jest.Mock; onLimit: jest.Mock } {
  return { shut: jest.fn(), onLimit: jest.fn() };
}

describe('Expiry', () => {
  it('closes with 1008 within a second of the time', () => {
    const socket = closable();
    new Expiry(socket, Date.now() + 30_000);
    jest.advanceTimersByTime(29_900);
    expect(socket.shut).not.toHaveBeenCalled();
    jest.advanceTimersByTime(1100);
    expect(socket.shut.mock.calls).toEqual([[1008, 'authorisation expired']]);
  });

  it('closes at once when the time has passed', () => {
    const socket = closable();
    new Expiry(socket, Date.now() - 1);
    jest.advanceTimersByTime(300);
    expect(socket.shut).toHaveBeenCalledTimes(1);
  });

  it('goes by the time of day: when that was set back, it waits on', () => {
    const socket = closable();
    new Expiry(socket, Date.now() + 1000);
    jest.setSystemTime(Date.now() - 5000);
    jest.advanceTimersByTime(4000);
    expect(socket.shut).not.toHaveBeenCalled();
    jest.advanceTimersByTime(3000);
    expect(socket.shut).toHaveBeenCalledTimes(1);
  });
});

describe('IdleTimer', () => {
  it('closes with 1001 when no message went by', () => {
    const socket = closable();
    new IdleTimer(socket, 2000);
    jest.advanceTimersByTime(2300);
    expect(socket.shut.mock.calls).toEqual([[1001, 'idle']]);
    expect(socket.onLimit.mock.calls).toEqual([['idleTimeout']]);
  });

  it('starts again with each message', () => {
    const socket = closable();
    const timer = new IdleTimer(socket, 2000);
    for (let at = 0; at < 5; at++) {
      jest.advanceTimersByTime(1500);
      timer.touch();
    }
    expect(socket.shut).not.toHaveBeenCalled();
    jest.advanceTimersByTime(2400);
    expect(socket.shut).toHaveBeenCalledTimes(1);
  });
});
