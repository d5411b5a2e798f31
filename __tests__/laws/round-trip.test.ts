import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { deflateOf, receiveWithWs, Sender, type Agreed } from '../../fuzz/ws-receiver';
import { receiveWithOurs } from '../../fuzz/verdict';
import { Deflater } from '../../lib/protocol/deflater';
import { bytesFrameSize, encodeBytes, encodeText, textFrameRoom } from '../../lib/protocol/encoder';
import { bytes, offsets, unicode } from '../protocol/arbitraries';
import { cut } from '../protocol/every-way';

/** A message or control frame, and how each side writes down that it has heard it. */
interface Said {
  readonly opcode: number;
  readonly payload: string | Buffer;
  readonly heard: string;
}

const say = (opcode: number, name: string, payload: string | Buffer): Said => ({
  opcode,
  payload,
  heard: `${name} ${typeof payload === 'string' ? payload : payload.toString('hex')}`,
});

/** The lengths at which the form of a header changes (§5.2), and both sides of them. */
const EDGES = [0, 1, 125, 126, 127, 65_535, 65_536, 65_537];

const payload = fc.oneof(
  { arbitrary: bytes(200), weight: 4 },
  { arbitrary: fc.constantFrom(...EDGES).map((size) => Buffer.alloc(size, 'ab')), weight: 1 },
);

const said: fc.Arbitrary<Said> = fc.oneof(
  { arbitrary: unicode(80).map((text) => say(0x1, 'text', text)), weight: 3 },
  { arbitrary: payload.map((data) => say(0x2, 'binary', data)), weight: 3 },
  { arbitrary: bytes(125).map((data) => say(0x9, 'ping', data)), weight: 1 },
  { arbitrary: bytes(125).map((data) => say(0xa, 'pong', data)), weight: 1 },
);

const conversation = fc.array(said, { maxLength: 8 });

const MAX_PAYLOAD = 131_072;

/** One frame by our encoder, somewhere inside of a larger memory. */
function encode(first: number, data: string | Buffer, at: number): Buffer {
  const size = typeof data === 'string' ? textFrameRoom(data.length) : bytesFrameSize(data.length);
  const target = Buffer.alloc(at + size + 8, 0xee);
  const end =
    typeof data === 'string'
      ? encodeText(target, at, first, data)
      : encodeBytes(target, at, first, data);
  expect(target.subarray(0, at).every((byte) => byte === 0xee)).toBe(true);
  expect(target.subarray(at + size).every((byte) => byte === 0xee)).toBe(true);
  return target.subarray(at, end);
}

const verdictOf = (all: readonly Said[]): object => ({
  heard: all.map(({ heard }) => heard),
  fault: undefined,
  why: '',
});

const agreement: fc.Arbitrary<Agreed> = fc.record({
  clientTakeover: fc.boolean(),
  serverTakeover: fc.boolean(),
  clientWindowBits: fc.integer({ min: 9, max: 15 }),
  serverWindowBits: fc.integer({ min: 9, max: 15 }),
});

/** Text that repeats itself, across messages, too. */
const wordy = fc.array(
  fc
    .array(fc.constantFrom('alpha ', 'beta ', 'gamma ', '€uro ', '😀 '), { maxLength: 400 })
    .map((words) => words.join('')),
  { maxLength: 6 },
);

describe('what our encoder writes, ws reads', () => {
  it('as frames of any kind and length, cut into any reads', async () => {
    await fc.assert(
      fc.asyncProperty(conversation, fc.nat({ max: 9 }), offsets(2000), async (all, at, cuts) => {
        const frames = all.map((each) => encode(0x80 | each.opcode, each.payload, at));
        const options = { role: 'client', maxPayload: MAX_PAYLOAD, agreed: undefined } as const;
        const verdict = await receiveWithWs(cut(Buffer.concat(frames), cuts), options);
        expect(verdict).toEqual(verdictOf(all));
      }),
      { numRuns: 200 },
    );
  });

  it('as messages in fragments (§5.4)', async () => {
    await fc.assert(
      fc.asyncProperty(payload, offsets(200), offsets(300), async (data, at, cuts) => {
        const parts = cut(data, at);
        const frames = parts.map((part, i) => {
          const fin = i === parts.length - 1 ? 0x80 : 0;
          return encode(fin | (i === 0 ? 0x2 : 0x0), part, i);
        });
        const options = { role: 'client', maxPayload: MAX_PAYLOAD, agreed: undefined } as const;
        const { heard } = await receiveWithWs(cut(Buffer.concat(frames), cuts), options);
        expect(heard).toEqual([`binary ${data.toString('hex')}`]);
      }),
    );
  });

  it('as messages that are compressed on any terms (RFC 7692 §7.2.1)', async () => {
    await fc.assert(
      fc.asyncProperty(
        wordy,
        agreement,
        fc.integer({ min: 1, max: 9 }),
        async (all, agreed, level) => {
          const options = {
            threshold: 0,
            level,
            memLevel: level,
            windowBits: 15,
            contextTakeover: true,
          };
          const deflater = new Deflater(agreed, options);
          const frames = all.map((text) => {
            const compressed = deflater.now(Buffer.from(text));
            return compressed === undefined ? encode(0x81, text, 0) : encode(0xc1, compressed, 0);
          });
          const terms = { role: 'client', maxPayload: MAX_PAYLOAD, agreed } as const;
          const { heard } = await receiveWithWs(frames, terms);
          expect(heard).toEqual(all.map((text) => `text ${text}`));
        },
      ),
    );
  });
});

/** A masked frame by ws. */
function sendWithWs(first: number, data: Buffer, key: Uint8Array): Buffer {
  const frame = Sender.frame(Buffer.from(data), {
    fin: (first & 0x80) !== 0,
    rsv1: (first & 0x40) !== 0,
    opcode: first & 0x0f,
    mask: true,
    readOnly: false,
    generateMask: (mask) => mask.set(key),
  });
  return Buffer.concat(frame.map((part) => Buffer.from(part as string)));
}

const key = fc.uint8Array({ minLength: 4, maxLength: 4 });

describe('what ws sends, masked, our decoder reads', () => {
  it('as frames of any kind and length under any key, cut into any reads', async () => {
    await fc.assert(
      fc.asyncProperty(conversation, key, offsets(2000), async (all, mask, cuts) => {
        const frames = all.map((each) =>
          sendWithWs(0x80 | each.opcode, Buffer.from(each.payload as string), mask),
        );
        const verdict = await receiveWithOurs(
          cut(Buffer.concat(frames), cuts),
          MAX_PAYLOAD,
          undefined,
        );
        expect(verdict).toEqual(verdictOf(all));
      }),
      { numRuns: 200 },
    );
  });

  it('as messages that are compressed on any terms, in fragments, too (RFC 7692 §7.2.2)', async () => {
    await fc.assert(
      fc.asyncProperty(wordy, agreement, key, offsets(900), async (all, agreed, mask, cuts) => {
        const deflate = deflateOf(agreed, 'client', MAX_PAYLOAD);
        const frames: Buffer[] = [];
        for (const text of all) {
          const data = await new Promise<Buffer>((resolve, reject) =>
            deflate.compress(Buffer.from(text), true, (error, result) =>
              error === null ? resolve(Buffer.from(result)) : reject(error),
            ),
          );
          const middle = data.length >> 1;
          frames.push(sendWithWs(0x41, data.subarray(0, middle), mask));
          frames.push(sendWithWs(0x80, data.subarray(middle), mask));
        }
        deflate.cleanup();
        const { heard } = await receiveWithOurs(
          cut(Buffer.concat(frames), cuts),
          MAX_PAYLOAD,
          agreed,
        );
        expect(heard).toEqual(all.map((text) => `text ${text}`));
      }),
    );
  });
});
