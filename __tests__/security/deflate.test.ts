import { isDeepStrictEqual } from 'node:util';
import { constants, deflateRawSync } from 'node:zlib';
import type { AttachOptions } from '../../lib';
import type { DecoderSink } from '../../lib/protocol/decoder';
import { cut, drip } from '../protocol/every-way';
import { stopAll } from '../scenarios/support/server';
import { clientFrame, hex } from '../support/bytes';
import { attackServer, messageLine } from './frame-attack';
import { weakened, weakenedPart, type Weakening } from './weakened';

const M = '00000000';

const inflater = (replace: string, by: string): Weakening => ({
  file: 'protocol/inflater.ts',
  replace,
  by,
});

/** The limit is nowhere: not inside of zlib, and not behind it. */
const unlimited: readonly Weakening[] = [
  inflater('maxOutputLength: Math.max(1, limit - output.length),', ''),
  inflater('if (all.length > limit) return tooBig();', ''),
];
const anyFault = inflater("if ('code' in result) return faultOf(result);", '');
const oneFault = inflater(
  "error.code === 'ERR_BUFFER_TOO_LARGE' ? tooBig()",
  'error.code === 0 ? tooBig()',
);
const oneStream = inflater('left.length > 0 && streams >= MAX_STREAMS', 'left.length > 0');
const restIgnored = inflater('rest.subarray(engine.bytesWritten)', 'rest.subarray(rest.length)');
const noTail = inflater('Buffer.from([0x00, 0x00, 0xff, 0xff, 0x03, 0x00])', 'Buffer.alloc(0)');
const emptyInflated = inflater('if (compressed.length === 0) return EMPTY;', '');
const forgetful = inflater('this.#window?.push(output);', '');
const takeoverAlways = inflater('terms.clientTakeover ? new Window', 'true ? new Window');
/** The window of somebody else. */
const sharedWindow: Weakening = {
  file: 'protocol/window.ts',
  replace: 'return this.#length === 0 ? undefined :',
  by: "return this.#length === 0 ? Buffer.from('Hello') :",
};

interface Row {
  readonly name: string;
  readonly bytes: Buffer;
  readonly hears: readonly string[];
  readonly without: readonly Weakening[];
  readonly options?: AttachOptions & { readonly perMessageDeflate?: { contextTakeover: true } };
}

const HELLO = `C1 87 ${M} F248CDC9C90700`;
const AGAIN = `C1 85 ${M} F200110000`;
const said = 'text "Hello"';
const tooBig = ['fault 1009'];
const notDeflate = ['fault 1007'];

const takeover = { perMessageDeflate: { contextTakeover: true } } as const;
const small = { maxPayload: 10_000 };

/** RFC 7692 §7.2.1, by zlib: all messages in one stream, each without its last four bytes. */
function compress(data: Buffer, dictionary?: Buffer): Buffer {
  const options = { finishFlush: constants.Z_SYNC_FLUSH, dictionary };
  return deflateRawSync(data, options).subarray(0, -4);
}

function inFragments(payload: Buffer, count: number): Buffer {
  const at = (i: number): number => Math.floor((i * payload.length) / count);
  const frames = Array.from({ length: count }, (_, i) =>
    clientFrame({
      first: (i === 0 ? 0x42 : 0) | (i === count - 1 ? 0x80 : 0),
      payload: payload.subarray(at(i), at(i + 1)),
    }),
  );
  return Buffer.concat(frames);
}

const bomb = compress(Buffer.alloc(1_500_000));
const story = Buffer.from(Array.from({ length: 9000 }, (_, i) => (i * i * 7919) >>> 7));
const story3 = Buffer.concat([story, story, story]);

const bombs: readonly Row[] = [
  {
    name: 'D-2 a bomb over a thousand fragments',
    bytes: inFragments(bomb, 1000),
    hears: tooBig,
    without: unlimited,
    options: small,
  },
  {
    name: 'D-3 a bomb that refers to the message before it',
    bytes: Buffer.concat([
      clientFrame({ first: 0xc2, payload: compress(story) }),
      clientFrame({ first: 0xc2, payload: compress(story3, story) }),
    ]),
    hears: [messageLine(story), ...tooBig],
    without: unlimited,
    options: { ...small, ...takeover },
  },
  {
    name: 'D-4 a bomb with malformed bytes behind it in its frame',
    bytes: clientFrame({ first: 0xc2, payload: Buffer.concat([bomb, hex('FFFFFFFF')]) }),
    hears: tooBig,
    without: unlimited,
    options: small,
  },
  {
    name: 'D-4 a bomb with malformed bytes in the next frame',
    bytes: Buffer.concat([
      clientFrame({ first: 0xc2, payload: bomb }),
      clientFrame({ first: 0xc2, payload: hex('FFFFFFFF') }),
    ]),
    hears: tooBig,
    without: unlimited,
    options: small,
  },
  {
    name: 'D-4 malformed bytes',
    bytes: hex(`C2 84 ${M} FFFFFFFF`),
    hears: notDeflate,
    without: [anyFault],
  },
  {
    name: 'D-7 a message one byte above maxPayload once it is inflated',
    bytes: clientFrame({ first: 0xc2, payload: compress(Buffer.alloc(10_001)) }),
    hears: tooBig,
    without: [oneFault],
    options: small,
  },
  {
    name: 'D-7 a message of maxPayload once it is inflated',
    bytes: clientFrame({ first: 0xc2, payload: compress(Buffer.alloc(10_000)) }),
    hears: [messageLine(Buffer.alloc(10_000))],
    without: [noTail],
    options: small,
  },
];

const finals: readonly Row[] = [
  {
    name: 'D-5 messages with a final block',
    bytes: hex(`C1 88 ${M} F348CDC9C9070000 C1 88 ${M} F348CDC9C9070000 ${HELLO}`),
    hears: [said, said, said],
    without: [oneStream],
  },
  {
    name: 'D-6 bytes behind the final block that are no block',
    bytes: hex(`C1 8A ${M} F348CDC9C90700414141`),
    hears: notDeflate,
    without: [restIgnored],
  },
];

const vectors: readonly Row[] = [
  ['in one frame', HELLO, [said], [noTail]],
  ['in two fragments', `41 83 ${M} F248CD 80 84 ${M} C9C90700`, [said], [noTail]],
  ['stored', `C1 8B ${M} 000500FAFF48656C6C6F00`, [said], [noTail]],
  ['in two blocks', `C1 8D ${M} F248050000 00FFFFCAC9C90700`, [said], [noTail]],
  ['empty', `C1 81 ${M} 00`, ['text ""'], [noTail]],
  ['of no bytes', `C1 80 ${M}`, ['text ""'], [emptyInflated]],
  ['that refers to the one before', `${HELLO} ${AGAIN}`, [said, said], [forgetful], takeover],
  ['that refers to nothing', AGAIN, notDeflate, [sharedWindow], takeover],
  [
    'that refers to the one before without takeover',
    `${HELLO} ${AGAIN}`,
    [said, ...notDeflate],
    [takeoverAlways],
  ],
].map(([what, digits, hears, without, options]) => ({
  name: `D-8 a message ${what as string}`,
  bytes: hex(digits as string),
  hears: hears as string[],
  without: without as Weakening[],
  options: options as typeof takeover | undefined,
})) as Row[];

/** All that one socket is told, without a transport. */
function inflate({ options = {} }: Row, chunks: Iterable<Buffer>): string[] {
  const { Intake } = weakenedPart('socket/intake');
  const { maxPayload = 2 ** 20, perMessageDeflate } = options;
  const heard: string[] = [];
  const ignore = (): void => {};
  const terms = {
    response: '',
    serverTakeover: false,
    clientTakeover: perMessageDeflate !== undefined,
    serverWindowBits: 15,
    clientWindowBits: 15,
  };
  const owner: Pick<DecoderSink, 'onMessage' | 'onPing' | 'onPong' | 'onClose'> = {
    onMessage: (data) => heard.push(messageLine(data)),
    onPing: ignore,
    onPong: ignore,
    onClose: ignore,
  };
  const intake = new Intake(
    { pause: ignore, resume: ignore } as never,
    {
      ...owner,
      onReadOn: ignore,
      onIntakeFault(error) {
        heard.push(`fault ${(error as unknown as { closeCode: number }).closeCode}`);
        intake.finish();
      },
    },
    { maxPayload, maxFragments: 65_536 },
    terms,
  );
  for (const chunk of chunks) intake.push(chunk);
  return heard;
}

afterEach(stopAll);

describe.each([...bombs, ...finals, ...vectors])('$name', (row) => {
  const options: AttachOptions = { perMessageDeflate: true, ...row.options };
  const attack = { bytes: row.bytes, options };
  const isShort = row.bytes.length < 500;
  const ways = ['whole', 'behind the handshake', ...(isShort ? ['one byte a packet'] : [])] as (
    'whole' | 'behind the handshake' | 'one byte a packet'
  )[];

  it('is judged alike by a server, behind the handshake as well', async () => {
    for (const way of ways) {
      expect([way, ...(await attackServer(weakened(), attack, way))]).toEqual([way, ...row.hears]);
    }
  });

  it('is not without the defence', async () => {
    for (const way of ways) {
      expect(await attackServer(weakened(...row.without), attack, way)).not.toEqual(row.hears);
    }
  });
});

/** Those that one turn of the event loop decodes. */
const short = [...bombs, ...finals, ...vectors].filter(({ bytes }) => bytes.length < 5000);

it.each(short)('$name is judged alike wherever it is cut', (row) => {
  expect(inflate(row, drip(row.bytes))).toEqual(row.hears);
  for (let at = 1; at < row.bytes.length; at += row.bytes.length > 500 ? 37 : 1) {
    const heard = inflate(row, cut(row.bytes, [at]));
    if (!isDeepStrictEqual(heard, row.hears)) expect([at, ...heard]).toEqual([at, ...row.hears]);
  }
  expect(inflate(row, [Buffer.from(row.bytes)])).toEqual(row.hears);
});
