import { Decoder } from '../../lib/protocol/decoder';
import { hex } from '../support/bytes';
it('x', () => {
  const out: unknown[] = [];
  const d = new Decoder({ maxPayload: 1000, maxFragments: 100 }, { onMessage: (m) => out.push(m), onPing: (m) => out.push(m), onPong() {}, onClose: (c) => out.push(c) });
  for (const b of hex('81 85 37fa213d 7f9f4d5158 01 81 00000000 61 89 80 00000000 80 81 00000000 62')) d.push(Buffer.from([b]));
  d.push(hex('81 85 37fa213d 7f9f4d5158 01 81 00000000 61 89 80 00000000 80 81 00000000 62'));
  expect(out).toEqual(['Hello', Buffer.alloc(0), 'ab', 'Hello', Buffer.alloc(0), 'ab']);
});
