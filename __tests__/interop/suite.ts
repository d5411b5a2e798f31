import { route, type SocketOf } from '../../lib';
import { deferred, serve, stopAll } from '../scenarios/support/server';
import type { Client, ClientLibrary, Closed, Message } from './client';

/*
 * What every client has to live through with us, once for all of them: a test file of this folder
 * brings its client and gets all of it.
 */

/** Around every change of the length's encoding (RFC 6455 §5.2), up to the default `maxPayload`. */
const LENGTHS = [0, 1, 125, 126, 65_535, 65_536, 1_048_576];

/** The first and the last code point of each length in UTF-8, and what lies around the surrogates. */
const TEXTS: [what: string, text: string][] = [
  ['one byte', '\u0000 \u007f'],
  ['two bytes', '\u0080 é \u07ff'],
  ['three bytes', '\u0800 € \ud7ff \ue000 \uffff'],
  ['four bytes', '\u{10000} 😀 \u{10ffff}'],
  ['joined and combined', '👩‍👩‍👧‍👦 e\u0301 नमस्ते'],
];

/** Texts are cut between characters: some clients send a fragment only as text of its own. */
const FRAGMENTS: [what: string, parts: Message[]][] = [
  ['text in two', ['Hel', 'lo']],
  ['text in three, of several bytes a character', ['é€', '😀', '\u{10ffff}']],
  ['bytes in three', [Buffer.alloc(1, 1), Buffer.alloc(126, 2), Buffer.alloc(65_536, 3)]],
  ['bytes with empty fragments', [Buffer.alloc(0), Buffer.from([0, 255]), Buffer.alloc(0)]],
];

const LONGEST_REASON = `${'😀'.repeat(30)}end`;

/** Codes that a browser may send, as clients made in its image allow no others. */
const CLIENT_CLOSES: [code: number, reason: string][] = [
  [1000, ''],
  [1000, 'done'],
  [3000, 'a library'],
  [4999, 'an app — é€😀'],
  [4000, LONGEST_REASON],
];

const SERVER_CLOSES: [code: number, reason: string][] = [
  [1000, ''],
  [1000, 'done'],
  [1001, 'going away'],
  [1008, 'policy'],
  [1011, ''],
  [1013, 'later'],
  [3000, 'a library'],
  [4999, 'an app — é€😀'],
  [4000, LONGEST_REASON],
];

const PAYLOADS = [Buffer.alloc(0), Buffer.from('Hello'), Buffer.alloc(125, 0xff)];

/** The whole suite for one client. */
// eslint-disable-next-line jest/no-export -- a helper that makes suites, not one itself
export function describeClient(name: string, library: ClientLibrary): void {
  describe(name, () => {
    afterEach(stopAll);

    describeEcho(library);
    describeFragments(library);
    describeProtocols(library);
    describeClose(library);
    describePings(library);
  });
}

function describeEcho(library: ClientLibrary): void {
  describe('§5.6 messages', () => {
    it.each(LENGTHS)('come back as text of %i bytes', async (length) => {
      await expectEcho(library, textOf(length));
    });

    it.each(LENGTHS)('come back as binary of %i bytes', async (length) => {
      await expectEcho(library, bytesOf(length));
    });

    it.each(TEXTS)('come back with characters of %s', async (_what, text) => {
      await expectEcho(library, text);
    });

    it('reach us with the byte order mark that is in front', async () => {
      const { client, received } = await open(library);
      await client.send('\ufeffx');
      await client.receive();
      expect(received).toEqual(['\ufeffx']);
    });

    it('come back in order when many are sent at once, text and binary', async () => {
      const { client } = await open(library);
      const messages = Array.from({ length: 100 }, (_, i) =>
        i % 3 === 0 ? textOf(i) : bytesOf(i * 50),
      );
      for (const message of messages) await client.send(message);
      for (const message of messages) expectSame(await client.receive(), message);
    });
  });
}

function describeFragments(library: ClientLibrary): void {
  describe('§5.4 fragmentation', () => {
    it.each(FRAGMENTS)('puts our %s together at the client', async (_what, parts) => {
      const { client, socket } = await open(library);
      parts.forEach((part, i) => socket.send(part, { fin: i === parts.length - 1 }));
      expectSame(await client.receive(), whole(parts));
    });

    if (!library.can.includes('send fragments')) return;

    it.each(FRAGMENTS)("puts the client's %s together here", async (_what, parts) => {
      const { client, received } = await open(library);
      await client.sendFragments?.(parts);
      expectSame(await client.receive(), whole(parts));
      expect(received.length).toBe(1);
    });
  });
}

function describeProtocols(library: ClientLibrary): void {
  describe('§1.9 subprotocols', () => {
    const offers: [offer: string[], chosen: string][] = [
      [[], ''],
      [['chat.v1'], 'chat.v1'],
      [['chat.v1', 'chat.v2'], 'chat.v2'],
      [['other', 'chat.v1'], 'chat.v1'],
    ];

    it.each(offers)('are chosen by us: of %j, %j', async (offer, chosen) => {
      const { client, socket } = await open(library, offer);
      expect([client.protocol, socket.protocol]).toEqual([chosen, chosen]);
    });

    it('are refused before the socket opens when there is none in common', async () => {
      await expect(open(library, ['other'])).rejects.toThrow();
    });
  });
}

function describeClose(library: ClientLibrary): void {
  describe('§7.1 the close', () => {
    it.each(CLIENT_CLOSES)('of the client with %i %j is seen here', async (code, reason) => {
      const { client, closed } = await open(library);
      await client.close(code, reason);
      expect(await closed).toEqual([code, reason]);
      // §5.5.1: the answer to a close frame echoes its code.
      expect((await client.closed())[0]).toBe(code);
    });

    it.each(SERVER_CLOSES)('of ours with %i %j is seen by the client', async (code, reason) => {
      const { client, socket, closed } = await open(library);
      socket.close(code, reason);
      expect(await client.closed()).toEqual([code, reason]);
      expect((await closed)[0]).toBe(code);
      expect(socket.wasClean).toBe(true);
    });

    it('comes behind what was sent before it', async () => {
      const { client, socket } = await open(library);
      socket.send('last words');
      socket.close();
      expect(await client.receive()).toBe('last words');
      expect(await client.closed()).toEqual([1000, '']);
    });
  });
}

function describePings(library: ClientLibrary): void {
  describe('§5.5.2 pings', () => {
    it.each(PAYLOADS)('of ours are answered by the client: %j', async (payload) => {
      const { socket } = await open(library);
      const ponged = deferred<Buffer>();
      socket.once('pong', ponged.resolve);
      socket.ping(payload);
      expectSame(await ponged.promise, payload);
    });

    if (library.can.includes('see pings')) {
      it.each(PAYLOADS)('of ours reach the client whole: %j', async (payload) => {
        const { client, socket } = await open(library);
        const pinged = client.pinged?.();
        socket.ping(payload);
        expectSame(await pinged, payload);
      });
    }

    if (library.can.includes('send pings')) {
      it.each(PAYLOADS)('of the client are answered by us: %j', async (payload) => {
        const { client, socket } = await open(library);
        const pinged = deferred<Buffer>();
        socket.once('ping', pinged.resolve);
        await client.ping?.(payload);
        expectSame(await pinged.promise, payload);
      });
    }
  });
}

/** An open connection, from both sides. */
interface Connection {
  readonly client: Client;
  readonly socket: SocketOf<ReturnType<typeof echo>['route']>;
  /** What our side has got. */
  readonly received: readonly Message[];
  /** How it ended for our side. */
  readonly closed: Promise<Closed>;
}

function echo() {
  const received: Message[] = [];
  const closed = deferred<Closed>();
  const echoes = route(
    '/echo',
    { protocols: ['chat.v2', 'chat.v1'] },
    {
      message(socket, data) {
        received.push(data);
        socket.send(data);
      },
      close: (_socket, code, reason) => closed.resolve([code, reason]),
    },
  );
  return { route: echoes, received, closed: closed.promise };
}

async function open(library: ClientLibrary, protocols: string[] = []): Promise<Connection> {
  const { route: echoes, received, closed } = echo();
  const running = await serve([echoes]);
  const client = await library.connect(running, '/echo', protocols);
  const [socket] = running.sockets.of(echoes).clients;
  return { client, socket: socket!, received, closed };
}

async function expectEcho(library: ClientLibrary, message: Message): Promise<void> {
  const { client, received } = await open(library);
  await client.send(message);
  expectSame(await client.receive(), message);
  expect(received.length).toBe(1);
  expectSame(received[0], message);
}

/** Without printing a megabyte when it is not. */
function expectSame(actual: Message | undefined, expected: Message): void {
  expect(describeMessage(actual)).toEqual(describeMessage(expected));
  const isSame =
    typeof expected === 'string' ? actual === expected : expected.equals(bytes(actual));
  expect(isSame).toBe(true);
}

function describeMessage(message: Message | undefined): object {
  const isText = typeof message === 'string';
  return { isText, length: message?.length, start: bytes(message).toString('hex', 0, 32) };
}

function bytes(message: Message | undefined): Buffer {
  return Buffer.from((message ?? '') as string);
}

function whole(parts: readonly Message[]): Message {
  return parts.every((part) => typeof part === 'string')
    ? parts.join('')
    : Buffer.concat(parts.map(bytes));
}

/** This many bytes of UTF-8, mostly of characters of several bytes. */
function textOf(length: number): string {
  const characters = 'é€😀';
  const size = Buffer.byteLength(characters);
  return characters.repeat(length / size) + 'x'.repeat(length % size);
}

/** Every byte there is, in a period that is no power of two. */
function bytesOf(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, i) => (i % 257) & 0xff));
}
