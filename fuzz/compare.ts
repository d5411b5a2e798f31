import { Buffer } from 'node:buffer';
import { explain, type Difference } from './differences';
import { mutate } from './mutate';
import type { Random } from './random';
import { decoder } from './targets/decoder';
import { receiveWithOurs, type Verdict } from './verdict';
import { receiveWithWs, type Agreed } from './ws-receiver';

/** One stream, read by both. */
export interface Comparison {
  readonly bytes: Buffer;
  readonly ours: Verdict;
  readonly theirs: Verdict;
  readonly outcome: 'the same' | Difference | undefined;
}

const MAX_PAYLOAD = 65_536;

/** What the first byte of an input chooses. */
function agreedOn(choice: number): Agreed | undefined {
  if ((choice & 0x10) === 0) return undefined;
  return {
    clientTakeover: (choice & 0x20) !== 0,
    serverTakeover: true,
    clientWindowBits: (choice & 0x40) === 0 ? 15 : 9,
    serverWindowBits: 15,
  };
}

/** Has both read an input of the decoder's, whole. */
export async function compare(input: Buffer): Promise<Comparison> {
  const bytes = input.subarray(decoder.settings);
  const agreed = agreedOn(input[0] ?? 0);
  const ours = await receiveWithOurs([Buffer.from(bytes)], MAX_PAYLOAD, agreed);
  const options = { role: 'server', maxPayload: MAX_PAYLOAD, agreed } as const;
  const takeover = agreed?.clientTakeover === true;
  const theirs = await receiveWithWs([Buffer.from(bytes)], options);
  return { bytes, ours, theirs, outcome: explain({ bytes, takeover }, ours, theirs) };
}

/** Streams without end: each is a mutation of one that came before. */
export async function* comparisons(
  random: Random,
  seeds: readonly Buffer[],
): AsyncGenerator<Comparison> {
  const pool = [...seeds];
  for (;;) {
    const input = mutate(random, decoder, random.pick(pool), random.pick(pool));
    const found = await compare(input);
    // What both read to its end is worth going on from.
    if (found.ours.fault === undefined && found.ours.heard.length > 0) {
      pool[random.once(4) ? random.int(pool.length) : pool.length] = input;
      if (pool.length > 2000) pool.splice(random.int(1000), 500);
    }
    yield found;
  }
}
