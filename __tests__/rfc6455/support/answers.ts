import { Buffer } from 'node:buffer';
import { cut } from '../../protocol/every-way';
import { Link, type Target } from './target';

/** What a server has answered to an opening handshake. */
export interface Answer {
  readonly status: number;
  /** By lower-case name, each as often as it came. */
  readonly fields: readonly (readonly [name: string, value: string])[];
}

/** The values of a field; empty when it did not come. */
export function valuesOf({ fields }: Answer, name: string): string[] {
  return fields.filter(([each]) => each === name).map(([, value]) => value);
}

/**
 * What a server answers to a request: whole, byte by byte, and split in some places, each on a
 * connection of its own. The answers have to be the same, but for the date.
 */
export async function answerEveryWay(server: Target, request: string): Promise<Answer> {
  const bytes = Buffer.from(request, 'latin1');
  const ways = [[], [...bytes.keys()], ...splits(bytes.length).map((at) => [at])];
  const answers = await Promise.all(ways.map((offsets) => answer(server, cut(bytes, offsets))));
  for (const each of answers) expect(each).toEqual(answers[0]);
  return answers[0]!;
}

/** Everywhere when all is asked for; else in some places of every part of the request. */
function splits(length: number): number[] {
  const step = process.env.TEST_FULL === '1' ? 1 : 17;
  return Array.from({ length: Math.ceil(length / step) }, (_, i) => i * step + 1);
}

async function answer(server: Target, pieces: readonly Buffer[]): Promise<Answer> {
  const link = await Link.connect(server);
  for (const piece of pieces) await link.send(piece);
  const [first = '', ...lines] = (await link.peer.readHead()).trimEnd().split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(first)?.[1]);
  const fields = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  // Who says that it closes the connection has to.
  if (valuesOf({ status, fields }, 'connection').includes('close')) await link.peer.readToEnd();
  link.peer.socket.destroy();
  return { status, fields: fields.filter(([name]) => name !== 'date') };
}
