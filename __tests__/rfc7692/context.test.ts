import { Buffer } from 'node:buffer';
import { route, type Socket } from '../../lib';
import { stopAll } from '../scenarios/support/server';
import { hex } from '../support/bytes';
import { fragments } from '../rfc6455/support/frames';
import { closeCleanly, expectSameBytes } from '../rfc6455/support/messages';
import { echoTarget, Link, target, type Target } from '../rfc6455/support/target';
import { readFrames, transcript } from '../rfc6455/support/transcript';
import { expectEveryWay } from '../rfc6455/support/ways';
import { deflateTarget, IN_CONTEXT, offering, readEcho } from './support/offers';
import { JSON_TEXT } from './support/test-data';
import { termsOf } from './support/terms';
import { Compressor, deflateAlone, Expander, inflateInContext } from './support/zlib';

/*
 * RFC 7692 §7.2: a context is made of the compressed messages of one direction in the order of the
 * wire, whatever else happens on the connection and however long a message takes to be compressed.
 */

afterEach(stopAll);

/** Parts of one text, small and large in turn, as messages that have much in common. */
const SIZES = [300, 60_000, 20, 5000, 131_072, 1, 900, 40_000, 33_000, 10, 80_000, 700];
const MESSAGES = SIZES.map(
  (size, i) => `${i}:${(JSON_TEXT as string).slice(i * 50, i * 50 + size)}`,
);

const TAKEOVER = { threshold: 0, contextTakeover: true } as const;

/** A client with its offer, which understands what the server says on its connection. */
class Reader {
  readonly #link: Link;
  readonly #expander: Expander;

  private constructor(link: Link, expander: Expander) {
    this.#link = link;
    this.#expander = expander;
  }

  static async open(server: Target, offer: string): Promise<Reader> {
    const link = await Link.open(server, undefined, offering(offer));
    const { serverTakeover, serverBits } = termsOf(link.head)!;
    return new Reader(link, new Expander(serverTakeover, serverBits));
  }

  async next(): Promise<string> {
    const { isCompressed, payload } = await readEcho(this.#link);
    return (isCompressed ? await this.#expander.expand(payload) : payload).toString();
  }

  close(): void {
    this.#expander.close();
  }
}

/** All messages as one client sends them, each with those before it as its context. */
async function compressedInContext(): Promise<Buffer[]> {
  const compressor = new Compressor(true, 15);
  const frames: Buffer[] = [];
  for (const message of MESSAGES) {
    frames.push(...fragments(0x41, await compressor.compress(Buffer.from(message)), 7000));
  }
  compressor.close();
  return frames;
}

describe('the order of the wire', () => {
  it.each([
    ['with a context', TAKEOVER],
    ['without', { threshold: 0 }],
  ])('is that of the calls, for messages of any size, %s', async (_what, perMessageDeflate) => {
    const open = route('/r', { perMessageDeflate, maxBackpressure: 2 ** 24 }, (socket) => {
      for (const message of MESSAGES) socket.send(message);
    });
    const client = await Reader.open(await target([open], '/r'), 'permessage-deflate');
    for (const message of MESSAGES) expectSame(await client.next(), message);
    client.close();
  });

  it('is kept by an echo of messages that come in one packet, up to the close', async () => {
    const told: string[] = [];
    const options = { perMessageDeflate: TAKEOVER, maxBackpressure: 2 ** 24 };
    const handlers = {
      message(socket: Pick<Socket, 'send'>, data: string | Buffer) {
        told.push(data.toString());
        socket.send(data);
      },
    };
    const server = await target([route('/r', options, handlers)], '/r');
    const link = await Link.open(server, undefined, offering('permessage-deflate'));
    link.peer.write(...(await compressedInContext()), hex('88 82 00000000 03e8'));
    const lines = transcript(readFrames(await link.peer.readToEnd()), inflateInContext());
    MESSAGES.forEach((message, i) => expectSame(told[i] ?? '', message));
    const starts = (messages: readonly string[]): string[] =>
      messages.map((message) => message.slice(0, 12));
    const expected = MESSAGES.map((message) => `text ${JSON.stringify(message)}`);
    // What was sent before the close came is before the close that answers it (§5.5.1 of RFC 6455).
    expect(starts(lines)).toEqual(starts([...expected, 'close 1000 ']));
    expected.forEach((line, i) => expectSame(lines[i]!, line));
  });

  it('puts the close of the server behind all that was sent before it', async () => {
    const options = { perMessageDeflate: TAKEOVER, maxBackpressure: 2 ** 24 };
    const open = route('/r', options, (socket) => {
      for (const message of MESSAGES) socket.send(message);
      socket.close(4000);
    });
    const link = await Link.open(
      await target([open], '/r'),
      undefined,
      offering('permessage-deflate'),
    );
    const inflate = inflateInContext();
    for (const message of MESSAGES) {
      const { isCompressed, payload } = await readEcho(link);
      expectSame((isCompressed ? inflate(payload) : payload).toString(), message);
    }
    await link.peer.expectClose(4000);
  });

  it('is kept between large messages and those that were not compressed', async () => {
    const open = route(
      '/r',
      { perMessageDeflate: TAKEOVER, maxBackpressure: 2 ** 24 },
      (socket) => {
        MESSAGES.forEach((message, i) => socket.send(message, { compress: i % 3 !== 0 }));
      },
    );
    const client = await Reader.open(await target([open], '/r'), 'permessage-deflate');
    for (const message of MESSAGES) expectSame(await client.next(), message);
    client.close();
  });
});

describe('messages to many', () => {
  const offers = [
    'permessage-deflate',
    'permessage-deflate; server_max_window_bits=9',
    'permessage-deflate; server_no_context_takeover; server_max_window_bits=12',
  ];

  it('fit into the context of each of them, between its own', async () => {
    const sockets: Socket[] = [];
    const options = { perMessageDeflate: TAKEOVER, maxBackpressure: 2 ** 24 };
    const room = route('/r', options, (socket) => {
      socket.join('all');
      sockets.push(socket);
    });
    const server = await target([room], '/r');
    const clients = [];
    for (const offer of offers) clients.push(await Reader.open(server, offer));
    for (const message of MESSAGES) {
      for (const socket of sockets) socket.send(`own ${message}`);
      server.sockets.to('all').send(`all ${message}`);
    }
    for (const client of clients) {
      const heard: string[] = [];
      for (let left = 2 * MESSAGES.length; left > 0; left--) heard.push(await client.next());
      for (const whose of ['own', 'all']) {
        const theirs = heard.filter((message) => message.startsWith(whose));
        MESSAGES.forEach((message, i) => expectSame(theirs[i]!, `${whose} ${message}`));
      }
      client.close();
    }
  });
});

describe('the context of a client', () => {
  it('is not touched by messages that are not compressed, nor by control frames', async () => {
    const first = deflateAlone('Hello');
    const again = hex('f200110000');
    const frames = [
      ...fragments(0x41, first),
      ...fragments(0x1, Buffer.from('J'.repeat(20_000)), 15_000),
      ...fragments(0x89, Buffer.from('Hello')),
      ...fragments(0x41, again),
    ];
    const heard = [
      'text "Hello"',
      `text "${'J'.repeat(20_000)}"`,
      'pong 48656c6c6f',
      'text "Hello"',
    ];
    await expectEveryWay(await deflateTarget(TAKEOVER), { frames, heard }, IN_CONTEXT);
  });

  it('is its own: what one connection has said, no other can refer to', async () => {
    const server = await deflateTarget(TAKEOVER);
    const [one, other] = [await openOn(server), await openOn(server)];
    one.peer.write(...fragments(0x41, deflateAlone('Hello')));
    await readEcho(one);
    other.peer.write(...fragments(0x41, hex('f200110000')));
    await other.peer.expectClose(1007);
    one.peer.write(...fragments(0x41, hex('f200110000')));
    await readEcho(one);
    await closeCleanly(one);
  });

  it('is as large as was agreed on: 32 KiB before, it can still be referred to', async () => {
    const link = await openOn(await echoTarget({ perMessageDeflate: { contextTakeover: true } }));
    const compressor = new Compressor(true, 15);
    const start = Buffer.from((JSON_TEXT as string).slice(0, 2000));
    const filler = Buffer.alloc(30_000, '0123456789abcdef');
    for (const message of [start, filler, start, filler, filler, start]) {
      link.peer.write(...fragments(0x42, await compressor.compress(message)));
      const { isCompressed } = await readEcho(link);
      expect(isCompressed).toBe(true);
    }
    compressor.close();
    await closeCleanly(link);
  });

  const openOn = (server: Target): Promise<Link> =>
    Link.open(server, undefined, offering('permessage-deflate'));
});

/** Compares without printing all of it where they differ. */
function expectSame(actual: string, expected: string): void {
  expectSameBytes(Buffer.from(actual), Buffer.from(expected));
}
