import { Buffer } from 'node:buffer';
import type { Link } from './target';

/** A message as it came, in one frame or in many. */
export interface Received {
  /** FIN left out: RSV1 and the opcode. */
  readonly first: number;
  readonly payload: Buffer;
}

/** The next message from the server; a control frame in its place is an error. */
export async function readMessage(link: Link): Promise<Received> {
  const { first, payload } = await link.peer.readFrame();
  expect([0x01, 0x02, 0x41, 0x42]).toContain(first & 0x7f);
  const parts = [payload];
  for (let fin = first & 0x80; fin === 0;) {
    const next = await link.peer.readFrame();
    expect(next.first & 0x7f).toBe(0);
    parts.push(next.payload);
    fin = next.first & 0x80;
  }
  return { first: first & 0x7f, payload: parts.length === 1 ? payload : Buffer.concat(parts) };
}

/** Compares without printing some megabytes where they differ. */
export function expectSameBytes(actual: Buffer, expected: Buffer): void {
  if (actual.equals(expected)) return;
  const at = expected.findIndex((byte, i) => byte !== actual[i]);
  expect([actual.length, at, actual.toString('hex', at, at + 16)]).toEqual([
    expected.length,
    at,
    expected.toString('hex', at, at + 16),
  ]);
  throw new Error(`${actual.length} bytes instead of ${expected.length}`);
}

/** The closing handshake, begun by the client; then the server ends the connection. */
export async function closeCleanly(link: Link): Promise<void> {
  link.peer.write(Buffer.from('888237fa213d3412', 'hex'));
  expect((await link.peer.readToEnd()).toString('hex')).toBe('880203e8');
  await link.peer.closed;
}
