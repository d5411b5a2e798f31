import { Buffer } from 'node:buffer';
import { constants, deflateRawSync } from 'node:zlib';
import { comparisons, compare } from '../../fuzz/compare';
import { DIFFERENCES } from '../../fuzz/differences';
import { Random } from '../../fuzz/random';
import { decoder } from '../../fuzz/targets/decoder';
import { clientFrame, hex } from '../support/bytes';
import { storedInputs } from './stored';

/** Enough to meet every difference that is written down but the rarest. */
const STREAMS = 4000;

const show = ({ bytes, ours, theirs }: Awaited<ReturnType<typeof compare>>): object => ({
  bytes: bytes.toString('hex'),
  ours,
  theirs,
});

describe('the same bytes, read by ws', () => {
  it('have the same meaning, or one that differs for a reason that is written down', async () => {
    const random = new Random(20_260_101);
    const seeds = [...decoder.seeds, ...storedInputs('corpus', decoder.name)];
    const met = new Map<unknown, number>();
    for await (const found of comparisons(random, seeds)) {
      if (found.outcome === undefined) expect(show(found)).toBe('explained');
      met.set(found.outcome, (met.get(found.outcome) ?? 0) + 1);
      if ([...met.values()].reduce((sum, count) => sum + count) === STREAMS) break;
    }
    // Most of what comes means something, and is not a difference.
    expect(met.get('the same')).toBeGreaterThan(STREAMS / 2);
    expect(met.size).toBeGreaterThan(3);
  }, 60_000);

  it.each([
    ['length in its shortest form', '0c00 82fe0001 00000000 61'],
    ['text that cannot become UTF-8', '0c00 0182 00000000 f490'],
    ['a header is judged whole', '0c00 82ff 0000000010000001'],
    ['a header is judged whole', '0c00 8881 00000000'],
    ['a compressed message is inflated whole', '1c00 4182 00000000 ffff'],
    ['how a compressed message ends', '1c00 c184 00000000 f248cdc9 8180 00000000'],
  ])('differ for this reason: %s, for example %s', async (name, digits) => {
    const { outcome } = await compare(hex(digits));
    expect(outcome).toMatchObject({ name });
  });

  it('differ for this reason: the limit of a compressed message', async () => {
    // Stored blocks: a little larger on the wire than the limit of both, and the limit once inflated.
    const flushed = deflateRawSync(Buffer.alloc(65_536, 'ab'), {
      level: 0,
      finishFlush: constants.Z_SYNC_FLUSH,
    });
    const frame = clientFrame({ first: 0xc2, payload: flushed.subarray(0, -4) });
    const { ours, theirs, outcome } = await compare(Buffer.concat([hex('1c00'), frame]));
    expect([ours.fault, theirs.fault]).toEqual([undefined, 1009]);
    expect(outcome).toMatchObject({ name: 'the limit of a compressed message' });
  });

  it('every difference has its clause', () => {
    for (const { clause } of DIFFERENCES) expect(clause).toMatch(/§|none/);
  });
});
