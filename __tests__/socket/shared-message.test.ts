import { Blob, Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import zlib from 'node:zlib';
import fc from 'fast-check';
import { Opcode } from '../../lib/protocol/opcode';
import { whileShared } from '../../lib/socket/outbox';
import { SLAB_SIZE } from '../../lib/socket/slab';
import { SharedMessage } from '../../lib/socket/shared-message';
import { sendShared } from '../../lib/socket/socket';
import { Expander } from '../rfc7692/support/zlib';
import { compressed, makeWire, textForAll, turns, until, type Wire } from './wire';

afterEach(() => jest.restoreAllMocks());

const words = (name: string, count = 50): string => `${name} says hello, `.repeat(count);

type Options = Parameters<typeof compressed>[0];

function member(options: Options = {}, offer?: string): Wire {
  const { settings, deflate } = compressed(options, offer);
  return makeWire({ settings, deflate });
}

/** A member, and the other end of its compression: one stream of zlib where there is a context. */
interface Reader {
  readonly wire: Wire;
  readonly expander: Expander;
}

function reader(options: Options = {}, offer?: string): Reader {
  const { settings, deflate } = compressed(options, offer);
  const wire = makeWire({ settings, deflate });
  return { wire, expander: new Expander(deflate.serverTakeover, deflate.serverWindowBits) };
}

/** The messages that came: inflated in their order, fragments put together. */
async function messagesOf({ wire, expander }: Reader): Promise<string[]> {
  const messages: string[] = [];
  let parts: Buffer[] = [];
  for (const { first, payload } of wire.peer.frames) {
    parts.push((first & 0x40) === 0 ? payload : await expander.expand(payload));
    if ((first & 0x80) === 0) continue;
    messages.push(Buffer.concat(parts).toString());
    parts = [];
  }
  expander.close();
  return messages;
}

const firsts = ({ peer }: Wire): string[] => peer.frames.map(({ first }) => first.toString(16));

describe('a message for many', () => {
  it('is compressed once, whatever the number of members', async () => {
    const spy = jest.spyOn(zlib, 'deflateRawSync');
    const readers = Array.from({ length: 20 }, () => reader());
    const message = textForAll(words('ann'));
    whileShared(() => readers.forEach(({ wire }) => sendShared(wire.socket, message)));
    expect(spy).toHaveBeenCalledTimes(1);
    await turns();
    for (const each of readers) {
      expect(firsts(each.wire)).toEqual(['c1']);
      expect(await messagesOf(each)).toEqual([words('ann')]);
    }
  });

  it('is compressed once for each window, and not for those who did not agree on it', async () => {
    const spy = jest.spyOn(zlib, 'deflateRawSync');
    const offers = [9, 9, 12, 12, 15].map(
      (bits) => `permessage-deflate; server_max_window_bits=${bits}`,
    );
    const readers = offers.map((offer) => reader({}, offer));
    const plain = [makeWire(), makeWire()];
    const message = textForAll(words('bob', 100));
    const all = [...readers.map(({ wire }) => wire), ...plain];
    whileShared(() => all.forEach(({ socket }) => sendShared(socket, message)));
    expect(spy).toHaveBeenCalledTimes(3);
    await turns();
    for (const each of readers) expect(await messagesOf(each)).toEqual([words('bob', 100)]);
    expect(plain.map(firsts)).toEqual([['81'], ['81']]);
  });

  it('is sent as it is below the threshold', async () => {
    const wire = member({ threshold: 1024 });
    for (const length of [1023, 1024]) sendShared(wire.socket, textForAll('x'.repeat(length)));
    await turns();
    expect(firsts(wire)).toEqual(['81', 'c1']);
  });

  it('is sent as it is when it would be no smaller, and is not referred to', async () => {
    const payload = randomBytes(1000);
    const message = new SharedMessage({ opcode: Opcode.Binary, payload });
    const [first, second] = [reader(), reader()];
    for (const { wire } of [first, second]) sendShared(wire.socket, message);
    for (const { wire } of [first, second]) wire.socket.send(words('then'));
    await turns();
    for (const each of [first, second]) {
      expect(firsts(each.wire)).toEqual(['82', 'c1']);
      expect(each.wire.peer.frames[0]!.payload).toEqual(payload);
      expect((await messagesOf(each))[1]).toBe(words('then'));
    }
  });

  it('may be binary', async () => {
    const each = reader();
    const payload = Buffer.from(words('bytes'));
    sendShared(each.wire.socket, new SharedMessage({ opcode: Opcode.Binary, payload }));
    await turns();
    expect(firsts(each.wire)).toEqual(['c2']);
    expect(await messagesOf(each)).toEqual([words('bytes')]);
  });
});

describe('a large message for many', () => {
  const large = words('everybody', 3000);

  it('is compressed once on another thread, and all who wait get it', async () => {
    const spy = jest.spyOn(zlib, 'deflateRaw');
    const readers = Array.from({ length: 5 }, () => reader());
    const message = textForAll(large);
    for (const { wire } of readers) sendShared(wire.socket, message);
    expect(readers[0]!.wire.socket.bufferedAmount).toBe(large.length);
    await until(() => readers.every(({ wire }) => wire.peer.frames.length > 0));
    expect(spy).toHaveBeenCalledTimes(1);
    for (const each of readers) expect(await messagesOf(each)).toEqual([large]);
    expect(readers[0]!.wire.socket.bufferedAmount).toBe(0);
  });

  it('is sent as it is when it would be no smaller', async () => {
    const payload = randomBytes(70_000);
    const each = reader();
    sendShared(each.wire.socket, new SharedMessage({ opcode: Opcode.Binary, payload }));
    await until(() => each.wire.peer.frames.length > 0);
    expect([firsts(each.wire), each.wire.peer.frames[0]!.payload.equals(payload)]).toEqual([
      ['82'],
      true,
    ]);
  });

  it('keeps its place between what is sent before it and behind it', async () => {
    const each = reader();
    const { socket } = each.wire;
    socket.send(words('first'));
    sendShared(socket, textForAll(large));
    socket.send(words('second'));
    sendShared(socket, textForAll(words('third')));
    socket.close();
    await until(() => each.wire.peer.closes.length > 0);
    each.wire.peer.frames.pop();
    const messages = await messagesOf(each);
    expect(messages[0]).toBe(words('first'));
    expect(new Set(messages)).toEqual(
      new Set([words('first'), large, words('second'), words('third')]),
    );
    expect(messages.indexOf(large)).toBe(1);
  });

  it('is not sent to a socket that was closed meanwhile', async () => {
    const [one, other] = [reader(), reader()];
    const message = textForAll(large);
    for (const { wire } of [one, other]) sendShared(wire.socket, message);
    one.wire.socket.terminate();
    await until(() => other.wire.peer.frames.length > 0);
    await turns();
    expect([one.wire.peer.frames, one.wire.reports]).toEqual([[], []]);
    expect(one.wire.socket.bufferedAmount).toBe(0);
  });
});

describe('context takeover', () => {
  type Op =
    | 'send'
    | 'plain'
    | 'short'
    | 'noise'
    | 'blob'
    | 'largeBlob'
    | 'fragments'
    | 'large'
    | 'shared'
    | 'sharedLarge'
    | 'turn';
  const OPS: Op[] = [
    'send',
    'plain',
    'short',
    'noise',
    'blob',
    'largeBlob',
    'fragments',
    'large',
    'shared',
    'sharedLarge',
    'turn',
  ];
  const noise = Buffer.from(randomBytes(150).toString('hex')).toString('latin1');

  /** Runs one step on all sockets; returns whose messages come of it. */
  async function step(
    op: Op,
    i: number,
    wires: Wire[],
  ): Promise<{ own?: string; shared?: string }> {
    const text = words(`${op} ${i}`);
    const long = words(`${op} ${i}`, 3500);
    const each = (send: (wire: Wire) => void): void => wires.forEach(send);
    if (op === 'turn') await turns(1);
    if (op === 'turn') return {};
    if (op.startsWith('shared')) {
      const shared = op === 'shared' ? text : long;
      const message = textForAll(shared);
      whileShared(() => each(({ socket }) => sendShared(socket, message)));
      return { shared };
    }
    const own = {
      send: text,
      plain: text,
      short: 'hi',
      noise,
      blob: text,
      largeBlob: long,
      fragments: text,
      large: long,
    }[op as 'send'];
    each(({ socket }) => {
      if (op === 'blob' || op === 'largeBlob') socket.send(new Blob([own]));
      else if (op === 'plain') socket.send(own, { compress: false });
      else if (op === 'fragments') {
        socket.send(own.slice(0, 10), { fin: false });
        socket.send(own.slice(10));
      } else socket.send(own);
    });
    return { own };
  }

  it.each([
    ['15 bits', 'permessage-deflate'],
    ['9 bits', 'permessage-deflate; server_max_window_bits=9'],
    ['none', 'permessage-deflate; server_no_context_takeover'],
  ])(
    'agrees with the stream of the peer, whatever is sent in whatever way: %s',
    async (_name, offer) => {
      const property = fc.asyncProperty(
        fc.array(fc.constantFrom(...OPS), { minLength: 1, maxLength: 12 }),
        async (ops) => {
          const readers = [reader({ threshold: 10 }, offer), reader({ threshold: 10 }, offer)];
          const wires = readers.map(({ wire }) => wire);
          const sent: { own: string[]; shared: string[] } = { own: [], shared: [] };
          for (const [i, op] of ops.entries()) {
            const { own, shared } = await step(op, i, wires);
            if (own !== undefined) sent.own.push(own);
            if (shared !== undefined) sent.shared.push(shared);
          }
          const count = sent.own.length + sent.shared.length;
          const isFinal = ({ first }: { first: number }): boolean => (first & 0x80) !== 0;
          await until(() =>
            wires.every(({ peer }) => peer.frames.filter(isFinal).length === count),
          );
          for (const each of readers) {
            const messages = await messagesOf(each);
            // Broadcasts may overtake own messages that wait; each of the two kinds is in order.
            const isShared = (text: string): boolean => text.startsWith('shared');
            expect(messages.filter((text) => !isShared(text))).toEqual(sent.own);
            expect(messages.filter(isShared)).toEqual(sent.shared);
          }
          for (const { socket } of wires) socket.terminate();
        },
      );
      await fc.assert(property, { numRuns: 15 });
    },
    60_000,
  );

  it('knows of a broadcast before anything is sent from inside of its write', async () => {
    // A pair in memory brings an answer before the write of 64 KiB returns.
    const { settings, deflate } = compressed();
    const wire = makeWire({
      settings,
      deflate,
      hooks: { message: (socket) => socket.send(words('before')) },
    });
    const each = { wire, expander: new Expander(true, 15) };
    await turns();
    wire.socket.send(words('before'));
    // All but one byte of what is written without waiting for the end of the turn.
    const room = SLAB_SIZE - wire.socket.bufferedAmount - 4 - 1;
    wire.socket.send(randomBytes(room), { compress: false });
    wire.peer.stream.once('data', () => wire.peer.say('at once'));
    sendShared(wire.socket, textForAll('0123456789'.repeat(50)));
    await turns();
    const messages = await messagesOf(each);
    expect([messages[0], ...messages.slice(2)]).toEqual([
      words('before'),
      '0123456789'.repeat(50),
      words('before'),
    ]);
  });
});
