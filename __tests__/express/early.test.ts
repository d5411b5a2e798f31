import { EarlyBytes } from '../../lib/express/early';
import { hex } from '../support/bytes';

describe('bytes before the 101', () => {
  it('are what came with the request when nothing else came', () => {
    const head = hex('81 00');
    expect(new EarlyBytes(head).join()).toBe(head);
  });

  it('are kept in order', () => {
    const early = new EarlyBytes(hex('01'));
    early.push(hex('02 03'));
    early.push(hex('04'));
    expect(early.join()).toEqual(hex('01 02 03 04'));
  });

  it.each([
    ['64 KiB', Buffer.alloc(1024), 64],
    ['64 reads', Buffer.alloc(1), 64],
    ['one large read', Buffer.alloc(65_536), 1],
  ])('are enough at %s', (_what, chunk, count) => {
    const early = new EarlyBytes(Buffer.alloc(0));
    const answers = Array.from({ length: count }, () => early.push(chunk));
    expect(answers).toEqual([...Array<boolean>(count - 1).fill(true), false]);
  });
});
