import { TokenBucket } from '../../lib/socket/token-bucket';

describe('TokenBucket', () => {
  it('lets through what a span allows, and no more', () => {
    const bucket = new TokenBucket({ messages: 2, bytes: Infinity, per: 1000 }, 0);
    expect([bucket.take(9, 0), bucket.take(9, 0), bucket.take(9, 0)]).toEqual([true, true, false]);
  });

  it('counts bytes as well', () => {
    const bucket = new TokenBucket({ messages: Infinity, bytes: 10, per: 1000 }, 0);
    expect([bucket.take(10, 0), bucket.take(1, 0)]).toEqual([true, false]);
  });

  it('fills up again with time, to one span at most', () => {
    const bucket = new TokenBucket({ messages: 2, bytes: 100, per: 1000 }, 0);
    bucket.take(1, 0);
    bucket.take(1, 0);
    expect(bucket.take(1, 500)).toBe(true);
    expect([1, 2, 3].map(() => bucket.take(1, 60_000))).toEqual([true, true, false]);
  });
});
