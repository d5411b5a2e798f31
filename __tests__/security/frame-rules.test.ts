import { Peer } from '../scenarios/support/peer';
import { stopAll } from '../scenarios/support/server';
import { hex } from '../support/bytes';
import { describeAttacks } from './describe-attacks';
import { attackServer, watch, type Attack } from './frame-attack';
import { weakened, type Weakening } from './weakened';

const M = '00000000';

const frame = (replace: string, by: string): Weakening => ({
  file: 'protocol/frame.ts',
  replace,
  by,
});

const noMaskNeeded = frame('if ((second & MASK_BIT) === 0) throw', 'if (second < 0) throw');
const anyReserved = frame('if (!mayDeflate || reserved !== RSV1) throw', 'if (reserved < 0) throw');
const compressedAnywhere = frame(
  'if (opcode !== Opcode.Text && opcode !== Opcode.Binary) {',
  'if (opcode < 0) {',
);
const anyOpcode = frame('if (!isDefined(opcode)) throw', 'if (opcode < 0) throw');
const fragmentedControl = frame('if ((first & FIN) === 0) throw', 'if (first < 0) throw');
const longControl = frame('if ((second & LENGTH_BITS) > MAX_CONTROL_PAYLOAD) {', 'if (false) {');
const continuationAlone = frame(
  'if (opcode === Opcode.Continuation && !inMessage) {',
  'if (false) {',
);
const messageInMessage = frame(
  'if (opcode !== Opcode.Continuation && inMessage) {',
  'if (false) {',
);
/** Control frames are judged as if they were part of the message. */
const controlInOrder = frame(
  'if (isControl(opcode)) checkControl(first, second);',
  'if (isControl(opcode) && !context.inMessage) checkControl(first, second);',
);

const FAULT = ['fault 1002'];

type Row = readonly [
  id: string,
  digits: string,
  without: readonly Weakening[],
  more?: Partial<Attack>,
];

const deflate: Partial<Attack> = { options: { perMessageDeflate: true } };

const masks: readonly Row[] = [
  ['L-5 binary without a mask', '82 01 61', [noMaskNeeded]],
  ['L-5 empty text without a mask', '81 00', [noMaskNeeded]],
  ['L-5 a close frame without a mask', '88 02 03E8', [noMaskNeeded]],
  ['L-5 a ping without a mask', '89 00', [noMaskNeeded]],
];

const reserved: readonly Row[] = [
  ['L-6 RSV1 that was not negotiated', `C2 80 ${M}`, [anyReserved]],
  ['L-6 RSV2', `A2 80 ${M}`, [anyReserved]],
  ['L-6 RSV3', `92 80 ${M}`, [anyReserved]],
  ['L-6 all reserved bits', `F2 80 ${M}`, [anyReserved]],
  ['L-6 RSV1 on a ping that was not negotiated', `C9 80 ${M}`, [anyReserved, compressedAnywhere]],
  ['L-6 RSV2 beside compression', `A2 80 ${M}`, [anyReserved], deflate],
  ['L-6 RSV3 beside compression', `92 80 ${M}`, [anyReserved], deflate],
  ['L-6 RSV1 with others beside compression', `F2 80 ${M}`, [anyReserved], deflate],
  [
    'L-6 RSV1 on a continuation',
    `42 81 ${M} 00 C0 81 ${M} 00`,
    [anyReserved, compressedAnywhere],
    deflate,
  ],
  ['L-6 RSV1 on a ping', `C9 80 ${M}`, [compressedAnywhere], deflate],
  ['L-6 RSV1 on a close frame', `C8 80 ${M}`, [compressedAnywhere], deflate],
];

const opcodes: readonly Row[] = ['3', '4', '5', '6', '7', 'B', 'C', 'D', 'E', 'F'].flatMap(
  (digit): Row[] => [
    [`L-7 the reserved opcode ${digit}`, `8${digit} 80 ${M}`, [anyOpcode]],
    [
      `L-7 the reserved opcode ${digit} inside of a message`,
      `01 81 ${M} 61 8${digit} 80 ${M}`,
      // A reserved data frame would be out of order there too.
      [anyOpcode, messageInMessage],
    ],
  ],
);

const control: readonly Row[] = [
  ['L-8 a fragmented close frame', `08 80 ${M}`, [fragmentedControl]],
  ['L-8 a fragmented ping', `09 80 ${M}`, [fragmentedControl]],
  ['L-8 a fragmented pong', `0A 80 ${M}`, [fragmentedControl]],
  [
    'L-8 a fragmented close frame with RSV1',
    `48 80 ${M}`,
    [anyReserved, compressedAnywhere, fragmentedControl],
  ],
  ['L-8 a ping of 126 bytes', `89 FE 007E ${M} ${'61'.repeat(126)}`, [longControl]],
  ['L-8 the header of a ping of 126 bytes', `89 FE 007E ${M}`, [longControl]],
  ['L-8 two bytes of a ping that is too long', '89 FE', [longControl]],
  ['L-8 the header of a close frame of 126 bytes', `88 FE 007E ${M}`, [longControl]],
  ['L-8 the header of a ping with 64 bits of length', `89 FF 000000000000007E ${M}`, [longControl]],
];
/** This length is not minimal either. */
const minimal64 = frame('if (high === 0 && low <= 0xffff) throw', 'if (high < 0) throw');

const fragments: readonly Row[] = [
  ['L-9 a last fragment without a first', `80 81 ${M} 61`, [continuationAlone]],
  ['L-9 a fragment without a first', `00 81 ${M} 61`, [continuationAlone]],
  ['L-9 a message inside of another', `01 81 ${M} 61 81 81 ${M} 62`, [messageInMessage]],
  ['L-9 a first fragment after a first', `01 81 ${M} 61 02 81 ${M} 62`, [messageInMessage]],
  [
    'L-9 a fragment behind a message that has ended',
    `01 81 ${M} 61 80 81 ${M} 62 80 81 ${M} 63`,
    [continuationAlone],
    { hears: ['text "ab"', ...FAULT] },
  ],
  [
    'L-9 a ping between two fragments',
    `01 81 ${M} 61 89 80 ${M} 80 81 ${M} 62`,
    [controlInOrder],
    { hears: ['ping ', 'text "ab"'] },
  ],
];

const rows = [...masks, ...reserved, ...opcodes, ...control, ...fragments];

const attacks = rows.map(([name, digits, without, more]) => ({
  name,
  bytes: hex(digits),
  hears: FAULT,
  without: name.endsWith('64 bits of length') ? [...without, minimal64] : without,
  ...more,
}));
afterEach(stopAll);

describeAttacks(attacks);

describe('L-9 a ping between two fragments', () => {
  it('is answered before the message is', async () => {
    const { port } = await watch(weakened());
    const peer = await Peer.open(port, '/');
    peer.write(hex(`01 81 ${M} 61 89 81 ${M} 70 80 81 ${M} 62 88 80 ${M}`));
    expect((await peer.readToEnd()).toString('hex')).toBe('8a01708800');
  });
});

describe('L-12 ten bad frames behind a bad frame', () => {
  const bytes = hex(`83 80 ${M}`.repeat(11));
  /** What keeps a failed connection from hearing more: three times over. */
  const goesOn: readonly Weakening[] = [
    {
      file: 'socket/connection.ts',
      replace: 'if (this.#isReading()) {',
      by: 'if (true) {',
    },
    {
      file: 'socket/connection.ts',
      replace: 'this.#intake.finish();\n    const closing',
      by: 'const closing',
    },
    {
      file: 'protocol/decoder.ts',
      replace: 'if (this.#isBusy || this.#rest !== undefined) this.#keep(chunk);',
      by: 'if (this.#rest !== undefined) this.#keep(chunk);',
    },
  ];

  it.each(['whole', 'one byte a packet', 'behind the handshake'] as const)(
    'L-12 are one error and one close, %s',
    async (way) => {
      expect(await attackServer(weakened(), { bytes }, way)).toEqual(FAULT);
    },
  );

  it('L-12 are more than one error without the defence', async () => {
    const heard = await attackServer(weakened(...goesOn), { bytes }, 'one byte a packet');
    expect(heard).not.toEqual(FAULT);
  });
});
