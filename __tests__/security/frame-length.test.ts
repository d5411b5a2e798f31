import { constants } from 'node:buffer';
import { handshake, Peer } from '../scenarios/support/peer';
import { stopAll } from '../scenarios/support/server';
import { hex } from '../support/bytes';
import { describeAttacks } from './describe-attacks';
import { watch, type Attack } from './frame-attack';
import { weakened, type Weakening } from './weakened';

const M = '00000000';

const noMaxPayload: Weakening = {
  file: 'protocol/frame.ts',
  replace: 'if (size > maxPayload) throw tooBig(',
  by: 'if (size === -1) throw tooBig(',
};
const noMaxLength: Weakening = {
  file: 'protocol/frame.ts',
  replace: 'if (size > possible) throw tooBig(',
  by: 'if (size === -1) throw tooBig(',
};
const halvesUnchecked: Weakening = {
  file: 'protocol/frame.ts',
  replace: 'if (high > 0x1fffff) throw',
  by: 'if (high === -1) throw',
};
const truncated: Weakening = {
  file: 'protocol/frame.ts',
  replace: 'return high * 0x1_0000_0000 + low;',
  by: 'return low;',
};
const noSum: Weakening = {
  file: 'protocol/decoder.ts',
  replace: 'const size = (assembly?.length ?? 0) + length;',
  by: 'const size = length;',
};
const anyForm16: Weakening = {
  file: 'protocol/frame.ts',
  replace: 'if (length < LENGTH_16) throw',
  by: 'if (length === -1) throw',
};
const anyForm64: Weakening = {
  file: 'protocol/frame.ts',
  replace: 'if (high === 0 && low <= 0xffff) throw',
  by: 'if (high === -1) throw',
};
/** The limit is applied only to frames that lie whole inside of a read. */
const wholeFramesOnly: Weakening = {
  file: 'protocol/decoder.ts',
  replace: 'if (!isControl(opcodeOf(first))) this.#checkLimits(length);',
  by: 'if (!isControl(opcodeOf(first)) && end + length <= header.length) this.#checkLimits(length);',
};
const noLengthLimit = [noMaxPayload, noMaxLength, halvesUnchecked];

const tooBig = ['fault 1009'];

/** L-1: told by the header, and by nothing behind it. */
const lengths: readonly Attack[] = [
  ['the top bit alone', '82 FF 80 00 00 00 00 00 00 00', noLengthLimit],
  ['all bits', '82 FF FF FF FF FF FF FF FF FF', noLengthLimit],
  ['the largest with a sign', '82 FF 7F FF FF FF FF FF FF FF', noLengthLimit],
  ['2^53', '82 FF 00 20 00 00 00 00 00 00', noLengthLimit],
  ['what a sign extends', '82 FF 00 80 00 00 00 00 00 01', noLengthLimit],
  ['2^32 + 1', '82 FF 00 00 00 01 00 00 00 01', [truncated, anyForm64]],
  ['maxPayload + 1', '82 FF 00 00 00 00 00 10 00 01', [noMaxPayload]],
  ['maxPayload + 1 as text', '81 FF 00 00 00 00 00 10 00 01', [noMaxPayload]],
].map(([what, digits, without]) => ({
  name: `L-1 a length of ${what as string}`,
  bytes: hex(`${digits as string} ${M}`),
  hears: tooBig,
  without: without as Weakening[],
}));

const kib = '61'.repeat(1024);

const sums: readonly Attack[] = [
  {
    name: 'L-2 two fragments of half of maxPayload and one byte more',
    bytes: hex(`02 FE 01F5 ${M} ${'61'.repeat(501)} 80 FE 01F5 ${M}`),
    hears: tooBig,
    without: [noSum],
    options: { maxPayload: 1000 },
  },
  {
    name: 'L-2 fragments of 1 KiB until the sum is above maxPayload',
    bytes: hex(`02 FE 0400 ${M} ${kib} ${`00 FE 0400 ${M} ${kib}`.repeat(3)} 00 81 ${M}`),
    hears: tooBig,
    without: [noSum],
    options: { maxPayload: 4096 },
  },
  {
    name: 'L-2 a length that overflows the sum',
    bytes: hex(`02 81 ${M} 61 00 FF 7FFFFFFFFFFFFFFF ${M}`),
    hears: tooBig,
    without: noLengthLimit,
  },
  {
    name: 'L-2 a length that overflows a sum of 32 bits',
    bytes: hex(`02 82 ${M} 6161 00 FF 00000000FFFFFFFF ${M}`),
    hears: tooBig,
    without: [noMaxPayload, noMaxLength],
  },
];

const forms: readonly Attack[] = [
  ['1 in 16 bits', `82 FE 0001 ${M} 61`, [anyForm16]],
  ['125 in 16 bits', `82 FE 007D ${M} ${'61'.repeat(125)}`, [anyForm16]],
  ['1 in 64 bits', `82 FF 0000000000000001 ${M} 61`, [anyForm64]],
  ['65535 in 64 bits', `82 FF 000000000000FFFF ${M} 6161`, [anyForm64]],
  ['nothing in 64 bits', `82 FF 0000000000000000 ${M}`, [anyForm64]],
].map(([what, digits, without]) => ({
  name: `L-4 a length that is not minimal: ${what as string}`,
  bytes: hex(digits as string),
  hears: ['fault 1002'],
  without: without as Weakening[],
}));

const dribbled: readonly Attack[] = [
  {
    name: 'L-10 a frame above maxPayload in pieces',
    bytes: hex(`82 FE 03E9 ${M} 616161`),
    hears: tooBig,
    without: [wholeFramesOnly],
    options: { maxPayload: 1000 },
  },
  {
    name: 'L-10 a fragment above the rest of maxPayload in pieces',
    bytes: hex(`02 81 ${M} 61 80 FE 03E8 ${M} 616161`),
    hears: tooBig,
    without: [wholeFramesOnly],
    options: { maxPayload: 1000 },
  },
  {
    name: 'L-10 a frame above maxPayload, all of it',
    bytes: hex(`82 8B ${M} ${'61'.repeat(11)}`),
    hears: tooBig,
    without: [wholeFramesOnly],
    cutInControl: 'dripped',
    options: { maxPayload: 10 },
  },
];

const strings: readonly Attack[] = [
  {
    name: 'L-13 text above what a string can hold',
    bytes: Buffer.concat([hex('81 FF'), uint64(constants.MAX_STRING_LENGTH + 1), hex(M)]),
    hears: tooBig,
    without: [noMaxLength],
    options: { maxPayload: 2 ** 30 },
  },
  {
    name: 'L-13 text above what a string can hold, by its fragments',
    bytes: Buffer.concat([hex(`01 81 ${M} 61 00 FF`), uint64(constants.MAX_STRING_LENGTH), hex(M)]),
    hears: tooBig,
    without: [noMaxLength],
    options: { maxPayload: 2 ** 30 },
  },
];

const attacks = [...lengths, ...sums, ...forms, ...dribbled, ...strings];
afterEach(stopAll);

describeAttacks(attacks);

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

describe('L-3 the handshakes of drafts 75 and 76', () => {
  const draft76 = {
    'Sec-WebSocket-Key': undefined,
    'Sec-WebSocket-Version': undefined,
    'Sec-WebSocket-Key1': '4 @1  46546xW%0l 1 5',
    'Sec-WebSocket-Key2': '12998 5 Y3 1  .P00',
  };
  const anyKey: Weakening = {
    file: 'protocol/handshake.ts',
    replace: "if (!isKey(fields.get('sec-websocket-key'))) {",
    by: "if (isKey(fields.get('sec-websocket-key'))) {",
  };
  const anyVersion: Weakening = {
    file: 'protocol/handshake.ts',
    replace: "if (fields.get('sec-websocket-version') !== VERSION) {",
    by: 'if (false) {',
  };

  async function statusOf(...without: readonly Weakening[]): Promise<string> {
    const { port } = await watch(weakened(...without));
    const peer = await Peer.connect(port);
    // Draft 76 sends eight bytes behind its request, and draft 75 frames between 00 and FF.
    peer.write(handshake('/', draft76), hex('5E6E3A3423742A29'), hex('00 48 69 FF'));
    return (await peer.readHead()).slice(0, 'HTTP/1.1 400'.length);
  }

  it('L-3 are 400', async () => {
    expect(await statusOf()).toBe('HTTP/1.1 400');
  });

  it('L-3 are not without the checks of version and key', async () => {
    expect(await statusOf(anyKey, anyVersion)).not.toBe('HTTP/1.1 400');
  });
});
