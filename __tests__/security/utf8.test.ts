import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { cut } from '../protocol/every-way';
import { stopAll } from '../scenarios/support/server';
import { clientFrame, hex } from '../support/bytes';
import { describeAttacks } from './describe-attacks';
import { attackServer, hear, type Attack } from './frame-attack';
import { weakened, type Weakening } from './weakened';

const M = '00000000';

const anyWholeText: Weakening = {
  file: 'protocol/utf8.ts',
  replace: 'if (text.includes(REPLACEMENT) && !isUtf8(bytes.subarray(start, end))) throw',
  by: 'if (text.length < 0) throw',
};
const anyLongText: Weakening = {
  file: 'protocol/utf8.ts',
  replace: 'if (!isUtf8(bytes)) throw invalidText();',
  by: '',
};
const anyPieces: Weakening = {
  file: 'protocol/assembly.ts',
  replace: 'if (this.#validator?.push(bytes, start, end) === false) throw',
  by: 'if (end < start) throw',
};
/** Every piece is text for itself. */
const eachForItself: Weakening = {
  file: 'protocol/assembly.ts',
  replace: 'if (this.#validator?.push(bytes, start, end) === false) throw',
  by: "if (this.isText && !require('node:buffer').isUtf8(bytes.subarray(start, end))) throw",
};
/** What is cut at the end is let go. */
const unended: Weakening = {
  file: 'protocol/assembly.ts',
  replace: 'if (!this.#validator.isComplete) throw',
  by: 'if (this.#length < 0) throw',
};
/** Judged when all of it is there. */
const judgedLate: Weakening = {
  file: 'protocol/assembly.ts',
  replace: 'this.#validate(this.#buffer, this.#length, to);',
  by: 'if (piece.following === 0) this.#validate(this.#buffer, 0, to);',
};
const anyReason: Weakening = {
  file: 'protocol/close.ts',
  replace: 'if (!isUtf8(reason)) {',
  by: 'if (false) {',
};
const surrogates: Weakening = {
  file: 'protocol/utf8.ts',
  replace: 'if (byte === 0xed) this.#upper = 0x9f;',
  by: '',
};

const INVALID = ['fault 1007'];

/** RFC 3629 §3 and §4: what no text holds. */
const sequences = [
  ['an over-long NUL', 'C0 80'],
  ['an over-long slash in two bytes', 'C1 AF'],
  ['a surrogate', 'ED A0 80'],
  ['the last surrogate', 'ED BF BF'],
  ['a character above U+10FFFF', 'F4 90 80 80'],
  ['a continuation alone', '80'],
  ['a character that is cut at the end', 'E2 82'],
  ['a lead of five', 'F8 88 80 80 80'],
  ['FE', 'FE'],
  ['FF', 'FF'],
  ['an over-long form of three', 'E0 80 80'],
  ['an over-long form of four', 'F0 80 80 80'],
] as const;

function textFrame(digits: string): Buffer {
  return clientFrame({ first: 0x81, payload: hex(digits) });
}

const invalid: readonly Attack[] = sequences.flatMap(([what, digits]): Attack[] => [
  {
    name: `U-1 ${what}`,
    bytes: textFrame(digits),
    hears: INVALID,
    without: [anyWholeText],
  },
  {
    name: `U-1 ${what} in pieces`,
    bytes: textFrame(digits),
    hears: INVALID,
    // A payload of one byte never comes in pieces.
    without: [anyPieces, unended, ...(digits.length === 2 ? [anyWholeText] : [])],
    cutInControl: 'dripped',
  },
]);

const long: readonly Attack[] = [
  {
    name: 'U-1 a surrogate at the end of long text',
    bytes: textFrame(`${'61'.repeat(2100)} ED A0 80`),
    hears: INVALID,
    without: [anyLongText],
  },
];

const fragmented: readonly Attack[] = [
  {
    name: 'U-2 a character over two fragments',
    bytes: hex(`01 82 ${M} E282 80 81 ${M} AC`),
    hears: ['text "€"'],
    without: [eachForItself],
  },
  {
    name: 'U-2 a character over four fragments, with pings and empty fragments between',
    bytes: hex(`
      01 81 ${M} F0 89 80 ${M} 00 80 ${M} 00 81 ${M} 9F 89 80 ${M} 00 80 ${M}
      00 81 ${M} 98 89 80 ${M} 00 80 ${M} 80 81 ${M} 80`),
    hears: ['ping ', 'ping ', 'ping ', 'text "😀"'],
    without: [eachForItself],
  },
  {
    name: 'U-3 a character that the next fragment breaks',
    bytes: hex(`01 81 ${M} E2 80 81 ${M} 28`),
    hears: INVALID,
    without: [anyPieces],
  },
  {
    name: 'U-3 a character that the last fragment does not end',
    bytes: hex(`01 81 ${M} E2 80 81 ${M} 82`),
    hears: INVALID,
    without: [unended],
  },
  {
    name: 'U-4 bad text in a fragment, and nothing more',
    bytes: hex(`01 82 ${M} F490`),
    hears: INVALID,
    without: [judgedLate],
  },
  {
    name: 'U-4 bad text at the start of a frame whose rest is withheld',
    bytes: hex(`81 8A ${M} F490`),
    hears: INVALID,
    without: [judgedLate],
  },
];

const reasons: readonly Attack[] = [
  {
    name: 'U-5 a close reason that is cut in a character',
    bytes: hex(`88 83 ${M} 03E8 CE`),
    hears: INVALID,
    without: [anyReason],
  },
  {
    name: 'U-5 a close reason with a surrogate',
    bytes: hex(`88 85 ${M} 03E8 EDA080`),
    hears: INVALID,
    without: [anyReason],
  },
];

const attacks = [...invalid, ...long, ...fragmented, ...reasons];
afterEach(stopAll);

describeAttacks(attacks);

describe('U-6 compressed text that is not UTF-8', () => {
  // RFC 7692 §7.2.3.3: a stored block, here of C0 80.
  const whole = hex(`C1 88 ${M} 00 02 00 FD FF C0 80 00`);
  const inFragments = hex(`41 86 ${M} 00 02 00 FD FF C0 80 82 ${M} 80 00`);
  const options = { perMessageDeflate: true };
  const unchecked: Weakening = {
    file: 'socket/intake.ts',
    replace: 'this.#owner.onMessage(decodeText(message, 0, message.length), false)',
    by: 'this.#owner.onMessage(message.toString(), false)',
  };
  const ways = ['whole', 'one byte a packet', 'behind the handshake'] as const;

  it.each(ways)('U-6 is 1007, %s', async (way) => {
    for (const bytes of [whole, inFragments]) {
      expect(await attackServer(weakened(), { bytes, options }, way)).toEqual(INVALID);
    }
  });

  it.each(ways)('U-6 is not where only the frames are judged, %s', async (way) => {
    for (const bytes of [whole, inFragments]) {
      const heard = await attackServer(weakened(unchecked), { bytes, options }, way);
      expect(heard).not.toEqual(INVALID);
    }
  });
});

describe('U-7 text that is cut at random', () => {
  const octets = ['61', 'C3 A9', 'E2 82 AC', 'F0 9F 98 80', ...sequences.map(([, each]) => each)];
  const pieces = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...octets.map(hex)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 3 }).map((each) => Buffer.from(each)) },
  );
  const cutText = fc.record({
    text: fc.array(pieces, { maxLength: 5 }).map((each) => Buffer.concat(each)),
    at: fc.array(fc.nat(20), { maxLength: 4 }),
  });

  /** Whether a message of these fragments is judged as Node judges all of it. */
  function agrees({ text, at }: { text: Buffer; at: number[] }, ...without: Weakening[]): boolean {
    const parts = text.length === 0 ? [text] : cut(text, at);
    const frames = parts.map((payload, i) => {
      const fin = i === parts.length - 1 ? 0x80 : 0;
      return clientFrame({ first: fin | (i === 0 ? 1 : 0), payload, key: 'a1b2c3d4' });
    });
    const expected = isUtf8(text) ? `text ${JSON.stringify(text.toString())}` : 'fault 1007';
    return hear(without, frames).join() === expected;
  }

  it('U-7 is judged as all of it is', () => {
    fc.assert(
      fc.property(cutText, (each) => agrees(each)),
      { numRuns: 3000 },
    );
  });

  it('U-7 is not where one row of the table is missing', () => {
    const property = fc.property(cutText, (each) => agrees(each, surrogates));
    expect(fc.check(property, { numRuns: 20_000 }).failed).toBe(true);
  });
});
