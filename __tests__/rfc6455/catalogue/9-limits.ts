import { Buffer } from 'node:buffer';
import * as every from '../../protocol/every-way';
import { fragments } from '../support/frames';
import { closeCleanly, expectSameBytes, readMessage } from '../support/messages';
import { echoTarget, Link } from '../support/target';
import { IS_FULL, type Case } from './case';

const KIB = 1024;
const MIB = 1024 * KIB;

/** How much smaller messages are, and how much fewer, unless all is asked for. */
const SCALE = IS_FULL ? 1 : 16;

interface Kind {
  readonly opcode: number;
  readonly name: string;
  readonly fill: string;
}

const TEXT: Kind = { opcode: 0x1, name: 'text', fill: 'BAsd7&jh23' };
const BINARY: Kind = { opcode: 0x2, name: 'binary', fill: '\u00fe\u0000\u00ff\u0081' };

const payloadOf = ({ fill }: Kind, size: number): Buffer => Buffer.alloc(size, fill, 'latin1');

async function expectEcho(link: Link, opcode: number, payload: Buffer): Promise<void> {
  const echoed = await readMessage(link);
  expect(echoed.first).toBe(opcode);
  expectSameBytes(echoed.payload, payload);
}

/** One message, in frames of this size. */
async function echoOne(kind: Kind, size: number, fragment?: number): Promise<void> {
  const link = await Link.open(await echoTarget());
  const payload = payloadOf(kind, size);
  link.peer.write(...fragments(kind.opcode, payload, fragment));
  await expectEcho(link, kind.opcode, payload);
  await closeCleanly(link);
}

/** One frame, in packets of this size, each read by the server before the next is sent. */
async function echoChopped(kind: Kind, size: number, chop: number): Promise<void> {
  const link = await Link.open(await echoTarget());
  const payload = payloadOf(kind, size);
  const [frame] = fragments(kind.opcode, payload);
  const offsets = Array.from({ length: Math.ceil(frame!.length / chop) }, (_, i) => i * chop);
  for (const packet of every.cut(frame!, offsets)) await link.send(packet);
  await expectEcho(link, kind.opcode, payload);
  await closeCleanly(link);
}

/** Messages one after the other, each sent when the one before has come back. */
async function echoMany(kind: Kind, size: number, count: number): Promise<void> {
  const link = await Link.open(await echoTarget());
  const payload = payloadOf(kind, size);
  const frame = fragments(kind.opcode, payload);
  for (let i = 0; i < count; i++) {
    link.peer.write(...frame);
    await expectEcho(link, kind.opcode, payload);
  }
  await closeCleanly(link);
}

function large(section: string, kind: Kind): Case[] {
  const sizes = [64 * KIB, 256 * KIB, MIB, 4 * MIB, 8 * MIB, 16 * MIB];
  return sizes.map((full, i) => ({
    id: `${section}.${i + 1}`,
    title: `echoes ${full / SCALE} bytes of ${kind.name}`,
    run: () => echoOne(kind, full / SCALE),
  }));
}

function fragmented(section: string, kind: Kind): Case[] {
  const size = (4 * MIB) / SCALE;
  const pieces = [64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB];
  return pieces.map((piece, i) => ({
    id: `${section}.${i + 1}`,
    title: `echoes ${size} bytes of ${kind.name} in fragments of ${piece}`,
    run: () => echoOne(kind, size, piece),
  }));
}

function chopped(section: string, kind: Kind): Case[] {
  const size = MIB / SCALE;
  return [64, 128, 256, 512, 1024, 2048].map((chop, i) => ({
    id: `${section}.${i + 1}`,
    title: `echoes ${size} bytes of ${kind.name} in packets of ${chop}`,
    run: () => echoChopped(kind, size, chop),
  }));
}

function many(section: string, kind: Kind): Case[] {
  const count = IS_FULL ? 1000 : 100;
  return [0, 16, 64, 256, 1024, 4096].map((size, i) => ({
    id: `${section}.${i + 1}`,
    title: `echoes ${count} messages of ${size} bytes of ${kind.name}`,
    run: () => echoMany(kind, size, count),
  }));
}

/** 9 limits and performance. */
export const LIMITS: readonly Case[] = [
  ...large('9.1', TEXT),
  ...large('9.2', BINARY),
  ...fragmented('9.3', TEXT),
  ...fragmented('9.4', BINARY),
  ...chopped('9.5', TEXT),
  ...chopped('9.6', BINARY),
  ...many('9.7', TEXT),
  ...many('9.8', BINARY),
];
