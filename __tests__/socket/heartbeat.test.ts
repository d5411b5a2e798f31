import { clock } from '../../lib/socket/clock';
import { Heartbeat, type HeartbeatTimes } from '../../lib/socket/heartbeat';

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

class Peer {
  isListening = true;
  readonly settings: HeartbeatTimes;
  heardAt = clock.now;
  readonly beat = jest.fn();
  readonly onSilence = jest.fn();

  constructor(settings: HeartbeatTimes) {
    this.settings = settings;
  }

  speak(): void {
    this.heardAt = clock.now;
  }
}

function start(times: HeartbeatTimes): {
  peer: Peer;
  heartbeat: Heartbeat;
} {
  const peer = new Peer(times);
  const heartbeat = new Heartbeat(peer);
  heartbeat.start();
  return { peer, heartbeat };
}

const SECOND = 1000;

describe('Heartbeat', () => {
  it('pings a peer that has been silent for pingInterval, and gives it pingTimeout to answer', () => {
    const { peer } = start({ pingInterval: 25 * SECOND, pingTimeout: 20 * SECOND });
    jest.advanceTimersByTime(24.9 * SECOND);
    expect(peer.beat).not.toHaveBeenCalled();
    jest.advanceTimersByTime(0.5 * SECOND);
    expect(peer.beat).toHaveBeenCalledTimes(1);
    jest.advanceTimersByTime(19.4 * SECOND);
    expect(peer.onSilence).not.toHaveBeenCalled();
    jest.advanceTimersByTime(1 * SECOND);
    expect(peer.onSilence).toHaveBeenCalledTimes(1);
  });

  it('counts any byte as an answer, and any byte before as a reason not to ping', () => {
    const { peer, heartbeat } = start({ pingInterval: 4 * SECOND, pingTimeout: 2 * SECOND });
    for (let at = 0; at < 10; at++) {
      jest.advanceTimersByTime(3 * SECOND);
      peer.speak();
    }
    expect(peer.beat).not.toHaveBeenCalled();
    jest.advanceTimersByTime(4.5 * SECOND);
    peer.speak();
    jest.advanceTimersByTime(3.5 * SECOND);
    expect([peer.beat.mock.calls.length, peer.onSilence.mock.calls.length]).toEqual([1, 0]);
    heartbeat.stop();
    expect(clock.size).toBe(0);
  });

  it('does not give up on a peer that it does not listen to', () => {
    const { peer, heartbeat } = start({ pingInterval: 2 * SECOND, pingTimeout: 1 * SECOND });
    peer.isListening = false;
    jest.advanceTimersByTime(20 * SECOND);
    expect(peer.beat.mock.calls.length).toBeGreaterThan(5);
    expect(peer.onSilence).not.toHaveBeenCalled();
    heartbeat.stop();
  });

  it('only pings when pingTimeout is Infinity, and does nothing when pingInterval is', () => {
    const keeping = start({ pingInterval: 2 * SECOND, pingTimeout: Infinity });
    const off = start({ pingInterval: Infinity, pingTimeout: 1 * SECOND });
    jest.advanceTimersByTime(21 * SECOND);
    expect(keeping.peer.beat.mock.calls.length).toBeGreaterThan(7);
    expect(keeping.peer.onSilence).not.toHaveBeenCalled();
    expect(off.peer.beat).not.toHaveBeenCalled();
    keeping.heartbeat.stop();
  });
});
