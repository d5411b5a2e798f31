import { clientFrame, hex } from '../support/bytes';
import { Child } from '../scenarios/support/child';
import { handshake, Peer } from '../scenarios/support/peer';
import { stopAll, turns } from '../scenarios/support/server';
import { buildWithout, isFull } from './children/control-support';

afterEach(stopAll);

/** Frames of one kind, and how many of them one that is counted stands for. */
interface Kind {
  readonly what: string;
  /** Sent once, before all others. */
  readonly opening: string;
  readonly frames: string;
  readonly perCount: number;
}

const EMPTY_FRAGMENTS = '008000000000'.repeat(99);

const KINDS: readonly Kind[] = [
  { what: 'text of one byte', opening: '', frames: '81810000000061', perCount: 1 },
  { what: 'empty messages', opening: '', frames: '828000000000', perCount: 1 },
  { what: 'pings', opening: '', frames: '898000000000', perCount: 1 },
  { what: 'pongs', opening: '', frames: '8a8000000000', perCount: 1 },
  {
    what: 'empty fragments',
    opening: '028000000000',
    // Fragments are not told of; the pong between them is.
    frames: `${EMPTY_FRAGMENTS}8a8000000000`,
    perCount: 100,
  },
  { what: 'empty compressed messages', opening: '', frames: 'c18100000000 00', perCount: 1 },
];

/** RFC 7692 §7.1: offered, so that compressed frames are none that break a rule. */
const DEFLATE = { 'Sec-WebSocket-Extensions': 'permessage-deflate' };

const QUERY = clientFrame({ first: 0x81, payload: '?' });
const CHUNK = isFull ? 2_097_152 : 131_072;
const ROUNDS = 4;

/** How many frames that one socket may have had before another had its turn. */
const FEW = 8192;

async function startServer(build?: string): Promise<{ server: Child; port: number }> {
  const script = '../../security/children/control-fairness.mjs';
  const server = new Child(script, build === undefined ? [] : [build]);
  return { server, port: await server.says<number>('port') };
}

async function openFlooder(port: number, { opening }: Kind): Promise<Peer> {
  const peer = await Peer.connect(port);
  peer.write(handshake('/flood', DEFLATE));
  const head = await peer.readHead();
  expect(head).toMatch(/^HTTP\/1\.1 101 [^]*permessage-deflate/);
  // What it is answered is read, and forgotten.
  peer.socket.removeAllListeners('data').resume();
  peer.write(hex(opening));
  return peer;
}

/** How many frames of the flood the server has handled when it answers this. */
async function ask(victim: Peer): Promise<number> {
  victim.write(QUERY);
  return answerOf(victim);
}

async function answerOf(victim: Peer): Promise<number> {
  return Number((await victim.readFrame()).payload);
}

async function handledReach(victim: Peer, count: number): Promise<void> {
  while ((await ask(victim)) < count);
}

/**
 * While the server stands still, a flood arrives, and behind it a question of another socket. Then
 * it goes on: how many frames are handled before the question is answered? The most of some rounds,
 * for the system decides which of the two is read first; no further round when it is `enough`.
 */
async function framesBeforeAnswer(
  kind: Kind,
  { build, rounds, enough = Infinity }: { build?: string; rounds: number; enough?: number },
): Promise<number> {
  const { server, port } = await startServer(build);
  // One before the flooder, one behind it: whose bytes are read first may be the same in each round.
  const early = await Peer.open(port, '/echo');
  const flooder = await openFlooder(port, kind);
  const late = await Peer.open(port, '/echo');
  const unit = hex(kind.frames);
  const chunk = Buffer.concat(Array<Buffer>(Math.floor(CHUNK / unit.length)).fill(unit));
  const counted = chunk.length / unit.length;
  let most = 0;
  let handled = 0;
  for (let round = 0; round < rounds && most * kind.perCount <= enough; round++) {
    const victim = round % 2 === 0 ? late : early;
    server.process.kill('SIGSTOP');
    await turns(20);
    flooder.write(chunk);
    await turns(20);
    victim.write(QUERY);
    await turns(20);
    server.process.kill('SIGCONT');
    most = Math.max(most, (await answerOf(victim)) - handled);
    handled += counted;
    await handledReach(victim, handled);
  }
  return most * kind.perCount;
}

describe('T-FAIR-1 a flood, and a question of another socket in the same turn', () => {
  const endless = [
    ['socket/intake.ts', 'const FRAMES_PER_TURN = 512;', 'const FRAMES_PER_TURN = 1e9;'],
    ['socket/intake.ts', 'const BYTES_PER_TURN = 2_097_152;', 'const BYTES_PER_TURN = 1e12;'],
  ] as const;

  it.each(KINDS)(
    '$what: it is answered after a few of them',
    async (kind) => {
      const before = await framesBeforeAnswer(kind, { rounds: ROUNDS });
      process.stdout.write(`T-FAIR-1 ${kind.what}: answered after ${before} frames of the flood\n`);
      expect(before).toBeLessThanOrEqual(FEW);
    },
    60_000,
  );

  it.each(KINDS)(
    '$what: without the budget, it is answered after very many',
    async (kind) => {
      const before = await framesBeforeAnswer(kind, {
        build: buildWithout(...endless),
        rounds: 60,
        enough: FEW,
      });
      process.stdout.write(`T-FAIR-1 ${kind.what}, without the budget: after ${before} frames\n`);
      expect(before).toBeGreaterThan(FEW);
    },
    60_000,
  );
});

describe('T-FAIR-1 echoes while another socket floods without end', () => {
  const ECHOES = isFull ? 2000 : 50;

  /** p50 and p99 of echoes, in milliseconds. */
  async function echoTimes(port: number): Promise<{ p50: number; p99: number }> {
    const victim = await Peer.open(port, '/echo');
    const times: number[] = [];
    for (let round = 0; round < ECHOES; round++) {
      const begun = performance.now();
      await ask(victim);
      times.push(performance.now() - begun);
    }
    times.sort((one, other) => one - other);
    return { p50: times[Math.floor(ECHOES / 2)]!, p99: times[Math.floor(ECHOES * 0.99)]! };
  }

  /** Floods a server, in a process of its own. */
  async function flood(port: number, { opening, frames }: Kind): Promise<Child> {
    const script = '../../security/children/control-flooder.mjs';
    const child = new Child(script, [String(port), opening, frames.replaceAll(' ', '')]);
    await child.says('flooding');
    return child;
  }

  it('is no slower than beside a server that is flooded as much', async () => {
    const flooded = await startServer();
    const beside = await startServer();
    for (const kind of KINDS) {
      const flooder = await flood(flooded.port, kind);
      // The same load of the same machine; only the process is another one.
      const alone = await echoTimes(beside.port);
      const together = await echoTimes(flooded.port);
      flooder.process.kill('SIGKILL');
      process.stdout.write(
        `T-FAIR-1 ${kind.what}: p50 / p99 ${show(together)}, beside it ${show(alone)}\n`,
      );
      // The slowest of a few says more of the machine than of the server; the median does not.
      expect(together.p50).toBeLessThan(20 + 20 * alone.p50);
      if (isFull) expect(together.p99).toBeLessThan(20 + 20 * alone.p99);
    }
  }, 120_000);
});

function show({ p50, p99 }: { readonly p50: number; readonly p99: number }): string {
  return `${p50.toFixed(1)} / ${p99.toFixed(1)} ms`;
}
