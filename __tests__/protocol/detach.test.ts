import { Buffer } from 'node:buffer';
import { detach } from '../../lib/protocol/detach';

/** Bytes in the middle of so much memory. */
function within(memory: number, length: number): Buffer {
  return Buffer.alloc(memory, 'x').subarray(3, 3 + length);
}

describe('bytes that are passed on', () => {
  it.each([
    ['a quarter of it', 1000, 250],
    ['half of it', 1000, 500],
    ['nearly all of it', 1000, 997],
  ])('stay in their memory when they are %s', (_name, memory, length) => {
    const bytes = within(memory, length);
    expect(detach(bytes)).toBe(bytes);
  });

  it.each([
    ['just less than a quarter of it', 1000, 249],
    ['a little of it', 65_536, 10],
    ['nothing of it', 1000, 0],
  ])('are copied out when they are %s', (_name, memory, length) => {
    const bytes = within(memory, length);
    const copy = detach(bytes);
    expect(copy).toEqual(bytes);
    expect(copy.buffer).not.toBe(bytes.buffer);
    bytes.fill(0);
    expect(copy.toString()).toBe('x'.repeat(length));
  });
});
