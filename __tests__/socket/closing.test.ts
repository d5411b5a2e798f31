import { clock } from '../../lib/socket/clock';
import { Closing } from '../../lib/socket/closing';
import { hex } from '../support/bytes';

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

/** A closing, and what it has its connection do. */
function makeClosing(): { closing: Closing; did: string[] } {
  const did: string[] = [];
  const closing = new Closing({
    settings: { closeTimeout: 1000 },
    outbox: {
      pushClose: (first, body) => did.push(`${first.toString(16)} ${body.toString('hex')}`),
      end: () => did.push('FIN'),
    },
    readOut: () => did.push('read out'),
    onLate: () => did.push('late'),
  });
  return { closing, did };
}

const BODY = hex('03e8');

describe('RFC 6455 §7.1.2 closing', () => {
  it('sends one close frame', () => {
    const { closing, did } = makeClosing();
    expect(closing.phase).toBe('closing');
    closing.send(BODY);
    closing.send(BODY);
    expect([closing.phase, did]).toEqual(['closeSent', ['88 03e8']]);
  });

  it('answers the peer, then ends first (§7.1.1)', () => {
    const { closing, did } = makeClosing();
    closing.answer(BODY);
    expect([closing.phase, did]).toEqual(['ending', ['88 03e8', 'FIN', 'read out']]);
  });

  it('only ends when the peer answers our close frame', () => {
    const { closing, did } = makeClosing();
    closing.send(BODY);
    closing.answer(hex('03e9'));
    expect([closing.phase, did]).toEqual(['ending', ['88 03e8', 'FIN', 'read out']]);
  });

  it.each(['drop', 'finish'] as const)('sends nothing after %s', (end) => {
    const { closing, did } = makeClosing();
    closing[end]();
    closing.answer(BODY);
    expect([closing.phase, did]).toEqual([end === 'drop' ? 'ending' : 'closed', []]);
  });

  it('is abnormal until something else is known (§7.1.5)', () => {
    expect(makeClosing().closing.verdict).toEqual({ code: 1006, reason: '', wasClean: false });
  });

  it('gives the peer one closeTimeout, however often it is begun', () => {
    const { closing, did } = makeClosing();
    closing.awaitEnd();
    jest.advanceTimersByTime(900);
    closing.awaitEnd();
    expect(did).toEqual([]);
    jest.advanceTimersByTime(400);
    expect(did).toEqual(['late']);
  });

  it('waits no longer once the transport is gone', () => {
    const { closing, did } = makeClosing();
    closing.awaitEnd();
    closing.finish();
    jest.advanceTimersByTime(5000);
    expect([did, clock.size]).toEqual([[], 0]);
  });
});
