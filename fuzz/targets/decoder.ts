import { Buffer } from 'node:buffer';
import { Decoder, type DecoderLimits, type DecoderSink } from '../../lib/protocol/decoder';
import type { DeflateTerms } from '../../lib/protocol/deflate';
import { encodeText, textFrameRoom } from '../../lib/protocol/encoder';
import { ProtocolError } from '../../lib/protocol/errors';
import { Inflater } from '../../lib/protocol/inflater';
import { allocatedBy, law, sameLines, type Target } from '../law';
import { Random } from '../random';
import { DECODER_SEEDS } from './seeds';

/** What the first two bytes of an input choose. */
interface Setup {
  readonly limits: DecoderLimits;
  readonly terms: DeflateTerms | undefined;
  /** Frames that may be decoded before it has to be asked again. */
  readonly credit: number;
  readonly seed: number;
}

const MAX_PAYLOADS = [64, 300, 65_536, 1_048_576] as const;
const MAX_FRAGMENTS = [8, 60, 65_536, Infinity] as const;

/** What small copies share, asked for by whichever run comes when it is full (`protocol/detach.ts`). */
const SHARED = 8192;

function setupOf(input: Buffer): Setup {
  const choice = input[0] ?? 0;
  const maxPayload = MAX_PAYLOADS[choice & 3] ?? 64;
  const maxFragments = MAX_FRAGMENTS[(choice >> 2) & 3] ?? 8;
  const clientTakeover = (choice & 0x20) !== 0;
  const clientWindowBits = (choice & 0x40) === 0 ? 15 : 9;
  const terms = { response: '', serverTakeover: false, serverWindowBits: 15 };
  return {
    limits: { maxPayload, maxFragments },
    terms: (choice & 0x10) === 0 ? undefined : { ...terms, clientTakeover, clientWindowBits },
    credit: (choice & 0x80) === 0 ? Infinity : 1 + ((input[1] ?? 0) & 3),
    seed: input[1] ?? 0,
  };
}

const FINAL_TEXT = 0x81;

const encoded = Buffer.alloc(textFrameRoom(1_048_576));

/** While a text is told of, the bytes that it came as are what is written for it (`protocol/relay.ts`). */
function echo(text: string): void {
  const end = encodeText(encoded, 0, FINAL_TEXT, text);
  const start = end - Buffer.byteLength(text);
  law(encoded.toString('utf8', start, end) === text, 'a text goes out as it came');
}

const describe = (data: string | Buffer, isBinary: boolean): string => {
  law(isBinary === Buffer.isBuffer(data), 'isBinary says what the data is');
  return typeof data === 'string' ? `text ${data}` : `binary ${data.toString('hex')}`;
};

/** Decodes, and writes down what is told; goes on whenever the decoder was halted. */
class Listener implements DecoderSink {
  readonly heard: string[] = [];
  readonly decoder: Decoder;
  /** Bytes of messages that were inflated. */
  inflated = 0;
  readonly #setup: Setup;
  readonly #inflater: Inflater | undefined;
  readonly #halts: Random | undefined;

  constructor(setup: Setup, halts?: Random) {
    const { limits, terms } = setup;
    this.#setup = setup;
    this.#halts = halts;
    this.#inflater = terms === undefined ? undefined : new Inflater(terms, limits.maxPayload);
    this.decoder = new Decoder(limits, this, { mayDeflate: terms !== undefined });
    this.decoder.credit = setup.credit;
  }

  onMessage(data: string | Buffer, isBinary: boolean): void {
    law(Buffer.byteLength(data) <= this.#setup.limits.maxPayload, 'no message above maxPayload');
    this.#hear(describe(data, isBinary));
    if (typeof data === 'string') echo(data);
  }

  onCompressed(payload: Buffer, isBinary: boolean): void {
    const { maxPayload } = this.#setup.limits;
    const data = this.#inflater?.now(payload);
    law((data?.length ?? 0) <= maxPayload, 'no message above maxPayload once inflated');
    this.inflated += data?.length ?? 0;
    const said = data === undefined ? `later ${payload.length}` : data.toString('hex');
    this.#hear(`inflated ${isBinary ? 'binary' : 'text'} ${said}`);
    // What takes longer is inflated on another thread, and the rest waits for it.
    if (data === undefined) this.decoder.finish();
  }

  onSpent(): void {
    law(this.decoder.isHalted, 'who has spent its credit is halted');
    this.decoder.credit = this.#setup.credit;
  }

  onPing(payload: Buffer): void {
    this.#hear(`ping ${payload.toString('hex')}`);
  }

  onPong(payload: Buffer): void {
    this.#hear(`pong ${payload.toString('hex')}`);
  }

  onClose({ code, reason }: { code: number; reason: string }): void {
    this.heard.push(`close ${code} ${reason}`);
  }

  /** Takes the chunks; a fault is the last thing heard. */
  run(chunks: readonly Buffer[]): this {
    try {
      for (const chunk of chunks) {
        this.decoder.push(chunk);
        while (this.decoder.isHalted) this.decoder.resume();
      }
    } catch (error) {
      this.#fail(error);
    }
    return this;
  }

  #hear(line: string): void {
    law(!/^(?:close|fault)/.test(this.heard.at(-1) ?? ''), 'nothing is told behind a close');
    this.heard.push(line);
    if (this.#halts?.once(3) === true) this.decoder.halt();
  }

  #fail(error: unknown): void {
    if (!(error instanceof ProtocolError)) throw error;
    law([1002, 1007, 1008, 1009].includes(error.closeCode), 'a fault has a code of its own');
    this.heard.push(`fault ${error.closeCode}`);
  }
}

/** Every chunk in memory of its own, as reads may come. */
function cut(bytes: Buffer, random: Random): Buffer[] {
  const chunks: Buffer[] = [];
  const longest = random.pick([1, 3, 14, 200, 3000]);
  for (let at = 0; at < bytes.length;) {
    const end = at + 1 + random.int(longest);
    chunks.push(Buffer.from(bytes.subarray(at, end)));
    at = end;
  }
  return chunks;
}

/** Pieces of one memory, each of which the decoder owns only when it is pushed. */
function* adjacent(bytes: Buffer, sizes: readonly Buffer[]): Generator<Buffer> {
  const shared = Buffer.from(bytes);
  let at = 0;
  for (const { length } of sizes) {
    law(shared.subarray(at).equals(bytes.subarray(at)), 'no byte is touched before it is pushed');
    yield shared.subarray(at, (at += length));
  }
}

function run(input: Buffer): void {
  const setup = setupOf(input);
  const bytes = input.subarray(2);
  const whole = new Listener(setup).run([Buffer.from(bytes)]);
  const chunks = cut(bytes, new Random(setup.seed));
  const dripped = new Listener(setup);
  const copies = chunks.map((chunk) => Buffer.from(chunk));
  const allocated = allocatedBy(() => dripped.run(copies));
  // A buffer that doubles costs four times what is in it, a control frame what it declares.
  const own = 5 * bytes.length + 12 * dripped.inflated + 1024 * (dripped.heard.length + 1);
  const bound = own + SHARED;
  if (setup.terms === undefined) law(allocated <= bound, `${allocated} bytes asked for`);
  sameLines(dripped.heard, whole.heard, 'cut into reads');
  const halted = new Listener(setup, new Random(setup.seed)).run(chunks);
  sameLines(halted.heard, whole.heard, 'halted now and then');
  sameLines(new Listener(setup).run([...adjacent(bytes, chunks)]).heard, whole.heard, 'in place');
}

export const decoder: Target = {
  name: 'decoder',
  shape: 'frames',
  seeds: DECODER_SEEDS,
  settings: 2,
  operations: (length) => 5000 + 400 * length,
  run,
};
