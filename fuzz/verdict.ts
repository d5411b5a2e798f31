import type { Buffer } from 'node:buffer';
import { Decoder, type DecoderSink } from '../lib/protocol/decoder';
import { ProtocolError } from '../lib/protocol/errors';
import { Inflater, type InflateCallback } from '../lib/protocol/inflater';
import { decodeText } from '../lib/protocol/utf8';
import type { Agreed } from './ws-receiver';

/** What bytes meant to a receiver. */
export interface Verdict {
  /** Messages, pings, pongs and the close, a line each. */
  readonly heard: readonly string[];
  /** The close code of the fault that ended it. */
  readonly fault: number | undefined;
  /** In words, where there are any. */
  readonly why: string;
}

/** Decoder, inflater and text decoder together, as a connection has them. */
class Receiver implements DecoderSink {
  readonly heard: string[] = [];
  readonly #decoder: Decoder;
  readonly #inflater: Inflater | undefined;
  #later: (() => Promise<void>) | undefined = undefined;

  constructor(maxPayload: number, agreed: Agreed | undefined) {
    const terms = agreed === undefined ? undefined : { ...agreed, response: '' };
    const limits = { maxPayload, maxFragments: Infinity };
    this.#inflater = terms === undefined ? undefined : new Inflater(terms, maxPayload);
    this.#decoder = new Decoder(limits, this, { mayDeflate: terms !== undefined });
  }

  async push(chunk: Buffer): Promise<void> {
    this.#decoder.push(chunk);
    for (let later = this.#later; later !== undefined; later = this.#later) {
      this.#later = undefined;
      await later();
      this.#decoder.resume();
    }
  }

  onMessage(data: string | Buffer): void {
    this.heard.push(typeof data === 'string' ? `text ${data}` : `binary ${data.toString('hex')}`);
  }

  onCompressed(payload: Buffer, isBinary: boolean): void {
    const inflater = this.#inflater;
    const data = inflater?.now(payload);
    if (data !== undefined) this.#tell(data, isBinary);
    else if (inflater !== undefined) this.#wait(inflater.later(payload), isBinary);
  }

  onSpent(): void {
    throw new Error('there is credit without end');
  }

  onPing(payload: Buffer): void {
    this.heard.push(`ping ${payload.toString('hex')}`);
  }

  onPong(payload: Buffer): void {
    this.heard.push(`pong ${payload.toString('hex')}`);
  }

  onClose({ code, reason }: { code: number; reason: string }): void {
    this.heard.push(`close ${code} ${reason}`);
  }

  #tell(data: Buffer, isBinary: boolean): void {
    this.onMessage(isBinary ? data : decodeText(data, 0, data.length));
  }

  /** What takes longer holds up what comes behind it. */
  #wait(inflate: (done: InflateCallback) => void, isBinary: boolean): void {
    this.#decoder.halt();
    this.#later = async () => {
      const result = await new Promise<Buffer | ProtocolError>((resolve) => inflate(resolve));
      if (result instanceof ProtocolError) throw result;
      this.#tell(result, isBinary);
    };
  }
}

/** What a client's bytes mean to this library. */
export async function receiveWithOurs(
  chunks: Iterable<Buffer>,
  maxPayload: number,
  agreed: Agreed | undefined,
): Promise<Verdict> {
  const receiver = new Receiver(maxPayload, agreed);
  const { heard } = receiver;
  try {
    for (const chunk of chunks) await receiver.push(chunk);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { heard, fault: error.closeCode, why: error.message };
  }
  return { heard, fault: undefined, why: '' };
}
