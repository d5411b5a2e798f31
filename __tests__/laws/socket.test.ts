import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { startSocket } from '../../lib/socket/socket';
import { anyBytes, lawfulStream, offsets } from '../protocol/arbitraries';
import { binary, cut, decode, text } from '../protocol/every-way';
import { makeWire, turns, until, type Wire } from '../socket/wire';

const LIMITS = { maxPayload: 300, maxFragments: 60 };

/** How bytes come to a socket. */
interface Way {
  readonly chunks: readonly Buffer[];
  /** The first chunk comes right behind the handshake. */
  readonly hasHead: boolean;
  /** Every chunk is read before the next one is written. */
  readonly isSlow: boolean;
}

/** What the user hears, in the lines of `every-way`. */
function listen({ socket }: Wire): string[] {
  const heard: string[] = [];
  socket.on('message', (data) => {
    heard.push(typeof data === 'string' ? text(data) : binary((data as Buffer).toString('hex')));
  });
  socket.on('ping', (payload) => heard.push(`ping ${payload.toString('hex')}`));
  socket.on('pong', (payload) => heard.push(`pong ${payload.toString('hex')}`));
  socket.on('close', (code) => heard.push(`close ${code}`));
  return heard;
}

/** Sends the chunks and a FIN, and waits for the close. */
async function talk(way: Way): Promise<{ heard: string[]; wire: Wire }> {
  const wire = makeWire({ settings: LIMITS, start: false });
  const { peer, socket } = wire;
  const heard = listen(wire);
  const head = way.hasHead ? way.chunks.slice(0, 1) : [];
  startSocket(socket, () => undefined, Buffer.concat(head));
  for (const chunk of way.chunks.slice(head.length)) {
    peer.stream.write(chunk);
    if (way.isSlow) await turns(1);
  }
  peer.stream.end();
  await until(() => wire.closes.length > 0, 'the close');
  return { heard, wire };
}

/** What the decoder makes of the bytes; a FIN without a close frame is 1006 (§7.1.5). */
function expectedOf(bytes: Buffer): string[] {
  const lines = decode([Buffer.from(bytes)], LIMITS);
  const last = lines.at(-1)?.split(' ') ?? [];
  if (last[0] !== 'fault' && last[0] !== 'close') return [...lines, 'close 1006'];
  return [...lines.slice(0, -1), `close ${last[1] ?? ''}`];
}

/** §5.5.1: none where the peer left without one, else one, as the last frame, with the peer's code. */
function expectAnswer({ peer }: Wire, close: string): void {
  const code = { 'close 1005': 'none', 'close 1006': undefined }[close] ?? close.split(' ')[1];
  expect(peer.closes).toEqual(close === 'close 1006' ? [] : [code]);
  if (close !== 'close 1006') expect(peer.frames.at(-1)?.first).toBe(0x88);
}

/** §5.5.3: pongs in the order of the pings; a peer that does not read gets the last one answered. */
function expectPongs({ peer }: Wire, heard: readonly string[]): void {
  const pings = heard.filter((line) => line.startsWith('ping')).map((line) => line.slice(5));
  for (const { payload } of peer.of(0x8a)) {
    const at = pings.indexOf(payload.toString('hex'));
    expect(at).toBeGreaterThanOrEqual(0);
    pings.splice(0, at + 1);
  }
}

describe('whatever a client sends to a socket, however it is cut', () => {
  const way = fc.record({ at: offsets(600), hasHead: fc.boolean(), isSlow: fc.boolean() });

  it('means what it means to the decoder, and ends in one close', async () => {
    await fc.assert(
      fc.asyncProperty(anyBytes, way, async (bytes, { at, hasHead, isSlow }) => {
        const expected = expectedOf(bytes);
        const { heard, wire } = await talk({ chunks: cut(bytes, at), hasHead, isSlow });
        expect(heard).toEqual(expected);
        expectAnswer(wire, expected.at(-1) ?? '');
        expectPongs(wire, heard);
        expect(wire.reports).toEqual([]);
        expect(wire.released).toEqual([wire.socket]);
      }),
      { numRuns: 300 },
    );
  });

  it('is kept in order, and whole, while user code pauses now and then', async () => {
    await fc.assert(
      fc.asyncProperty(lawfulStream, way, fc.nat({ max: 3 }), async (stream, cuts, every) => {
        const wire = makeWire({ start: false });
        const heard = listen(wire);
        const { socket, peer } = wire;
        socket.on('message', () => {
          if (heard.length % (every + 1) !== 0) return;
          socket.pause();
          setImmediate(() => socket.resume());
        });
        const chunks = cut(stream.bytes, cuts.at);
        startSocket(socket, () => undefined, Buffer.alloc(0));
        for (const chunk of chunks) peer.stream.write(chunk);
        peer.stream.end();
        await until(() => wire.closes.length > 0, 'the close');
        expect(heard).toEqual([...stream.heard, 'close 1006']);
      }),
      { numRuns: 200 },
    );
  });
});
