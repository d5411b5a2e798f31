import type { AttachOptions } from '../../lib';
import { Child, type Ended } from '../scenarios/support/child';
import { handshake, Peer } from '../scenarios/support/peer';
import { hex } from '../support/bytes';
import { weakenedDirectory, type Weakening } from './weakened';

/** What a process holds; bytes and milliseconds. */
export interface Held {
  /** The heap and what lies outside of it, after a collection. */
  readonly held: number;
  readonly arrayBuffers: number;
  readonly rss: number;
  /** The most that ever was resident. */
  readonly maxRss: number;
  /** The longest turn of the event loop since the last time. */
  readonly blockedMs: number;
}

const PING = hex('89 81 00000000 61');

/** A server in a process of its own, of a build, whose memory can be looked at. */
export class ServerChild {
  readonly port: number;
  readonly #child: Child;
  readonly #known = new Set<Peer>();
  #asked = 0;

  private constructor(child: Child, port: number) {
    this.#child = child;
    this.port = port;
  }

  static async start(
    without: readonly Weakening[] = [],
    options: AttachOptions = {},
  ): Promise<ServerChild> {
    const args = [weakenedDirectory(...without), JSON.stringify(options)];
    const script = '../../security/children/frame-server.mjs';
    const child = new Child(script, args, ['--expose-gc']);
    return new ServerChild(child, await child.says<number>('port'));
  }

  get isRunning(): boolean {
    return this.#child.isRunning;
  }

  get ended(): Promise<Ended> {
    return this.#child.ended;
  }

  /** What it holds at this moment. */
  held(): Promise<Held> {
    return this.#ask('held', '');
  }

  /** Waits until it has read all that was written to it. */
  read(): Promise<unknown> {
    const bytes = [...this.#known].reduce((sum, { socket }) => sum + socket.bytesWritten, 0);
    return this.#ask('read', ` ${bytes}`);
  }

  /** Waits until no more than one peer is left. */
  empty(): Promise<unknown> {
    return this.#ask('empty', '');
  }

  /** One of {@link peers}. */
  async peer(path = '/', extensions?: string): Promise<Peer> {
    const [peer] = await this.peers(1, path, extensions);
    if (peer === undefined) throw new Error('no peer');
    return peer;
  }

  /** Opens so many sockets; each has been used once, so that what is made only then is there. */
  async peers(count: number, path = '/', extensions?: string): Promise<Peer[]> {
    const peers: Peer[] = [];
    for (let i = 0; i < count; i += 50) {
      const some = Array.from({ length: Math.min(50, count - i) }, () =>
        openWith(this.port, path, extensions),
      );
      peers.push(...(await Promise.all(some)));
    }
    await Promise.all(peers.map(heard));
    for (const peer of peers) this.#known.add(peer);
    return peers;
  }

  #ask<T>(word: string, argument: string): Promise<T> {
    const name = `${word}${++this.#asked}`;
    this.#child.tell(name + argument);
    return this.#child.says<T>(name);
  }
}

/** Resolves when the server has decoded all that was sent; false when it closed instead. */
export async function heard(peer: Peer): Promise<boolean> {
  peer.write(PING);
  return (await peer.readFrame()).first === 0x8a;
}

async function openWith(port: number, path: string, extensions?: string): Promise<Peer> {
  const peer = await Peer.connect(port);
  peer.write(handshake(path, { 'Sec-WebSocket-Extensions': extensions }));
  expect(await peer.readHead()).toMatch(/^HTTP\/1\.1 101 /);
  return peer;
}
