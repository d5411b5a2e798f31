import {
  isCopied,
  keepFrame,
  shareFrame,
  writeBytes,
  writeHeader,
  writeText,
  type SharedFrame,
} from '../../lib/socket/frame-writer';
import type { Slab } from '../../lib/socket/slab';
import { hex } from '../support/bytes';

function bytesOf(slab: Slab | undefined): Buffer | undefined {
  return slab && Buffer.from(slab.bytes.subarray(slab.lastStart, slab.used));
}

describe('writing into a slab (RFC 6455 §5.2, unmasked)', () => {
  it('writes text, §5.7: a single-frame unmasked text message', () => {
    expect(bytesOf(writeText(0x81, 'Hello'))).toEqual(hex('81 05 48 65 6c 6c 6f'));
  });

  it('writes bytes and headers', () => {
    expect(bytesOf(writeBytes(0x82, hex('0102')))).toEqual(hex('82 02 01 02'));
    expect(bytesOf(writeHeader(0x82, 65_536))).toEqual(hex('82 7f 00 00 00 00 00 01 00 00'));
  });

  it('does not copy more than 8 KiB', () => {
    expect([isCopied(Buffer.alloc(8192)), isCopied(Buffer.alloc(8193))]).toEqual([true, false]);
    expect(writeText(0x81, 'a'.repeat(8193))).toBeUndefined();
    expect(bytesOf(writeText(0x81, '€'.repeat(8192)))?.length).toBe(4 + 3 * 8192);
  });
});

describe('shareFrame and keepFrame', () => {
  const cases: readonly (readonly [string, string | Buffer, Buffer])[] = [
    ['text', 'Hello', hex('81 05 48 65 6c 6c 6f')],
    ['bytes', hex('0102'), hex('81 02 01 02')],
    ['long text', 'a'.repeat(9000), Buffer.concat([hex('81 7e 2328'), Buffer.alloc(9000, 'a')])],
    ['many bytes', Buffer.alloc(9000), Buffer.concat([hex('81 7e 2328'), Buffer.alloc(9000)])],
    [
      'text of many bytes',
      '€'.repeat(8193),
      Buffer.concat([hex('81 7e 6003'), Buffer.from('€'.repeat(8193))]),
    ],
  ];

  it.each(cases)('encodes %s once; what is kept has memory of its own', (_what, data, expected) => {
    const frame: SharedFrame = shareFrame(0x81, data);
    const kept = keepFrame(frame);
    frame.slab.bytes.fill(0xee, frame.start, frame.end);
    expect(kept).toEqual(expected);
  });

  it('leaves a large payload where it is', () => {
    const payload = Buffer.alloc(9000);
    expect(shareFrame(0x82, payload).payload).toBe(payload);
  });
});
