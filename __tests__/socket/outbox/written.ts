import { Buffer } from 'node:buffer';
import type { Duplex } from 'node:stream';
import { makeWire, netPair, turns, type Seen, type Wire } from '../wire';

// watchWrites() spies.
afterEach(() => jest.restoreAllMocks());

/** What a transport was given, call by call, as the very Buffers. */
export interface Written {
  readonly chunks: Buffer[];
  /** Whether they were held together by cork(). */
  readonly corked: boolean[];
}

export function watchWrites(transport: Duplex): Written {
  const written: Written = { chunks: [], corked: [] };
  const write = transport.write.bind(transport) as (...args: unknown[]) => boolean;
  jest.spyOn(transport, 'write').mockImplementation((...args: unknown[]) => {
    written.chunks.push(args[0] as Buffer);
    written.corked.push(transport.writableCorked > 0);
    return write(...args);
  });
  return written;
}

export async function overTcp(): Promise<Wire> {
  return makeWire({ pair: await netPair() });
}

/** Bytes that tell by their value which message they are of. */
export const block = (size: number, byte: number): Buffer => Buffer.alloc(size, byte);

/** The first byte and the length of each frame that came. */
export const shapes = ({ peer }: Wire): [number, number][] =>
  peer.frames.map(({ first, payload }) => [first, payload.length]);

/** Whether every byte of a payload is the first one: nothing was written over it. */
export const isWhole = ({ payload }: Seen): boolean =>
  payload.equals(block(payload.length, payload[0] ?? 0));

export const areWhole = ({ peer }: Wire): boolean => peer.frames.every(isWhole);

/** Sends to a peer that does not read until the kernel takes no more; how many messages it took. */
export async function fill(wire: Wire, parts: readonly number[] = [8000, 8000]): Promise<number> {
  wire.peer.pause();
  let count = 0;
  for (; wire.transport.writableLength === 0 && count < 20_000; count += parts.length) {
    for (const [at, size] of parts.entries()) wire.socket.send(block(size, (count + at) % 251));
    await turns(1);
  }
  expect(wire.transport.writableLength).toBeGreaterThan(0);
  return count;
}
