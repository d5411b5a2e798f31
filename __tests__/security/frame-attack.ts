import express from 'express';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { isDeepStrictEqual } from 'node:util';
import type { AttachOptions, Attachment } from '../../lib';
import { cut, drip, LIMITS, rekey } from '../protocol/every-way';
import { handshake, Peer } from '../scenarios/support/peer';
import { afterTest, listen } from '../scenarios/support/server';
import { weakened, weakenedPart, type Lib, type Weakening } from './weakened';

/*
 * An attack is bytes, and what may come of them: one line an event, as every-way.ts writes them.
 * It passes when exactly that is heard, however the bytes are cut and masked, from the decoder and
 * from a listening server; and when it is not heard from a build without the defence.
 */

/** What one row of a table of attacks says. */
export interface Attack {
  /** The id of the row, and what it does. */
  readonly name: string;
  readonly bytes: Buffer;
  /** All that may be heard, in every way. */
  readonly hears: readonly string[];
  /** The defence, switched off. */
  readonly without: readonly Weakening[];
  /** How the bytes come where the defence is off; some faults show only when they come in pieces. */
  readonly cutInControl?: 'whole' | 'dripped';
  readonly options?: AttachOptions;
}

const cuts: Readonly<Record<'whole' | 'dripped', (bytes: Buffer) => Iterable<Buffer>>> = {
  whole: (bytes) => [Buffer.from(bytes)],
  dripped: drip,
};

/** All that a decoder of this build says to the bytes. */
export function hear(
  weakenings: readonly Weakening[],
  chunks: Iterable<Buffer>,
  options: AttachOptions = {},
): string[] {
  const { Decoder } = weakenedPart('protocol/decoder', ...weakenings);
  const { maxPayload = LIMITS.maxPayload, maxFragments = LIMITS.maxFragments } = options;
  const heard: string[] = [];
  const decoder = new Decoder(
    { maxPayload, maxFragments },
    {
      onMessage: (data) => heard.push(messageLine(data)),
      onCompressed: (payload) => heard.push(`compressed ${payload.toString('hex')}`),
      onPing: (payload) => heard.push(`ping ${payload.toString('hex')}`),
      onPong: (payload) => heard.push(`pong ${payload.toString('hex')}`),
      onClose: ({ code, reason }) => heard.push(`close ${code} ${reason}`),
      onSpent: () => heard.push('spent'),
    },
    { mayDeflate: options.perMessageDeflate !== undefined },
  );
  for (const chunk of chunks) {
    try {
      decoder.push(chunk);
    } catch (error) {
      heard.push(faultLine(error));
      break;
    }
  }
  return heard;
}

/** The line for a message, short where it is long. */
export function messageLine(data: unknown): string {
  if (typeof data === 'string') return `text ${JSON.stringify(data)}`;
  return `binary ${(data as Buffer).toString('hex')}`;
}

/** By its code: the weakened builds have a class of their own. */
function faultLine(error: unknown): string {
  const { closeCode } = error as { closeCode?: number };
  return closeCode === undefined ? `broken: ${String(error)}` : `fault ${closeCode}`;
}

/** Every way there is to cut the bytes, and a key of chance. */
function* everyWay(bytes: Buffer): Generator<readonly [name: string, chunks: Iterable<Buffer>]> {
  for (const each of [bytes, rekey(bytes, randomBytes(4))]) {
    yield ['whole', [Buffer.from(each)]];
    yield ['one byte a packet', drip(each)];
    for (let at = 1; at < each.length; at += each.length > 600 ? 97 : 1) {
      yield [`split at ${at}`, cut(each, [at])];
    }
  }
}

/** Where a server's events go. */
export interface Watched {
  readonly port: number;
  readonly sockets: Attachment;
  /** What the sockets were told, and at last with what they closed. */
  readonly heard: string[];
  readonly errors: unknown[];
  /** Resolves at the first `close`. */
  readonly closed: Promise<void>;
}

/** A server of this build that writes down what its only socket is told. */
export async function watch(lib: Lib, options: AttachOptions = {}): Promise<Watched> {
  const heard: string[] = [];
  const errors: unknown[] = [];
  const app = express();
  const server = createServer(app);
  let markClosed!: () => void;
  const closed = new Promise<void>((resolve) => (markClosed = resolve));
  const watched = lib.route('/', (socket) => {
    socket.on('message', (data) => heard.push(messageLine(data)));
    socket.on('ping', (data) => heard.push(`ping ${data.toString('hex')}`));
    socket.on('pong', (data) => heard.push(`pong ${data.toString('hex')}`));
    socket.on('error', (error) => errors.push(error));
    socket.on('close', (code, reason) => {
      // A fault is told by its error; without one, it was the peer who closed, or left.
      if (errors.length > 0) heard.push(`fault ${code}`);
      else if (code !== 1006) heard.push(`close ${code} ${reason}`);
      markClosed();
    });
  });
  const sockets = lib.attachWebSocket(app, server, [watched], { onError: () => {}, ...options });
  const port = await listen(server);
  afterTest(() => sockets.close({ timeout: 100 }));
  return { port, sockets, heard, errors, closed };
}

/** The ways a server is written to. */
type Delivery = 'whole' | 'one byte a packet' | 'behind the handshake';

/** What a server hears, closes with and sends when these bytes come, and then the end. */
export async function attackServer(
  lib: Lib,
  { bytes, options }: Pick<Attack, 'bytes' | 'options'>,
  delivery: Delivery,
): Promise<string[]> {
  const server = await watch(lib, options);
  const peer = await Peer.connect(server.port);
  const headers = {
    'Sec-WebSocket-Extensions': options?.perMessageDeflate && 'permessage-deflate',
  };
  const request = handshake('/', headers as Record<string, string>);
  peer.write(request, delivery === 'behind the handshake' ? bytes : '');
  expect(await peer.readHead()).toMatch(/^HTTP\/1\.1 101 /);
  if (delivery === 'whole') peer.write(bytes);
  if (delivery === 'one byte a packet') await dripTo(peer, bytes);
  peer.socket.end();
  const sent = await peer.readToEnd();
  await server.closed;
  return [...server.heard, ...closeFaults(server, sent)];
}

/** A byte a write, and each written before the next. */
async function dripTo(peer: Peer, bytes: Buffer): Promise<void> {
  for (const byte of bytes) {
    if (peer.socket.destroyed || !peer.socket.writable) return;
    await new Promise((resolve) => peer.socket.write(Buffer.from([byte]), resolve));
    await new Promise(setImmediate);
  }
}

/** What is wrong with the end: two errors, two closes, or another code on the wire than was told. */
function closeFaults({ heard, errors }: Watched, sent: Buffer): string[] {
  const ends = heard.filter((line) => /^(?:fault|close) /.test(line));
  const wrong: string[] = [];
  if (errors.length > 1 || ends.length > 1) wrong.push(`${errors.length} errors`);
  const code = /^fault (\d+)$/.exec(ends[0] ?? '')?.[1];
  if (code !== undefined && !sent.subarray(-4).equals(closeFrame(Number(code)))) {
    wrong.push(`sent ${sent.toString('hex')}`);
  }
  return wrong;
}

function closeFrame(code: number): Buffer {
  return Buffer.from([0x88, 0x02, code >> 8, code & 0xff]);
}

/** Whole, split at every offset, byte by byte and under any key, a decoder says the same. */
export function expectAlike({ bytes, hears, options }: Attack): void {
  for (const [way, chunks] of everyWay(bytes)) {
    const heard = hear([], chunks, options);
    if (!isDeepStrictEqual(heard, hears)) expect([way, ...heard]).toEqual([way, ...hears]);
  }
  expect(hear([], [Buffer.from(bytes)], options)).toEqual(hears);
}

/** A server says the same: whole, one byte a packet, and behind the handshake. */
export async function expectServed(attack: Attack): Promise<void> {
  const lib = weakened();
  const ways = ['whole', 'one byte a packet', 'behind the handshake'] as const;
  const heard = await Promise.all(
    ways.map(async (way) => [way, ...(await attackServer(lib, attack, way))]),
  );
  expect(heard).toEqual(ways.map((way) => [way, ...attack.hears]));
}

/** The negative control: neither decoder nor server say so without the defence. */
export async function expectBroken(attack: Attack): Promise<void> {
  const { bytes, hears, options, without, cutInControl = 'whole' } = attack;
  expect(hear(without, cuts[cutInControl](bytes), options)).not.toEqual(hears);
  const way = cutInControl === 'whole' ? 'behind the handshake' : 'one byte a packet';
  expect(await attackServer(weakened(...without), attack, way)).not.toEqual(hears);
}
