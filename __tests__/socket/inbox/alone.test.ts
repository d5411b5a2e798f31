import { Inbox } from '../../../lib/socket/inbox';
import type { Socket } from '../../../lib/socket/socket';
import { makeWire } from '../wire';

describe('an inbox alone', () => {
  const makeInbox = (
    message?: (socket: Socket, data: unknown) => unknown,
  ): { inbox: Inbox; recipient: { isOpening: boolean }; reading: string[] } => {
    const { socket, settings } = makeWire({
      start: false,
      hooks: message === undefined ? {} : { message },
    });
    const recipient = {
      socket,
      settings,
      isOpening: message === undefined,
      onUserError: () => {},
      shut: () => {},
    };
    const reading: string[] = [];
    const reader = {
      stopReading: () => reading.push('stop'),
      startReading: () => reading.push('start'),
    };
    return { inbox: new Inbox(recipient, reader), recipient, reading };
  };

  it('says whether the peer is read from, and steers it once each way', () => {
    const { inbox, reading } = makeInbox();
    expect(inbox.isReading).toBe(true);
    inbox.pause();
    inbox.pause();
    expect(inbox.isReading).toBe(false);
    inbox.resume();
    inbox.resume();
    expect(inbox.isReading).toBe(true);
    expect(reading).toEqual(['stop', 'start']);
  });

  it('delivers what is accepted from inside of a handler after that handler', () => {
    const order: unknown[] = [];
    const socketOf: { inbox?: Inbox } = {};
    const { inbox } = makeInbox((_, data) => {
      order.push(`> ${String(data)}`);
      if (data === 'a') socketOf.inbox?.accept('b', false);
      order.push(`< ${String(data)}`);
    });
    socketOf.inbox = inbox;
    inbox.accept('a', false);
    expect(order).toEqual(['> a', '< a', '> b', '< b']);
  });

  it('ends once, and not by an alarm that nobody set', () => {
    const { inbox, recipient } = makeInbox();
    let ends = 0;
    inbox.ring();
    inbox.end(() => ends++);
    expect(ends).toBe(0);
    recipient.isOpening = false;
    inbox.drain();
    inbox.ring();
    inbox.drain();
    expect(ends).toBe(1);
  });
});
