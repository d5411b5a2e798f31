import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { Window } from '../../lib/protocol/window';

/** Bytes that tell their place. */
const run = (from: number, length: number): Buffer =>
  Buffer.from(Uint8Array.from({ length }, (_, i) => ((from + i) * 31 + ((from + i) >> 8)) & 0xff));

describe('RFC 7692 §7.2.1 the window', () => {
  it('has nothing to refer to at first', () => {
    const window = new Window(15);
    expect(window.content).toBeUndefined();
    window.push(Buffer.alloc(0));
    expect(window.content).toBeUndefined();
  });

  it('holds all that was said while there is room', () => {
    const window = new Window(9);
    window.push(Buffer.from('Hello'));
    window.push(Buffer.from(', '));
    window.push(Buffer.from('world'));
    expect(window.content?.toString()).toBe('Hello, world');
  });

  it.each([
    ['exactly full', [512]],
    ['full by two', [500, 12]],
    ['one byte too many', [512, 1]],
    ['too much at once', [513]],
    ['much too much at once', [10, 5000]],
    ['too much bit by bit', Array.from({ length: 700 }, () => 1)],
  ])('lets go of what is oldest: %s', (_name, lengths) => {
    const window = new Window(9);
    let said = 0;
    for (const length of lengths) {
      window.push(run(said, length));
      said += length;
    }
    expect(window.content).toEqual(run(Math.max(0, said - 512), Math.min(512, said)));
  });

  it('is the end of all that was said, whatever its size and the messages', () => {
    const lengths = fc.array(
      fc.oneof(fc.nat(40), fc.nat(5000), fc.constantFrom(511, 512, 513, 1023, 1024, 1025)),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(fc.integer({ min: 8, max: 13 }), lengths, (bits, all) => {
        const window = new Window(bits);
        let said = Buffer.alloc(0);
        for (const length of all) {
          const data = run(said.length, length);
          said = Buffer.concat([said, data]);
          window.push(data);
          const last = said.subarray(-(2 ** bits));
          expect(window.content ?? Buffer.alloc(0)).toEqual(last);
        }
      }),
    );
  });

  it('keeps bytes of its own', () => {
    const window = new Window(9);
    const data = Buffer.from('Hello');
    window.push(data);
    data.fill(0);
    expect(window.content?.toString()).toBe('Hello');
  });

  it('takes no more memory than what was said needs, and never more than its size', () => {
    const window = new Window(15);
    const memory = (): number => window.content!.buffer.byteLength;
    const seen: number[] = [];
    for (const length of [1, 1023, 1, 2000, 100_000, 100]) {
      window.push(Buffer.alloc(length));
      seen.push(memory());
    }
    expect(seen).toEqual([1024, 1024, 2048, 4096, 32_768, 32_768]);
  });
});
