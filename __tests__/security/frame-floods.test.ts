import { handshake, Peer } from '../scenarios/support/peer';
import { stopAll } from '../scenarios/support/server';
import { hex, repeat } from '../support/bytes';
import { heard, ServerChild } from './frame-child';
import { weakenedPart, type Weakening } from './weakened';

const M = '00000000';

afterEach(stopAll);
jest.setTimeout(60_000);

describe('L-1 sockets that declare maxPayload and send nothing more', () => {
  const believed: Weakening = {
    file: 'protocol/assembly.ts',
    replace: 'if (needed <= this.#buffer.length) return;',
    by: 'needed = enough;',
  };

  async function heldBy(count: number, ...without: Weakening[]): Promise<number> {
    const server = await ServerChild.start(without);
    const peers = await server.peers(count);
    const before = await server.held();
    for (const peer of peers) peer.write(hex(`82 FF 0000000000100000 ${M}`));
    await server.read();
    return (await server.held()).held - before.held;
  }

  it('L-1 hold less than 1 MB together, a thousand of them', async () => {
    expect(await heldBy(1000)).toBeLessThan(1_000_000);
  });

  it('L-1 hold what they declare where that is believed', async () => {
    expect(await heldBy(10, believed)).toBeGreaterThan(1_000_000);
  });
});

describe('L-6 a reserved bit that nobody listens for', () => {
  const thrown: Weakening = {
    file: 'socket/session.ts',
    replace: "this.#emit('error', [error]);",
    by: "this.socket.emit('error', error);",
  };

  async function attack(server: ServerChild, first: string): Promise<Peer> {
    const peer = await Peer.connect(server.port);
    peer.write(handshake('/'), hex(`${first} 80 ${M}`));
    await peer.readHead();
    return peer;
  }

  it('L-6 in the first packet ends its socket, and nothing else', async () => {
    const server = await ServerChild.start();
    const neighbour = await server.peer();
    for (const first of ['C2', 'A2', '92', 'F2']) {
      await (await attack(server, first)).expectClose(1002);
      expect(await heard(neighbour)).toBe(true);
    }
  });

  it('L-6 ends the process where the error needs a listener', async () => {
    const server = await ServerChild.start([thrown]);
    const [neighbour, peer] = (await server.peers(2)) as [Peer, Peer];
    peer.write(hex(`A2 80 ${M}`));
    await peer.closed;
    await expect(heard(neighbour)).rejects.toThrow('the server ended');
  });
});

describe('L-11 a million frames in one buffer', () => {
  /** The loop over the frames of a read as a recursion. */
  const recursive: Weakening = {
    file: 'protocol/decoder.ts',
    replace: "while (at < chunk.length && this.#flow === 'running') {",
    by: `const next = (): number => {
      if (at >= chunk.length) return at;
      at = this.#remaining > 0 ? this.#gather(chunk, at) : this.#frame(chunk, at);
      return next();
    };
    next();
    while (at < chunk.length) {`,
  };
  const empty = repeat(`82 80 ${M}`, 1_000_000);
  const fragments = Buffer.concat([
    hex(`02 81 ${M} 61`),
    repeat(`00 81 ${M} 61`, 65_534),
    hex(`80 81 ${M} 61`),
  ]);

  /** Messages and their bytes. */
  function decode(bytes: Buffer, ...without: Weakening[]): readonly [number, number] {
    const { Decoder } = weakenedPart('protocol/decoder', ...without);
    let messages = 0;
    let sum = 0;
    const ignore = (): void => {};
    const sink = {
      onMessage(data: string | Buffer): void {
        messages++;
        sum += data.length;
      },
      onCompressed: ignore,
      onSpent: ignore,
      onPing: ignore,
      onPong: ignore,
      onClose: ignore,
    };
    new Decoder({ maxPayload: 2 ** 20, maxFragments: 65_536 }, sink).push(Buffer.from(bytes));
    return [messages, sum];
  }

  it('L-11 are decoded one after another', () => {
    expect(decode(empty)).toEqual([1_000_000, 0]);
    expect(decode(fragments)).toEqual([1, 65_536]);
  });

  it.each([
    ['messages', empty],
    ['fragments', fragments],
  ])('L-11 overflow the stack where each %s calls for the next', (_what, bytes) => {
    // Another realm's: by its name.
    expect(() => decode(bytes, recursive)).toThrow(expect.objectContaining({ name: 'RangeError' }));
  });

  it('L-11 are heard by a server, whose neighbours go on', async () => {
    const server = await ServerChild.start();
    const [peer, neighbour] = (await server.peers(2)) as [Peer, Peer];
    peer.write(empty);
    expect(await heard(neighbour)).toBe(true);
    expect(await heard(peer)).toBe(true);
  });
});

describe('L-11 a transport that fails inside of write', () => {
  /** Nobody listens to what goes wrong with the transport. */
  const deaf: readonly Weakening[] = [
    {
      file: 'socket/transport.ts',
      replace: ".on('error', onError)",
      by: '',
    },
  ];

  async function attack(...without: readonly Weakening[]): Promise<ServerChild> {
    const server = await ServerChild.start(without);
    const peer = await Peer.open(server.port, '/broken');
    peer.write(hex(`89 80 ${M} 89 80 ${M} 88 80 ${M}`));
    await peer.closed;
    return server;
  }

  it('L-11 ends its socket, and nothing else', async () => {
    const server = await attack();
    expect(await heard(await server.peer())).toBe(true);
  });

  it('L-11 ends the process where nobody listens to the transport', async () => {
    const server = await attack(...deaf);
    await expect(server.peer()).rejects.toThrow();
  });
});
