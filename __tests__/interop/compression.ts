import { once } from 'node:events';
import type { Socket as NetSocket } from 'node:net';
import { route, type SocketOf } from '../../lib';
import { serve, stopAll, type Running } from '../scenarios/support/server';
import type { Message } from './client';
import type { CompressingClient, CompressingLibrary } from './compressing-client';

/*
 * RFC 7692 with clients that others have written: what each of them compresses we inflate, and the
 * other way round, message behind message on one connection.
 */

const LENGTHS = [0, 1, 125, 126, 1000, 16_384, 65_535, 65_536, 300_000, 1_048_576];

const TOTAL = LENGTHS.reduce((sum, length) => sum + length, 0);

/** The suite for one client. */
// eslint-disable-next-line jest/no-export -- a helper that makes suites, not one itself
export function describeCompression(name: string, library: CompressingLibrary): void {
  describe(name, () => {
    afterEach(stopAll);

    describe.each([false, true])('contextTakeover %p', (contextTakeover) => {
      it.each<[string, (length: number) => Message]>([
        ['text', textOf],
        ['binary', (length) => Buffer.from(textOf(length))],
      ])('compresses %s of 0 bytes to 1 MiB both ways', async (_kind, make) => {
        const { client, socket, wire } = await open(library, contextTakeover);
        expect(socket.extensions).toMatch(/^permessage-deflate/);
        expect(socket.extensions.includes('server_no_context_takeover')).toBe(!contextTakeover);
        for (const length of LENGTHS) {
          const message = make(length);
          await client.send(message);
          const echoed = await client.receive();
          expect([typeof echoed, echoed.length]).toEqual([typeof message, message.length]);
          expect(Buffer.from(echoed as string).equals(Buffer.from(message as string))).toBe(true);
        }
        expect(wire.bytesWritten).toBeLessThan(TOTAL / 10);
        expect(wire.bytesRead < TOTAL / 10).toBe(library.compresses);
        await client.close();
      });

      it('makes messages that are alike smaller with a context, in order', async () => {
        const { client, socket, wire } = await open(library, contextTakeover);
        const messages = Array.from({ length: 100 }, (_, i) => JSON.stringify({ ...ROW, id: i }));
        const before = wire.bytesWritten;
        for (const message of messages) socket.send(message);
        for (const message of messages) expect(await client.receive()).toBe(message);
        const perMessage = (wire.bytesWritten - before) / messages.length;
        expect(perMessage < 40).toBe(contextTakeover);
        await client.close();
      });
    });
  });
}

/** Nothing in it comes twice, so that only a context helps. */
const ROW = {
  subject: 'Quick brown fox, jumped by lazy dogs',
  when: '2031-07-26T18:45:09.312Z',
  token: 'b7Kx0PqLw5uGz3RfYv9TmNc2',
};

interface Connection {
  readonly client: CompressingClient;
  readonly socket: SocketOf<ReturnType<typeof makeEcho>>;
  /** The server's end of the transport. */
  readonly wire: NetSocket;
}

function makeEcho(contextTakeover: boolean) {
  const perMessageDeflate = { threshold: 0, contextTakeover };
  return route('/echo', { perMessageDeflate }, { message: (socket, data) => socket.send(data) });
}

async function open(library: CompressingLibrary, contextTakeover: boolean): Promise<Connection> {
  const echo = makeEcho(contextTakeover);
  const running: Running = await serve([echo]);
  const connected = once(running.server, 'connection') as Promise<[NetSocket]>;
  const client = await library.connect(running.url('/echo'));
  const [wire] = await connected;
  const [socket] = running.sockets.of(echo).clients;
  return { client, socket: socket!, wire };
}

/** This many bytes of UTF-8, with characters of several bytes, and lines that are alike. */
function textOf(length: number): string {
  const line = '{"name":"é€😀","count":12345,"text":"hello"}\n';
  const size = Buffer.byteLength(line);
  return line.repeat(length / size) + 'x'.repeat(length % size);
}
