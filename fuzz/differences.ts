import { Buffer } from 'node:buffer';
import { constants, inflateRawSync } from 'node:zlib';
import type { Verdict } from './verdict';

/** Bytes of a client, and what is known of them by the plainest of parsers. */
export interface Facts {
  /** A length is written in more bytes than it needs (§5.2). */
  readonly isLengthLong: boolean;
  /** What has come of a text message cannot become UTF-8 any more (§8.1). */
  readonly isTextHopeless: boolean;
  /** The bytes end inside of a header or a payload. */
  readonly isCutShort: boolean;
  /** A message is compressed (RFC 7692 §6). */
  readonly isCompressed: boolean;
  /** A compressed message is in more than one frame. */
  readonly isCompressedInFragments: boolean;
  /** A compressed message ends inside of a block, holds a final one, or is no deflate data. */
  readonly isOddlyCompressed: boolean;
}

/** Where this library and `ws` read the same bytes differently, and which clause leaves or takes the choice. */
export interface Difference {
  readonly name: string;
  readonly clause: string;
  readonly here: string;
  readonly there: string;
  /** Whether the two verdicts, which are not the same, differ for this reason. */
  explains(ours: Verdict, theirs: Verdict, facts: Facts): boolean;
}

export const DIFFERENCES: readonly Difference[] = [
  {
    name: 'length in its shortest form',
    clause: 'RFC 6455 §5.2: "the minimal number of bytes MUST be used to encode the length"',
    here: '1002 once the header is complete',
    there: 'the length is taken',
    explains: (ours, _theirs, facts) => facts.isLengthLong && ours.why.includes('is not minimal'),
  },
  {
    name: 'text that cannot become UTF-8',
    clause: 'RFC 6455 §8.1; Autobahn 6.4 calls both strict enough, the first one fail-fast',
    here: '1007 at the octet, also inside of a frame or a fragmented message',
    there: '1007 when the message is complete',
    explains: (ours, theirs, facts) =>
      facts.isTextHopeless && ours.fault === 1007 && isAhead(ours, theirs),
  },
  {
    name: 'a header is judged whole',
    clause: 'RFC 6455 §5.2 has no order of checks; §7.1.7 allows to fail at any time',
    here: 'the length is judged when the masking key has come, a close of one byte when the byte has',
    there: 'both are judged when the length has come',
    explains: (ours, theirs, facts) =>
      facts.isCutShort && ours.fault === undefined && [1002, 1009].includes(theirs.fault ?? 0),
  },
  {
    name: 'a compressed message is inflated whole',
    clause: 'RFC 7692 §6.2: the payload of the frames is joined, then decompressed',
    here: '1007 and 1009 when the message is complete; control frames in between are told first',
    there: 'each frame is inflated by itself, and may fail before the message is complete',
    explains: (ours, theirs, facts) =>
      facts.isCompressedInFragments &&
      [1007, 1009].includes(theirs.fault ?? 0) &&
      isAhead(theirs, ours),
  },
  {
    name: 'the limit of a compressed message',
    clause: 'none; maxPayload is a limit of either library',
    here: 'of what it inflates to; on the wire it may be larger by what stored blocks add',
    there: 'of both, on the wire and inflated',
    explains: (_ours, theirs, facts) => facts.isCompressed && theirs.fault === 1009,
  },
  {
    name: 'how a compressed message ends',
    clause: 'RFC 7692 §7.2.1 and §7.2.3.4: at the end of a block; final blocks may come before',
    here: '1007 where it ends inside of a block; what follows a final block is inflated, too',
    there: 'what came out so far is the message',
    explains: (ours, theirs, facts) =>
      facts.isOddlyCompressed &&
      (ours.fault === theirs.fault ||
        ours.why.includes('cannot be inflated') ||
        [ours.fault, theirs.fault].every(isOfPayload)),
  },
];

/** Whether everything that the first heard, the second heard, too: it failed no later. */
function isAhead(first: Verdict, second: Verdict): boolean {
  return first.heard.every((line, at) => line === second.heard[at]);
}

const isOfPayload = (fault: number | undefined): boolean =>
  fault === undefined || fault === 1007 || fault === 1009;

/** A message of the client, as far as it has come. */
interface Message {
  readonly first: number;
  readonly parts: Buffer[];
  /** Its last frame has not come. */
  isOpen: boolean;
  /** It is in more than one frame. */
  isCut: boolean;
}

const isText = ({ first }: Message): boolean => (first & 0x0f) === 1;
const isCompressed = ({ first }: Message): boolean => (first & 0x40) !== 0;
const payloadOf = ({ parts }: Message): Buffer => Buffer.concat(parts);

/** Reads what a rule has to know, frame by frame, without judging. */
export function factsOf(bytes: Buffer, takeover: boolean): Facts {
  const messages: Message[] = [];
  let isLengthLong = false;
  let at = 0;
  for (let frame = frameAt(bytes, at); frame !== undefined; frame = frameAt(bytes, at)) {
    isLengthLong ||= frame.isLong;
    if ((frame.first & 0x08) === 0) gather(messages, frame, bytes);
    at = frame.end;
  }
  const compressed = messages.filter(isCompressed);
  return {
    isLengthLong,
    isTextHopeless: messages.some(
      (each) => isText(each) && !isCompressed(each) && isHopeless(payloadOf(each)),
    ),
    isCutShort: at !== bytes.length,
    isCompressed: compressed.length > 0,
    isCompressedInFragments: compressed.some(({ isCut }) => isCut),
    isOddlyCompressed: isOdd(compressed.map(payloadOf), takeover),
  };
}

function gather(messages: Message[], { first, start, end }: Bounds, bytes: Buffer): void {
  if ((first & 0x0f) !== 0) messages.push({ first, parts: [], isOpen: true, isCut: false });
  const message = messages.at(-1);
  if (message?.isOpen !== true) return;
  message.isOpen = first < 0x80;
  message.isCut ||= message.isOpen;
  message.parts.push(unmask(bytes, start, Math.min(end, bytes.length)));
}

/** RFC 7692 §7.2.2 step 1, and an empty final block, which is only reached at the end of a block. */
const FLUSH_END = Buffer.from([0x00, 0x00, 0xff, 0xff]);
const FINAL_BLOCK = Buffer.from([0x03, 0x00]);

function isOdd(payloads: readonly Buffer[], takeover: boolean): boolean {
  return payloads.some((payload, index) => {
    const before = takeover ? payloads.slice(0, index) : [];
    const flushed = Buffer.concat([...before, payload].flatMap((each) => [each, FLUSH_END]));
    const ended = Buffer.concat([flushed, FINAL_BLOCK]);
    try {
      const open = inflate(flushed, constants.Z_SYNC_FLUSH);
      const whole = inflate(ended, constants.Z_FINISH);
      // The last two octets must have been a block of their own, and nothing that was meant as data.
      return whole.taken < ended.length || whole.length !== open.length;
    } catch {
      return true;
    }
  });
}

function inflate(stream: Buffer, finishFlush: number): { length: number; taken: number } {
  const options = { finishFlush, maxOutputLength: 1 << 24, info: true };
  // The types leave out what `info` adds.
  const result: unknown = inflateRawSync(stream, options);
  const { buffer, engine } = result as { buffer: Buffer; engine: { bytesWritten: number } };
  return { length: buffer.length, taken: engine.bytesWritten };
}

interface Bounds {
  readonly first: number;
  readonly start: number;
  readonly end: number;
  readonly isLong: boolean;
}

function frameAt(bytes: Buffer, at: number): Bounds | undefined {
  const [first, second] = [bytes[at], bytes[at + 1]];
  if (first === undefined || second === undefined) return undefined;
  const short = second & 0x7f;
  const size = short < 126 ? 0 : short === 126 ? 2 : 8;
  const start = at + 2 + size + 4;
  if (start > bytes.length) return undefined;
  const written = size === 0 ? String(short) : `0x${bytes.toString('hex', at + 2, at + 2 + size)}`;
  const length = Number(BigInt(written));
  const isLong = (size === 2 && length < 126) || (size === 8 && length <= 0xffff);
  return { first, start, end: start + length, isLong };
}

function unmask(bytes: Buffer, start: number, end: number): Buffer {
  const key = bytes.subarray(start - 4, start);
  return Buffer.from(bytes.subarray(start, end).map((byte, at) => byte ^ key.readUInt8(at % 4)));
}

function isHopeless(text: Buffer): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(text, { stream: true });
    return false;
  } catch {
    return true;
  }
}

/** The verdicts agree, or differ for a reason that is written down; `undefined` is a finding. */
export function explain(
  { bytes, takeover }: { readonly bytes: Buffer; readonly takeover: boolean },
  ours: Verdict,
  theirs: Verdict,
): 'the same' | Difference | undefined {
  const isSame = ours.fault === theirs.fault && ours.heard.join('\n') === theirs.heard.join('\n');
  if (isSame) return 'the same';
  const facts = factsOf(bytes, takeover);
  return DIFFERENCES.find((difference) => difference.explains(ours, theirs, facts));
}
