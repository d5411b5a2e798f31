import { Buffer } from 'node:buffer';

/*
 * Client bytes as a list of frames that need keep no rule, so that a mutation can change one field
 * and leave the rest of the stream readable. Written from RFC 6455 §5.2, apart from the library.
 */

/** Which of the three forms the payload length is written in; a form may be longer than it must. */
export type LengthForm = 7 | 16 | 64;

export interface RawFrame {
  first: number;
  isMasked: boolean;
  form: LengthForm;
  /** What the header says; the payload may be shorter or longer. */
  length: bigint;
  key: number;
  /** Unmasked. */
  payload: Buffer;
}

/** Takes bytes apart; what is no whole frame is left over. */
export function splitFrames(bytes: Buffer): { frames: RawFrame[]; rest: Buffer } {
  const frames: RawFrame[] = [];
  let at = 0;
  for (;;) {
    const found = frameAt(bytes, at);
    if (found === undefined) return { frames, rest: bytes.subarray(at) };
    frames.push(found.frame);
    at = found.end;
  }
}

function frameAt(bytes: Buffer, at: number): { frame: RawFrame; end: number } | undefined {
  const second = bytes[at + 1];
  if (second === undefined) return undefined;
  const isMasked = second >= 0x80;
  const short = second & 0x7f;
  const form: LengthForm = short < 126 ? 7 : short === 126 ? 16 : 64;
  const afterLength = at + 2 + (form === 7 ? 0 : form / 8);
  const start = afterLength + (isMasked ? 4 : 0);
  if (start > bytes.length) return undefined;
  const length = lengthAt(bytes, at, form);
  if (length > BigInt(bytes.length - start)) return undefined;
  const end = start + Number(length);
  const key = isMasked ? bytes.readUInt32BE(afterLength) : 0;
  const payload = xor(bytes.subarray(start, end), key);
  return { frame: { first: bytes.readUInt8(at), isMasked, form, length, key, payload }, end };
}

function lengthAt(bytes: Buffer, at: number, form: LengthForm): bigint {
  if (form === 7) return BigInt(bytes.readUInt8(at + 1) & 0x7f);
  return form === 16 ? BigInt(bytes.readUInt16BE(at + 2)) : bytes.readBigUInt64BE(at + 2);
}

/** The bytes of frames, each as its fields say. */
export function joinFrames(frames: readonly RawFrame[], rest: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([...frames.map(bytesOf), rest]);
}

function bytesOf({ first, isMasked, form, length, key, payload }: RawFrame): Buffer {
  const header = Buffer.alloc(14);
  const mask = isMasked ? 0x80 : 0;
  header[0] = first;
  header[1] = mask | (form === 7 ? Number(length & 0x7fn) : form === 16 ? 126 : 127);
  if (form === 16) header.writeUInt16BE(Number(length & 0xffffn), 2);
  if (form === 64) header.writeBigUInt64BE(length & 0xffff_ffff_ffff_ffffn, 2);
  let end = form === 7 ? 2 : 2 + form / 8;
  if (isMasked) end = header.writeUInt32BE(key, end);
  return Buffer.concat([header.subarray(0, end), xor(payload, isMasked ? key : 0)]);
}

/** The form and length that a payload must have (§5.2: the minimal number of bytes). */
export function fitLength(frame: RawFrame): RawFrame {
  const { length } = frame.payload;
  return { ...frame, length: BigInt(length), form: length < 126 ? 7 : length <= 0xffff ? 16 : 64 };
}

/** A frame that keeps the rules. */
export function frameOf(first: number, payload: Buffer | string, key = 0): RawFrame {
  const body = Buffer.from(payload as string);
  return fitLength({ first, isMasked: true, form: 7, length: 0n, key, payload: body });
}

function xor(bytes: Buffer, key: number): Buffer {
  const out = Buffer.from(bytes);
  for (let at = 0; at < out.length; at++) out[at] = (out[at] ?? 0) ^ (key >>> (24 - 8 * (at % 4)));
  return out;
}
