import { Buffer } from 'node:buffer';
import type { ServerFrame } from '../../scenarios/support/peer';
import { closed } from '../../protocol/every-way';

/*
 * What a server has said, as one line a message or control frame. Read strictly: RFC 6455 §5 binds
 * a server no less than a client.
 */

/** Turns the payload of a message with RSV1 into what it means. */
export type Inflate = (payload: Buffer) => Buffer;

const noExtension: Inflate = () => {
  throw new Error('RSV1 set, and no extension was agreed on (§5.2)');
};

/** Takes a server's bytes apart; a byte that no frame owns is an error. */
export function readFrames(bytes: Buffer): ServerFrame[] {
  const frames: ServerFrame[] = [];
  for (let at = 0; at < bytes.length;) {
    const { start, end } = extent(bytes, at);
    if (end > bytes.length) throw new Error(`cut short: ${bytes.toString('hex', at, at + 32)}`);
    frames.push({ first: bytes[at]!, payload: bytes.subarray(start, end) });
    at = end;
  }
  return frames;
}

/** Where the payload of the frame at `at` begins and ends. */
function extent(bytes: Buffer, at: number): { start: number; end: number } {
  const second = bytes[at + 1] ?? 0;
  if (second > 0x7f) throw new Error('a server does not mask (§5.1)');
  if (second < 126) return { start: at + 2, end: at + 2 + second };
  if (second === 126) {
    const length = bytes.readUInt16BE(at + 2);
    if (length < 126) throw new Error('length not in its shortest form (§5.2)');
    return { start: at + 4, end: at + 4 + length };
  }
  const length = Number(bytes.readBigUInt64BE(at + 2));
  if (length < 65_536) throw new Error('length not in its shortest form (§5.2)');
  return { start: at + 10, end: at + 10 + length };
}

/** The lines of these frames; a frame that a server must not send is an error. */
export function transcript(
  frames: readonly ServerFrame[],
  inflate: Inflate = noExtension,
): string[] {
  const lines: string[] = [];
  let open: ServerFrame[] = [];
  for (const frame of frames) {
    if (lines.at(-1)?.startsWith('close') === true) throw new Error('sent after a close (§5.5.1)');
    if ((frame.first & 0x08) !== 0) {
      lines.push(controlLine(frame));
      continue;
    }
    if (((frame.first & 0x0f) === 0) !== open.length > 0) throw new Error('out of order (§5.4)');
    open.push(frame);
    if ((frame.first & 0x80) === 0) continue;
    lines.push(messageLine(open, inflate));
    open = [];
  }
  return lines;
}

function controlLine({ first, payload }: ServerFrame): string {
  if (payload.length > 125) throw new Error('control frame above 125 bytes (§5.5)');
  switch (first) {
    case 0x88:
      if (payload.length === 1) throw new Error('close body of one byte (§5.5.1)');
      return payload.length === 0
        ? closed(1005)
        : closed(payload.readUInt16BE(), decodeUtf8(payload.subarray(2)));
    case 0x89:
      return `ping ${payload.toString('hex')}`;
    case 0x8a:
      return `pong ${payload.toString('hex')}`;
    default:
      throw new Error(`no control frame starts with ${first.toString(16)} (§5.2)`);
  }
}

function messageLine(frames: readonly ServerFrame[], inflate: Inflate): string {
  const first = frames[0]!.first & 0x7f;
  if (frames.slice(1).some((frame) => (frame.first & 0x7f) !== 0)) {
    throw new Error('a continuation has no bits but FIN (§5.4; RFC 7692 §6)');
  }
  const joined = Buffer.concat(frames.map((frame) => frame.payload));
  const payload = (first & 0x40) === 0 ? joined : inflate(joined);
  const opcode = first & ~0x40;
  if (opcode === 0x1) return `text ${JSON.stringify(decodeUtf8(payload))}`;
  if (opcode === 0x2) return `binary ${payload.toString('hex')}`;
  throw new Error(`no data frame starts with ${first.toString(16)} (§5.2)`);
}

/** Strict: what is not UTF-8 must not come from a server (§8.1). */
export function decodeUtf8(bytes: Buffer): string {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
}
