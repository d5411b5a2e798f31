import fc from 'fast-check';
import { clock } from '../../lib/socket/clock';
import { pass, stopTime, turns } from '../socket/wire';
import { commands, Real } from './close-commands';
import { Model } from './close-model';

/** Nothing is left of a socket whose transport has gone. */
function expectReleased({ wire }: Real): void {
  expect(wire.released).toEqual([wire.socket]);
  expect(wire.socket.readyState).toBe(3);
  expect(clock.size).toBe(0);
  expect(jest.getTimerCount()).toBe(0);
}

/** §5.5.1: one close frame at most, and nothing behind it. */
function expectOneClose(frames: readonly string[]): void {
  const closes = frames.filter((frame) => frame.startsWith('88'));
  expect(closes.length).toBeLessThanOrEqual(1);
  if (closes.length === 1) expect(frames.at(-1)).toBe(closes[0]);
}

function expectAsModelled(model: Model, real: Real): void {
  const { socket, closes } = real.wire;
  const { code, reason, wasClean } = model.end;
  expect(real.opens).toBe(1);
  expect(closes).toHaveLength(1);
  const told = reason === undefined ? closes[0]?.split(' ')[0] : closes[0];
  expect(told).toBe(`${code} ${reason ?? ''}`.trim());
  expect(socket.wasClean).toBe(wasClean);
  expect(real.heard).toEqual(model.heard);
  const { frames } = real;
  expect([...model.sent, ...model.lost].slice(0, frames.length)).toEqual(frames);
  expect(frames.length).toBeGreaterThanOrEqual(model.sent.length);
  expectOneClose(frames);
  expectReleased(real);
}

describe('however the two ends of a connection race', () => {
  beforeEach(stopTime);

  it('one open is followed by one close, with the code the model says, and nothing is left', async () => {
    await fc.assert(
      fc.asyncProperty(commands, async (steps) => {
        const model = new Model();
        const real = new Real();
        await fc.asyncModelRun(() => ({ model, real }), steps);
        model.settle();
        await turns();
        if (model.phase !== 'closed') expect(real.wire.closes).toEqual([]);
        model.act({ kind: 'terminate' });
        real.act({ kind: 'terminate' });
        model.settle();
        await turns();
        expectAsModelled(model, real);
      }),
      { numRuns: 1000 },
    );
    await pass(0);
  }, 60_000);
});
