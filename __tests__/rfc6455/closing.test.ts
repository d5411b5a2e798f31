import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { connect } from 'node:net';
import { route } from '../../lib';
import * as every from '../protocol/every-way';
import { handshake, Peer } from '../scenarios/support/peer';
import { deferred, stopAll } from '../scenarios/support/server';
import { hex } from '../support/bytes';
import { close, closeWith, last, ping, text, textPart } from './support/frames';
import { echoTarget, Link, target, targetOf, type Target } from './support/target';
import { readFrames, transcript } from './support/transcript';
import { expectEveryWay } from './support/ways';

/* RFC 6455 §7: closing the connection. */

afterEach(stopAll);

const FAILED = every.closed(1002);

async function expectHeard(frames: readonly Buffer[], heard: readonly string[]): Promise<void> {
  await expectEveryWay(await echoTarget(), { frames, heard });
}

/** A client that sends no FIN of its own, so that whoever ends first is seen. */
async function patientPeer(server: Target): Promise<Peer> {
  const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
  const peer = new Peer(socket.setNoDelay(true));
  await once(socket, 'connect');
  peer.write(handshake(server.path));
  await peer.readHead();
  return peer;
}

describe('§7.1.1 the server ends the TCP connection first', () => {
  it('after the closing handshake that a client began', async () => {
    const peer = await patientPeer(await echoTarget());
    peer.write(close(1000));
    expect(transcript(readFrames(await peer.readToEnd()))).toEqual([every.closed(1000)]);
  });

  it('after the closing handshake that it began itself, and not before', async () => {
    const peer = await patientPeer(await targetOf((socket) => socket.close(1001)));
    expect(transcript([await peer.readFrame()])).toEqual([every.closed(1001)]);
    expect(peer.socket.readableEnded).toBe(false);
    peer.write(close(1001));
    expect(await peer.readToEnd()).toHaveLength(0);
  });

  it('after it failed the connection', async () => {
    const peer = await patientPeer(await echoTarget());
    peer.write(hex('81 00'));
    expect(transcript(readFrames(await peer.readToEnd()))).toEqual([FAILED]);
  });

  it('and closes it when the client has not answered for closeTimeout', async () => {
    const open = route('/r', { closeTimeout: 30 }, (socket) => socket.close(1001));
    const server = await target([open], '/r');
    const peer = await patientPeer(server);
    expect(transcript(readFrames(await peer.readToEnd()))).toEqual([every.closed(1001)]);
  });
});

/** What a route is told of the end of the connection. */
async function toldOf(end: (link: Link) => unknown): Promise<unknown[]> {
  const told = deferred<unknown[]>();
  const handlers = route('/r', {
    close: (socket, code, reason) => told.resolve([code, reason, socket.wasClean]),
  });
  const link = await Link.open(await target([handlers], '/r'));
  await end(link);
  return told.promise;
}

describe('§7.1.4 to §7.1.6 how it was closed', () => {
  it.each<[string, Buffer, unknown[]]>([
    ['1000', close(1000), [1000, '', true]],
    ['a code of the application and its reason', close(4321, 'bye ä'), [4321, 'bye ä', true]],
    ['1005 for a close without a code', closeWith(hex('')), [1005, '', true]],
  ])('is told as clean, with %s', async (_what, frame, expected) =>
    expect(await toldOf((link) => link.send(frame))).toEqual(expected),
  );

  it('is told with the first close frame that came', async () =>
    expect(
      await toldOf((link) => link.send(Buffer.concat([close(4001, 'a'), close(4002, 'b')]))),
    ).toEqual([4001, 'a', true]));

  it.each<[string, (link: Link) => unknown]>([
    ['a FIN without a close frame', (link) => link.peer.socket.end()],
    ['a FIN inside of a frame', (link) => link.peer.socket.end(hex('81 85 37fa213d 7f9f'))],
    ['a FIN inside of a message', (link) => link.peer.socket.end(textPart('a'))],
    ['a reset', (link) => link.peer.reset()],
  ])('is told as 1006, and not clean, for %s', async (_what, end) =>
    expect(await toldOf(end)).toEqual([1006, '', false]),
  );
});

describe('§7.1.7 failing the connection', () => {
  const faults: [string, Buffer, string][] = [
    ['1002', hex('83 80 00000000'), FAILED],
    ['1007', hex('81 81 00000000 ff'), every.closed(1007)],
    ['1009', hex('82 ff 8000000000000000 00000000'), every.closed(1009)],
  ];

  it.each(faults)('says why with %s, and reads nothing behind it', (_code, fault, heard) =>
    expectHeard([text('a'), fault, text('b'), ping(), close(1000)], [every.text('a'), heard]),
  );

  it('leaves a message that has not ended, and answers no close of the client', () =>
    expectHeard([textPart('a'), hex('83 80 00000000'), last('b'), close(1000)], [FAILED]));

  it('hands no byte behind the fault to the application', async () => {
    const messages: unknown[] = [];
    const closed = deferred();
    const handlers = {
      message: (_socket: unknown, data: unknown) => void messages.push(data),
      close: () => closed.resolve(),
    };
    const link = await Link.open(await target([route('/r', handlers)], '/r'));
    await link.send(Buffer.concat([text('a'), hex('81 00'), text('b')]));
    await closed.promise;
    expect(messages).toEqual(['a']);
  });
});

describe('§7.2.2 and §7.3 the server closes when it wants to', () => {
  it('at once, with a close frame and a reason', async () => {
    const link = await Link.open(await targetOf((socket) => socket.close(4000, 'go')));
    expect(transcript([await link.peer.readFrame()])).toEqual([every.closed(4000, 'go')]);
    await link.send(close(4000));
    expect(await link.peer.readToEnd()).toHaveLength(0);
  });

  it('drops what comes between its close frame and the answer (§1.4)', async () => {
    const messages: unknown[] = [];
    const closed = deferred<number>();
    const handlers = route('/r', {
      open: (socket) => socket.close(1001),
      message: (_socket, data) => void messages.push(data),
      close: (_socket, code) => closed.resolve(code),
    });
    const link = await Link.open(await target([handlers], '/r'), text('a'));
    for (const frame of [text('b'), ping(), textPart('c'), last('d')]) await link.send(frame);
    await link.send(close(1001));
    expect(await closed.promise).toBe(1001);
    expect(messages).toEqual([]);
    expect(transcript(readFrames(await link.peer.readToEnd()))).toContain(every.closed(1001));
  });

  it('with 1001 when it goes away', async () => {
    const server = await echoTarget();
    const link = await Link.open(server);
    const done = server.sockets.close();
    expect(transcript([await link.peer.readFrame()])).toEqual([every.closed(1001)]);
    await link.send(close(1001));
    await done;
  });

  it('without a word when it must: the client sees the end of TCP and no close frame', async () => {
    const link = await Link.open(await targetOf((socket) => socket.terminate()));
    expect(await link.peer.readToEnd()).toHaveLength(0);
  });
});

/** §7.4: the registered codes that may be sent, and both ends of the two free ranges. */
const MAY_BE_SENT = [
  ...[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014],
  ...[3000, 3001, 3999, 4000, 4999],
];

/** §7.4.1 and §7.4.2: for nobody, reserved, or never in a frame. */
const MUST_NOT_BE_SENT = [
  ...[0, 1, 500, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999],
  ...[5000, 32_768, 65_535],
];

describe('§7.4 codes', () => {
  it.each(MAY_BE_SENT)('takes %i, and can send it', async (code) => {
    await expectHeard([close(code)], [every.closed(code)]);
    const link = await Link.open(await targetOf((socket) => socket.close(code)));
    expect(transcript([await link.peer.readFrame()])).toEqual([every.closed(code)]);
  });

  it.each(MUST_NOT_BE_SENT)('fails at %i, and never sends it', async (code) => {
    await expectHeard([close(code)], [FAILED]);
    const link = await Link.open(
      await targetOf((socket) => {
        expect(() => socket.close(code)).toThrow(RangeError);
        socket.send('still open');
      }),
    );
    expect(transcript([await link.peer.readFrame()])).toEqual([every.text('still open')]);
  });
});
