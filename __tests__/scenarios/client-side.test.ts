import { Blob } from 'node:buffer';
import { CloseCode, route, type Route, type Socket } from '../../lib';
import { deferred, echo, serve, stopAll } from './support/server';
import { WhatwgClient } from './support/whatwg';

/*
 * What the WHATWG WebSocket interface of a client shows of our sockets, and what our own, which has
 * the same members, shows of the same connection.
 */

afterEach(stopAll);

interface Ending {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
}

/** A route that tells how its one socket ended. */
function watched(act: (socket: Socket) => void): {
  readonly route: Route;
  readonly ended: Promise<Ending>;
} {
  const { promise, resolve } = deferred<Ending>();
  return {
    route: route('/r', {
      open: act,
      message: () => undefined,
      close: (socket, code, reason) => resolve({ code, reason, wasClean: socket.wasClean }),
    }),
    ended: promise,
  };
}

describe('the life of a connection', () => {
  it('goes from 0 over 1 and 2 to 3, and tells open, message, close', async () => {
    const ours: [event: string, readyState: number][] = [];
    const closed = deferred();
    const { url } = await serve([
      route('/r', (socket) => {
        ours.push(['hook', socket.readyState]);
        socket.onopen = () => ours.push(['open', socket.readyState]);
        socket.onmessage = ({ data }) => {
          ours.push(['message', socket.readyState]);
          socket.send(data);
        };
        socket.onerror = () => ours.push(['error', socket.readyState]);
        socket.onclose = () => {
          ours.push(['close', socket.readyState]);
          closed.resolve();
        };
      }),
    ]);
    const client = new WhatwgClient(url('/r'));
    expect(client.socket.readyState).toBe(0);
    await client.next('open');
    client.socket.send('hello');
    expect((await client.next('message')).data).toBe('hello');
    client.socket.close();
    expect(client.socket.readyState).toBe(2);
    await client.next('close');
    await closed.promise;
    expect(client.noted).toEqual([
      ['open', 1],
      ['message', 1],
      ['close', 3],
    ]);
    expect(ours).toEqual([
      ['hook', 1],
      ['open', 1],
      ['message', 1],
      ['close', 3],
    ]);
  });

  it('is at 2 on our side from our close() on, until the client has answered', async () => {
    const states: number[] = [];
    const { route: closing, ended } = watched((socket) => {
      states.push(socket.readyState);
      socket.close();
      states.push(socket.readyState);
      socket.on('close', () => states.push(socket.readyState));
    });
    const { url } = await serve([closing]);
    const client = await WhatwgClient.open(url('/r'));
    expect(await client.ending()).toEqual({ code: CloseCode.Normal, reason: '', wasClean: true });
    await ended;
    expect(states).toEqual([1, 2, 3]);
  });

  it('never opens when it is refused: error, then close with 1006, not clean', async () => {
    const { url } = await serve([echo]);
    const client = new WhatwgClient(url('/nowhere'));
    expect(await client.ending()).toEqual({
      code: CloseCode.Abnormal,
      reason: '',
      wasClean: false,
    });
    expect(client.noted).toEqual([
      ['error', 3],
      ['close', 3],
    ]);
  });

  it('ends with 1006, not clean, on both sides when it is cut off', async () => {
    const { route: cutting, ended } = watched((socket) => {
      socket.on('message', () => socket.terminate());
    });
    const { url } = await serve([cutting]);
    const client = await WhatwgClient.open(url('/r'));
    client.socket.send('cut');
    const cut = { code: CloseCode.Abnormal, reason: '', wasClean: false };
    expect(await client.ending()).toEqual(cut);
    expect(await ended).toEqual(cut);
  });
});

const CLOSES: [code: number, reason: string][] = [
  [1000, ''],
  [1000, 'done'],
  [3000, 'of a library'],
  [4999, 'of an app: é€😀'],
];

describe('code, reason and wasClean', () => {
  it('are 1005, nothing and true when the client says no code', async () => {
    const { route: silent, ended } = watched(() => undefined);
    const { url } = await serve([silent]);
    const client = await WhatwgClient.open(url('/r'));
    client.socket.close();
    const none = { code: CloseCode.NoStatus, reason: '', wasClean: true };
    expect(await ended).toEqual(none);
    expect(await client.ending()).toEqual(none);
  });

  it.each(CLOSES)('reach us as the client says them: %i %j', async (code, reason) => {
    const { route: silent, ended } = watched(() => undefined);
    const { url } = await serve([silent]);
    const client = await WhatwgClient.open(url('/r'));
    client.socket.close(code, reason);
    expect(await ended).toEqual({ code, reason, wasClean: true });
    expect(await client.ending()).toMatchObject({ code, wasClean: true });
  });

  it.each([...CLOSES, [1001, 'away'] as const, [1013, ''] as const])(
    'reach the client as we say them: %i %j',
    async (code, reason) => {
      const { route: closing, ended } = watched((socket) => socket.close(code, reason));
      const { url } = await serve([closing]);
      const client = await WhatwgClient.open(url('/r'));
      expect(await client.ending()).toEqual({ code, reason, wasClean: true });
      expect(await ended).toMatchObject({ code, wasClean: true });
      expect(client.types).toEqual(['open', 'close']);
    },
  );
});

describe('protocol, extensions and url', () => {
  const offers: [offer: string[], agreed: string][] = [
    [[], ''],
    [['chat.v1'], 'chat.v1'],
    [['other', 'chat.v1', 'chat.v2'], 'chat.v2'],
  ];

  it.each(offers)('are the same on both sides, of %j', async (offer, agreed) => {
    const seen: unknown[] = [];
    const { url } = await serve([
      route('/:room', { protocols: ['chat.v2', 'chat.v1'] }, (socket) => {
        seen.push(socket.protocol, socket.extensions, socket.url);
      }),
    ]);
    const { socket } = await WhatwgClient.open(url('/r?x=1'), offer);
    expect([socket.protocol, socket.extensions, socket.url]).toEqual([agreed, '', url('/r?x=1')]);
    expect(seen).toEqual([agreed, '', '/r?x=1']);
  });

  it('are never there when none of ours was offered: the socket does not open', async () => {
    const { url } = await serve([route('/r', { protocols: ['chat.v2'] }, () => undefined)]);
    const client = new WhatwgClient(url('/r'), ['other']);
    expect(await client.ending()).toMatchObject({ code: CloseCode.Abnormal, wasClean: false });
    expect(client.types).toEqual(['error', 'close']);
  });
});

describe('bufferedAmount', () => {
  it('of the client is what we have not taken, and 0 in the end', async () => {
    const { url } = await serve([echo]);
    const { socket, next } = await openBound(url('/echo'));
    expect(socket.bufferedAmount).toBe(0);
    socket.send('x'.repeat(1_048_576));
    expect(socket.bufferedAmount).toBe(1_048_576);
    await next('message');
    expect(socket.bufferedAmount).toBe(0);
  });

  it('of ours is what was sent in this turn, frames and all, and 0 once it was taken', async () => {
    const amounts: number[] = [];
    const taken = deferred();
    const { url } = await serve([
      route('/r', (socket) => {
        amounts.push(socket.bufferedAmount);
        socket.send('x'.repeat(125));
        amounts.push(socket.bufferedAmount);
        socket.send('x'.repeat(126), () => {
          amounts.push(socket.bufferedAmount);
          taken.resolve();
        });
        amounts.push(socket.bufferedAmount);
      }),
    ]);
    await WhatwgClient.open(url('/r'));
    await taken.promise;
    // A header of two bytes, and one of four (§5.2).
    expect(amounts).toEqual([0, 2 + 125, 2 + 125 + 4 + 126, 0]);
  });
});

async function openBound(
  url: string,
): Promise<{ socket: WhatwgClient['socket']; next: WhatwgClient['next'] }> {
  const client = await WhatwgClient.open(url);
  return { socket: client.socket, next: (type) => client.next(type) };
}

const around = Uint8Array.from([9, 9, 1, 0, 255, 128, 3, 4, 5, 6, 9, 9]);
const [FROM, LENGTH] = [2, 8];
const EXACT = around.slice(FROM, FROM + LENGTH);

/** The same eight bytes in all the forms that there are, most of them within other bytes. */
const BINARIES: [form: string, data: Blob | ArrayBuffer | NodeJS.ArrayBufferView][] = [
  ['Blob', new Blob([EXACT])],
  ['ArrayBuffer', EXACT.buffer],
  ['Uint8Array', around.subarray(FROM, FROM + LENGTH)],
  ['Int16Array', new Int16Array(around.buffer, FROM, LENGTH / 2)],
  ['Uint32Array', new Uint32Array(EXACT.buffer)],
  ['Float64Array', new Float64Array(EXACT.buffer)],
  ['DataView', new DataView(around.buffer, FROM, LENGTH)],
  ['Buffer', Buffer.from(around.buffer, FROM, LENGTH)],
];

const TYPES = ['blob', 'arraybuffer'] as const;

/** What a message is, and its bytes; the classes are of another realm than the test's. */
async function dissect(data: unknown): Promise<{ kind: string; bytes: string }> {
  if (typeof data === 'string') return { kind: 'string', bytes: Buffer.from(data).toString('hex') };
  const kind = Buffer.isBuffer(data)
    ? 'nodebuffer'
    : Object.prototype.toString.call(data).slice(8, -1).toLowerCase();
  const bytes = kind === 'blob' ? await (data as Blob).arrayBuffer() : (data as ArrayBuffer);
  return { kind, bytes: Buffer.from(bytes).toString('hex') };
}

const HEX = Buffer.from(EXACT).toString('hex');

describe.each(TYPES)('binaryType %j of the client', (binaryType) => {
  it.each(BINARIES)('gets back what it sends as %s', async (_form, data) => {
    const { url } = await serve([echo]);
    const { socket, next } = await openBound(url('/echo'));
    socket.binaryType = binaryType;
    socket.send(data);
    expect(await dissect((await next('message')).data)).toEqual({ kind: binaryType, bytes: HEX });
  });

  it.each([...BINARIES, ['SharedArrayBuffer', shared()] as const])(
    'gets what we send as %s',
    async (_form, data) => {
      const { url } = await serve([route('/r', (socket) => void socket.send(data))]);
      const client = new WhatwgClient(url('/r'));
      client.socket.binaryType = binaryType;
      const event = await client.next('message');
      expect(await dissect(event.data)).toEqual({ kind: binaryType, bytes: HEX });
    },
  );

  it('leaves text alone', async () => {
    const { url } = await serve([echo]);
    const { socket, next } = await openBound(url('/echo'));
    socket.binaryType = binaryType;
    socket.send('é€😀');
    expect((await next('message')).data).toBe('é€😀');
  });
});

function shared(): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(LENGTH);
  new Uint8Array(buffer).set(EXACT);
  return buffer;
}

describe('binaryType of ours', () => {
  it.each(['nodebuffer', ...TYPES] as const)('%j is what the message is', async (binaryType) => {
    const got = deferred<unknown>();
    const { url } = await serve([
      route('/r', (socket) => {
        socket.binaryType = binaryType;
        socket.onmessage = ({ data }) => got.resolve(data);
      }),
    ]);
    const { socket } = await openBound(url('/r'));
    socket.send(around.subarray(FROM, FROM + LENGTH));
    expect(await dissect(await got.promise)).toEqual({ kind: binaryType, bytes: HEX });
  });
});

describe('messages of every length of header', () => {
  const lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 1_048_576];

  it.each(lengths)('text of %i bytes comes back', async (length) => {
    const { url } = await serve([echo]);
    const { socket, next } = await openBound(url('/echo'));
    const text = 'é'.repeat(length / 2) + 'x'.repeat(length % 2);
    socket.send(text);
    const { data } = await next('message');
    expect([typeof data, data === text]).toEqual(['string', true]);
  });

  it.each(lengths)('binary of %i bytes comes back', async (length) => {
    const { url } = await serve([echo]);
    const { socket, next } = await openBound(url('/echo'));
    socket.binaryType = 'arraybuffer';
    const bytes = Buffer.from(Uint8Array.from({ length }, (_, i) => i % 251));
    socket.send(bytes);
    const { data } = await next('message');
    expect(Buffer.from(data as ArrayBuffer).equals(bytes)).toBe(true);
  });

  it('one byte above maxPayload is 1009', async () => {
    const { url } = await serve([echo]);
    const { socket, next } = await openBound(url('/echo'));
    socket.send('x'.repeat(1_048_577));
    expect((await next('close')).code).toBe(CloseCode.MessageTooBig);
  });

  it('in fragments of ours they are one message', async () => {
    const { url } = await serve([
      route('/r', (socket) => {
        socket.send('Hel', { fin: false });
        socket.send('', { fin: false });
        socket.ping();
        socket.send('lo');
        socket.send('next');
      }),
    ]);
    const client = new WhatwgClient(url('/r'));
    expect((await client.next('message')).data).toBe('Hello');
    expect((await client.next('message')).data).toBe('next');
  });
});
