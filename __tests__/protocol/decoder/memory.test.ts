import { Buffer } from 'node:buffer';
import { Decoder } from '../../../lib/protocol/decoder';
import { clientFrame, hex, repeat } from '../../support/bytes';
import { allocationsOf, sum } from '../allocations';
import {
  binary,
  cut,
  decode,
  expectEveryWay,
  fault,
  LIMITS,
  listener,
  M,
  ping,
  pong,
  text,
} from '../every-way';

describe('floods', () => {
  it('L-11 takes a million empty frames in one read', () => {
    let messages = 0;
    const sink = { ...listener([]), onMessage: () => messages++ };
    new Decoder(LIMITS, sink).push(repeat(`82 80 ${M}`, 1_000_000));
    expect(messages).toBe(1_000_000);
  });

  it('L-11 takes 65 536 fragments in one read', () => {
    const flood = Buffer.concat([
      hex(`02 81 ${M} 61`),
      repeat(`00 81 ${M} 61`, 65_534),
      hex(`80 81 ${M} 61`),
    ]);
    expect(decode([flood])).toEqual([binary('61'.repeat(65_536))]);
  });

  it('counts the frames of a message up to maxFragments', () => {
    const limits = { maxPayload: 100, maxFragments: 4 };
    const message = (frames: number): Buffer =>
      Buffer.concat([
        hex(`01 81 ${M} 61`),
        repeat(`00 81 ${M} 61`, frames - 2),
        hex(`80 81 ${M} 61`),
      ]);
    expectEveryWay(message(4), [text('aaaa')], limits);
    expectEveryWay(message(5), [fault(1008)], limits);
    expectEveryWay(Buffer.concat([message(4), message(4)]), [text('aaaa'), text('aaaa')], limits);
  });

  it('does not count control frames as frames of the message', () => {
    const bytes = Buffer.concat([
      hex(`01 81 ${M} 61`),
      repeat(`8a 80 ${M}`, 10),
      hex(`80 81 ${M} 62`),
    ]);
    const heard = [...Array<string>(10).fill(pong()), text('ab')];
    expectEveryWay(bytes, heard, { maxPayload: 100, maxFragments: 2 });
  });

  it('counts an empty fragment as eight', () => {
    const start = hex(`02 81 ${M} 61`);
    const fragments = (empty: number): Buffer =>
      Buffer.concat([start, repeat(`00 80 ${M}`, empty), hex(`80 81 ${M} 62`)]);
    expectEveryWay(fragments(2), [binary('6162')], { maxPayload: 100, maxFragments: 18 });
    expectEveryWay(fragments(2), [fault(1008)], { maxPayload: 100, maxFragments: 17 });
  });

  it('F-2 ends a message of empty fragments that never ends', () => {
    const endless = Buffer.concat([hex(`02 80 ${M}`), repeat(`00 80 ${M}`, 100_000)]);
    const allocated = allocationsOf(() => {
      expect(decode([endless])).toEqual([fault(1008)]);
    });
    expect(sum(allocated)).toBeLessThan(64 << 10);
  });

  it('F-1 holds at most twice the payload of one-byte fragments', () => {
    const flood = Buffer.concat([hex(`02 81 ${M} 61`), repeat(`00 81 ${M} 61`, 16_000)]);
    const allocated = allocationsOf(() => {
      expect(decode([flood, hex(`80 80 ${M}`)])).toEqual([binary('61'.repeat(16_001))]);
    });
    expect(Math.max(...allocated)).toBeLessThanOrEqual(2 * 16_001 + 4096);
  });

  it('F-3 holds what was received of a long frame, not what was declared', () => {
    const limits = { maxPayload: 200 << 20, maxFragments: 100 };
    const header = hex(`82 ff 0000000006400000 ${M}`);
    const allocated = allocationsOf(() => {
      expect(decode([header, ...Array<Buffer>(4000).fill(hex('61'))], limits)).toEqual([]);
    });
    // The drip itself asks for none of these: Buffer.from is not among what is counted.
    expect(Math.max(...allocated)).toBeGreaterThanOrEqual(4000);
    expect(Math.max(...allocated)).toBeLessThanOrEqual(2 * 4000 + 4096);
  });

  it.each([12, 13, 14, 15, 16, 17])('F-4 works in proportion to 2^%i fragments', (power) => {
    const count = 2 ** power;
    const limits = { maxPayload: 1 << 20, maxFragments: count + 8 };
    const flood = Buffer.concat([hex(`02 81 ${M} 61`), repeat(`00 81 ${M} 61`, count - 1)]);
    const heard: string[] = [];
    const allocated = allocationsOf(() => {
      heard.push(...decode([flood, hex(`80 80 ${M}`)], limits));
    });
    expect(heard).toEqual([binary('61'.repeat(count))]);
    // Each buffer is filled once from the one before: the copied bytes are below this sum.
    expect(sum(allocated)).toBeLessThanOrEqual(4 * count + 4096);
  });

  it('F-6 takes a lawful message of 4 MiB in fragments of 64 bytes', () => {
    const limits = { maxPayload: 16 << 20, maxFragments: 1 << 20 };
    const payload = Buffer.alloc(64, 'abcdefgh');
    const fragment = clientFrame({ first: 0x00, payload, key: '37fa213d' });
    const bytes = Buffer.concat([
      clientFrame({ first: 0x01, payload, key: '37fa213d' }),
      ...Array<Buffer>(65_534).fill(fragment),
      clientFrame({ first: 0x80, payload, key: '37fa213d' }),
    ]);
    const expected = text('abcdefgh'.repeat(1 << 19));
    for (const size of [bytes.length, 65_536, 1000]) {
      const at = Array.from({ length: bytes.length / size }, (_, i) => i * size);
      expect(decode(cut(bytes, at), limits)[0] === expected).toBe(true);
    }
  });
});

describe('F-5 memory that is handed on', () => {
  /** A read of 64 KiB, in memory of its own as a socket gives it. */
  const read = (...frames: Buffer[]): Buffer => {
    const chunk = Buffer.allocUnsafeSlow(65_536);
    const used = Buffer.concat(frames).copy(chunk);
    return chunk.subarray(0, used);
  };

  const payloadsOf = (chunk: Buffer): Buffer[] => {
    const payloads: Buffer[] = [];
    const keep = (payload: Buffer): number => payloads.push(payload);
    new Decoder(LIMITS, { ...listener([]), onMessage: (data) => keep(data as Buffer) }).push(chunk);
    return payloads;
  };

  it('does not let a message of ten bytes pin a read of 64 KiB', () => {
    const chunk = read(clientFrame({ first: 0x82, payload: '0123456789' }));
    const [payload] = payloadsOf(chunk);
    expect(payload).toEqual(Buffer.from('0123456789'));
    expect(payload?.buffer === chunk.buffer).toBe(false);
    expect(payload?.buffer.byteLength).toBeLessThanOrEqual(8192);
  });

  it('hands on a payload that fills a quarter of its read without copying it', () => {
    for (const [length, isInPlace] of [
      [16_384, true],
      [16_383, false],
    ] as const) {
      const chunk = read(clientFrame({ first: 0x82, payload: Buffer.alloc(length, 7) }));
      const [payload] = payloadsOf(chunk);
      expect(payload?.equals(Buffer.alloc(length, 7))).toBe(true);
      expect(payload?.buffer === chunk.buffer).toBe(isInPlace);
    }
  });

  it('holds no read while a message is open, however the reads are filled up', () => {
    const heard: string[] = [];
    const decoder = new Decoder(LIMITS, listener(heard));
    const pongs = repeat(`8a 80 ${M}`, 1000);
    for (let fragment = 0; fragment < 4000; fragment++) {
      const chunk = Buffer.concat([
        hex(`${fragment === 0 ? '02' : '00'} 81 ${M} 61`),
        pongs.subarray(0, 600),
      ]);
      decoder.push(chunk);
      // A piece that was kept as a view would change with the read it lies in.
      chunk.fill(0xff);
    }
    decoder.push(hex(`80 80 ${M}`));
    expect(heard.at(-1)).toBe(binary('61'.repeat(4000)));
    expect(heard).toHaveLength(400_001);
  });

  it('holds no read for half a control frame or half a header', () => {
    const heard: string[] = [];
    const decoder = new Decoder(LIMITS, listener(heard));
    const bytes = hex('89 85 37fa213d 7f9f4d5158');
    for (const chunk of [...cut(bytes, [3, 8]), ...cut(bytes, [1, 9])]) {
      decoder.push(chunk);
      chunk.fill(0xff);
    }
    expect(heard).toEqual([ping('48656c6c6f'), ping('48656c6c6f')]);
  });

  it('asks for none where a frame lies whole in its read', () => {
    const bytes = hex(`89 80 ${M} 8a 82 ${M} 6162 81 83 ${M} 616263 89 80 ${M}`);
    const heard: string[] = [];
    const decoder = new Decoder(LIMITS, listener(heard));
    expect(allocationsOf(() => decoder.push(bytes))).toEqual([]);
    expect(heard).toEqual([ping(), pong('6162'), text('abc'), ping()]);
  });

  it('asks for none when it is halted at the end of a read', () => {
    const decoder: Decoder = new Decoder(LIMITS, {
      ...listener([]),
      onPing: () => decoder.halt(),
    });
    const pushes = [hex(`89 80 ${M}`), hex(`81 81 ${M} 62`)];
    expect(allocationsOf(() => pushes.forEach((chunk) => decoder.push(chunk)))).toEqual([]);
  });

  it('does not let a short rest pin its read while halted', () => {
    const heard: string[] = [];
    const decoder: Decoder = new Decoder(LIMITS, {
      ...listener(heard),
      onPing: () => decoder.halt(),
    });
    const chunk = read(hex(`89 80 ${M} 81 81 ${M} 62`));
    decoder.push(chunk);
    chunk.fill(0xff);
    decoder.resume();
    expect(heard).toEqual([text('b')]);
  });
});

// A message may lie in the read it came in. Its handler passed the memory on to a worker, and with it
// went what had come of the next message: other bytes of ours were told of in its place.
it('keeps a message that has begun in a read whose memory is given away', () => {
  const messages: Buffer[] = [];
  const onMessage = (data: unknown): unknown => messages.push(data as Buffer);
  const decoder = new Decoder({ ...LIMITS, maxPayload: 200_000 }, { ...listener([]), onMessage });
  const [small, large] = [Buffer.alloc(20_000, 'a'), Buffer.alloc(100_000, 'b')];
  const stream = Buffer.concat([
    clientFrame({ first: 0x82, payload: small }),
    clientFrame({ first: 0x82, payload: large }),
  ]);
  for (let at = 0; at < stream.length; at += 65_536) {
    decoder.push(Buffer.from(Uint8Array.from(stream.subarray(at, at + 65_536)).buffer));
    const memory = messages[0]!.buffer as ArrayBuffer;
    if (at === 0) structuredClone(memory, { transfer: [memory] });
  }
  expect(messages).toHaveLength(2);
  expect(large.equals(messages[1]!)).toBe(true);
});

it.each([
  ['small ones share', 100, 300],
  ['one read is', 20_000, 30_000],
])('goes on where handlers give away the memory that %s', (_what, ...lengths) => {
  const heard: number[] = [];
  const decoder = new Decoder(LIMITS, {
    ...listener([]),
    onMessage: (data) => {
      heard.push(data.length);
      const memory = (data as Buffer).buffer as ArrayBuffer;
      structuredClone(memory, { transfer: [memory] });
      decoder.halt();
    },
  });
  for (const length of lengths) {
    const frame = clientFrame({ first: 0x82, payload: Buffer.alloc(length) });
    decoder.push(Buffer.from(Uint8Array.from(frame).buffer));
    decoder.resume();
  }
  expect(heard).toEqual(lengths);
});
