import { Buffer, isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import type { DecoderLimits } from '../../../lib/protocol/decoder';
import { clientFrame } from '../../support/bytes';
import { anyBytes, lawfulStream, nearUtf8, offsets } from '../arbitraries';
import { cut, decode, drip, fault, rekey, text } from '../every-way';

describe('laws', () => {
  const limits: DecoderLimits = { maxPayload: 300, maxFragments: 60 };

  it('hears what a lawful client said', () => {
    fc.assert(
      fc.property(lawfulStream, ({ bytes, heard }) => {
        expect(decode(cut(bytes, []))).toEqual(heard);
      }),
    );
  });

  it('hears the same however the bytes are cut', () => {
    fc.assert(
      fc.property(anyBytes, offsets(600), (bytes, at) => {
        const whole = decode(cut(bytes, []), limits);
        expect(decode(cut(bytes, at), limits)).toEqual(whole);
        expect(decode(drip(bytes), limits)).toEqual(whole);
      }),
      { numRuns: 300 },
    );
  });

  it('hears the same under any masking key', () => {
    fc.assert(
      fc.property(lawfulStream, fc.uint8Array({ minLength: 4, maxLength: 4 }), (stream, key) => {
        const other = rekey(stream.bytes, Buffer.from(key));
        expect(decode([other])).toEqual(stream.heard);
      }),
    );
  });

  it('makes of any bytes events or a ProtocolError, and never another throw', () => {
    const faults = [fault(1002), fault(1007), fault(1008), fault(1009)];
    fc.assert(
      fc.property(fc.oneof(anyBytes, fc.uint8Array({ maxLength: 200 })), (bytes) => {
        const heard = decode([Buffer.from(bytes)], limits);
        const found = heard.filter((line) => line.startsWith('fault'));
        expect(found.length).toBeLessThanOrEqual(1);
        for (const each of found) expect(faults).toContain(each);
      }),
      { numRuns: 300 },
    );
  });

  it('U-7 agrees with buffer.isUtf8 on any text, cut into any fragments and reads', () => {
    fc.assert(
      fc.property(nearUtf8, offsets(40), offsets(80), (payload, fragments, at) => {
        const parts = cut(payload, fragments);
        const frames = parts.map((part, i) => {
          const fin = i === parts.length - 1 ? 0x80 : 0;
          return clientFrame({ first: fin | (i === 0 ? 1 : 0), payload: part, key: '37fa213d' });
        });
        const expected = isUtf8(payload) ? text(payload.toString()) : fault(1007);
        expect(decode(cut(Buffer.concat(frames), at))).toEqual([expected]);
      }),
      { numRuns: 300 },
    );
  });
});
