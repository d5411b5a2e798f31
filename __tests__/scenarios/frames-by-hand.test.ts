import { CloseCode, route } from '../../lib';
import { clientFrame, hex } from '../support/bytes';
import { Peer } from './support/peer';
import { deferred, echo, serve, stopAll } from './support/server';

/*
 * A client that writes its frames by hand over TCP: the examples of RFC 6455 §5.7 under their own
 * key 37fa213d, every form of the length, and what a client must not do.
 */

afterEach(stopAll);

/** The text Hello, masked. */
const HELLO = hex('81 85 37fa213d 7f9f4d5158');

async function openEcho(): Promise<Peer> {
  const { port } = await serve([echo]);
  return Peer.open(port, '/echo');
}

/** Nothing but these bytes, and then the end. */
async function expectOnly(peer: Peer, bytes: Buffer): Promise<void> {
  expect((await peer.readToEnd()).toString('hex')).toBe(bytes.toString('hex'));
  await peer.closed;
}

describe('§5.2 the three forms of the length', () => {
  const forms: [length: number, header: string][] = [
    [0, '00'],
    [1, '01'],
    [125, '7d'],
    [126, '7e 007e'],
    [65_535, '7e ffff'],
    [65_536, '7f 0000000000010000'],
    [1_048_576, '7f 0000000000100000'],
  ];

  it.each(forms)('%i bytes of text: both ways with %s', async (length, header) => {
    const peer = await openEcho();
    peer.write(masked('81', header), Buffer.alloc(length, 'x'));
    const expected = hex(`81 ${header}`);
    expect(await peer.read(expected.length)).toEqual(expected);
    const payload = await peer.read(length);
    expect(payload.equals(Buffer.alloc(length, 'x'))).toBe(true);
    peer.write(hex('88 80 00000000'));
    await expectOnly(peer, hex('88 00'));
  });

  it.each(forms)('%i bytes of binary: both ways with %s', async (length, header) => {
    const peer = await openEcho();
    const bytes = Buffer.from(Uint8Array.from({ length }, (_, i) => i % 251));
    peer.write(masked('82', header), bytes);
    const expected = hex(`82 ${header}`);
    expect(await peer.read(expected.length)).toEqual(expected);
    expect((await peer.read(length)).equals(bytes)).toBe(true);
  });

  it('a byte at a time', async () => {
    const peer = await openEcho();
    for (const byte of HELLO) {
      peer.write(Buffer.of(byte));
      await new Promise(setImmediate);
    }
    expect(await peer.read(7)).toEqual(hex('81 05 48656c6c6f'));
  });

  /** The header of a client, with a key that changes nothing. */
  function masked(first: string, header: string): Buffer {
    const bytes = hex(`${first} ${header} 00000000`);
    bytes[1]! |= 0x80;
    return bytes;
  }
});

describe('§5.4 fragments', () => {
  /** `Hel` and `lo`, as in §5.7, but masked. */
  const HEL = hex('01 83 37fa213d 7f9f4d');
  const LO = hex('80 82 37fa213d 5b95');

  it('of the client are one message', async () => {
    const peer = await openEcho();
    peer.write(HEL);
    peer.write(LO);
    expect(await peer.read(7)).toEqual(hex('81 05 48656c6c6f'));
  });

  it('of ours leave as they were sent', async () => {
    const { port } = await serve([
      route('/r', (socket) => {
        socket.send('Hel', { fin: false });
        socket.send('lo');
        socket.close();
      }),
    ]);
    const peer = await Peer.open(port, '/r');
    expect(await peer.read(9)).toEqual(hex('01 03 48656c 80 02 6c6f'));
    expect(await peer.read(4)).toEqual(hex('88 02 03e8'));
    peer.write(hex('88 82 00000000 03e8'));
    await expectOnly(peer, Buffer.alloc(0));
  });

  it('let a ping between them, which is answered first', async () => {
    const peer = await openEcho();
    peer.write(HEL, hex('89 80 37fa213d'));
    expect(await peer.read(2)).toEqual(hex('8a 00'));
    peer.write(LO);
    expect(await peer.read(7)).toEqual(hex('81 05 48656c6c6f'));
  });

  it('may be cut in the midst of a character, but the message may not end there', async () => {
    const peer = await openEcho();
    // € is e2 82 ac.
    peer.write(hex('01 82 00000000 e282'), hex('80 81 00000000 ac'));
    expect(await peer.read(5)).toEqual(hex('81 03 e282ac'));
    peer.write(hex('01 82 00000000 e282'), hex('80 80 00000000'));
    await expectOnly(peer, hex('88 02 03ef'));
  });
});

describe('§5.5.2 link checks', () => {
  it('of the client: its ping comes back as a pong with the same bytes', async () => {
    const heard = deferred<Buffer>();
    const { port } = await serve([route('/r', (socket) => void socket.on('ping', heard.resolve))]);
    const peer = await Peer.open(port, '/r');
    peer.write(hex('89 85 37fa213d 7f9f4d5158'));
    expect(await peer.read(7)).toEqual(hex('8a 05 48656c6c6f'));
    expect((await heard.promise).toString()).toBe('Hello');
  });

  it('of ours: the ping leaves as it is, and its pong is told', async () => {
    const heard: string[] = [];
    const answered = deferred();
    const { port } = await serve([
      route('/r', (socket) => {
        socket.on('pong', (payload) => {
          heard.push(payload.toString());
          answered.resolve();
        });
        socket.ping('Hello');
      }),
    ]);
    const peer = await Peer.open(port, '/r');
    expect(await peer.read(7)).toEqual(hex('89 05 48656c6c6f'));
    peer.write(hex('8a 85 37fa213d 7f9f4d5158'));
    await answered.promise;
    expect(heard).toEqual(['Hello']);
  });

  it('are made without being asked for; who answers stays, who is silent ends with 1006', async () => {
    const ended = deferred<string>();
    const { port, sockets } = await serve(
      [
        route('/:name', {
          close: (socket, code) => ended.resolve(`${socket.params.name} ${code}`),
        }),
      ],
      { pingInterval: 100, pingTimeout: 100 },
    );
    const [alive, silent] = [await Peer.open(port, '/alive'), await Peer.open(port, '/silent')];
    // Three of them take longer than the silence that is allowed.
    for (let i = 0; i < 3; i++) {
      expect(await alive.read(2)).toEqual(hex('89 00'));
      alive.write(hex('8a 80 37fa213d'));
    }
    expect(await silent.read(2)).toEqual(hex('89 00'));
    expect(await ended.promise).toBe(`silent ${CloseCode.Abnormal}`);
    expect(sockets.clients.size).toBe(1);
  });

  it('that nobody asked for are no fault: a pong on its own (§5.5.3)', async () => {
    const peer = await openEcho();
    peer.write(hex('8a 85 37fa213d 7f9f4d5158'), HELLO);
    expect(await peer.read(7)).toEqual(hex('81 05 48656c6c6f'));
  });
});

describe('what a client must not do: 1002, and what follows is not read', () => {
  const faults: [what: string, bytes: string][] = [
    ['§5.1 a text without a mask', '81 05 48656c6c6f'],
    ['§5.1 a ping without a mask', '89 00'],
    ['§5.1 a close without a mask', '88 02 03e8'],
    ...['3', '4', '5', '6', '7', 'b', 'c', 'd', 'e', 'f'].map((opcode): [string, string] => [
      `§5.2 the reserved opcode ${opcode}`,
      `8${opcode} 80 37fa213d`,
    ]),
    ...['c', 'a', '9'].map((first): [string, string] => [
      `§5.2 a reserved bit: ${first}1`,
      `${first}1 80 37fa213d`,
    ]),
    ['§5.4 a continuation of nothing', '80 80 37fa213d'],
    ['§5.5 a ping in fragments', '09 80 37fa213d'],
    ['§5.5 a ping of 126 bytes', '89 fe 007e 37fa213d'],
    ['§5.5.1 a close of one byte', '88 81 00000000 03'],
    ['§7.4.1 a close with 1006', '88 82 00000000 03ee'],
  ];

  it.each(faults)('%s', async (_what, bytes) => {
    const heard: unknown[] = [];
    const ended = deferred<number>();
    const { port } = await serve([
      route('/r', {
        message: (_socket, data) => void heard.push(data),
        close: (_socket, code) => ended.resolve(code),
      }),
    ]);
    const peer = await Peer.open(port, '/r');
    peer.write(HELLO, hex(bytes), HELLO);
    await expectOnly(peer, hex('88 02 03ea'));
    expect(await ended.promise).toBe(CloseCode.ProtocolError);
    expect(heard).toEqual(['Hello']);
  });

  it('is judged by the frame, not by the connection: the same bytes with a mask are fine', async () => {
    const peer = await openEcho();
    peer.write(clientFrame({ first: 0x81, payload: 'Hello', key: 'ffffffff' }));
    expect(await peer.read(7)).toEqual(hex('81 05 48656c6c6f'));
  });
});

describe('§7 the close', () => {
  const closes: [what: string, sent: string, answer: string, code: number][] = [
    ['without a code', '88 80 37fa213d', '88 00', CloseCode.NoStatus],
    ['with 1000', '88 82 37fa213d 3412', '88 02 03e8', CloseCode.Normal],
    ['with a code and a reason', '88 85 00000000 0fa0 627965', '88 02 0fa0', 4000],
  ];

  it.each(closes)('%s is answered with the same', async (_what, sent, answer, expected) => {
    const ended = deferred<[number, boolean]>();
    const { port } = await serve([
      route('/r', { close: (socket, code) => ended.resolve([code, socket.wasClean]) }),
    ]);
    const peer = await Peer.open(port, '/r', hex(sent));
    await expectOnly(peer, hex(answer));
    expect(await ended.promise).toEqual([expected, true]);
  });

  it('that never comes is 1006: a FIN alone', async () => {
    const ended = deferred<[number, boolean]>();
    const { port } = await serve([
      route('/r', { close: (socket, code) => ended.resolve([code, socket.wasClean]) }),
    ]);
    const peer = await Peer.open(port, '/r');
    peer.socket.end();
    expect(await ended.promise).toEqual([CloseCode.Abnormal, false]);
    await expectOnly(peer, Buffer.alloc(0));
  });
});
