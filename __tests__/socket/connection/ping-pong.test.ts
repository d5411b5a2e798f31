import { Buffer } from 'node:buffer';
import { clientFrame } from '../../support/bytes';
import {
  deferred,
  frame,
  makeWire,
  narrowPair,
  pass,
  stall,
  stopTime,
  turns,
  until,
  type Wire,
} from '../wire';
import { makeNoted, opcodes } from './noted';

describe('§5.5.2, §5.5.3 ping and pong', () => {
  it('answers a ping with a pong of the same bytes', async () => {
    const { peer, socket } = makeWire();
    const pings: string[] = [];
    socket.on('ping', (payload) => pings.push(payload.toString()));
    peer.ping('are you there');
    await turns();
    expect(peer.frames).toEqual([{ first: 0x8a, payload: Buffer.from('are you there') }]);
    expect(pings).toEqual(['are you there']);
  });

  it('does not answer a pong', async () => {
    const { peer, socket } = makeWire();
    const pongs: string[] = [];
    socket.on('pong', (payload) => pongs.push(payload.toString()));
    peer.pong('unasked');
    await turns();
    expect(pongs).toEqual(['unasked']);
    expect(peer.frames).toEqual([]);
  });

  it('sends pings and pongs of its own', async () => {
    const { peer, socket } = makeWire();
    socket.ping('a');
    socket.pong(Buffer.from('b'));
    socket.ping();
    socket.pong();
    await turns();
    expect(peer.frames.map(({ first, payload }) => [first, payload.toString()])).toEqual([
      [0x89, 'a'],
      [0x8a, 'b'],
      [0x89, ''],
      [0x8a, ''],
    ]);
  });

  it('answers each of 500 pings in one read of a peer that reads', async () => {
    const { peer } = makeWire();
    const names = Array.from({ length: 500 }, (_, i) => `ping ${i}`);
    peer.write(...names.map((name) => frame.ping(name)));
    await until(() => peer.pongs.length === 500);
    expect(peer.pongs).toEqual(names);
  });

  it.each(['open', 'message'])('answers while %s has not settled', async (hook) => {
    const never = deferred();
    const { peer } = makeWire({
      open: () => (hook === 'open' ? never.promise : undefined),
      hooks: { message: () => never.promise },
    });
    peer.say('a', 'b');
    peer.ping('still?');
    await turns();
    expect(peer.pongs).toEqual(['still?']);
    never.resolve();
    await turns();
  });

  it('lets a ping come between two fragments (§5.4)', async () => {
    const { peer, socket } = makeWire();
    const messages: unknown[] = [];
    socket.on('message', (data) => messages.push(data));
    peer.write(
      clientFrame({ first: 0x01, payload: 'Hel' }),
      frame.ping('between'),
      clientFrame({ first: 0x80, payload: 'lo' }),
    );
    await turns();
    expect(messages).toEqual(['Hello']);
    expect(peer.pongs).toEqual(['between']);
  });

  it('sends neither ping nor pong once the closing handshake has begun', async () => {
    const { peer, socket } = makeWire();
    socket.close();
    socket.ping('late');
    socket.pong('late');
    peer.ping('late too');
    await turns();
    expect(opcodes({ peer } as Wire)).toEqual(['88']);
  });

  it('sends no pong after the close frame to a peer that was slow to read (§5.5.1)', async () => {
    // The newest pong waited for the one before, which left after the close frame was queued.
    const wire = makeNoted({ pair: narrowPair() });
    const { peer } = wire;
    await stall(wire);
    peer.ping('1');
    peer.ping('2');
    peer.close(1000, 'bye');
    await turns();
    peer.resume();
    await until(() => wire.closes.length > 0 || peer.hasEnded);
    await turns();
    expect(opcodes(wire)).toEqual(['81', '81', '8a', '88']);
    expect(wire.errors).toEqual([]);
  });

  it('sends no pong after its own close frame to a peer that was slow to read', async () => {
    const wire = makeNoted({ pair: narrowPair() });
    const { peer, socket } = wire;
    await stall(wire);
    peer.ping('1');
    peer.ping('2');
    await turns();
    socket.close(4000);
    await turns();
    peer.resume();
    await until(() => peer.closes.length > 0);
    await turns();
    expect(opcodes(wire)).toEqual(['81', '81', '8a', '88']);
    expect(wire.errors).toEqual([]);
  });
});

describe('§5.5.2 the heartbeat of a connection', () => {
  it('pings a silent peer, then terminates it', async () => {
    stopTime();
    const wire = makeWire({ settings: { pingInterval: 5000, pingTimeout: 2000 } });
    await pass(5400);
    expect(opcodes(wire)).toEqual(['89']);
    await pass(2400);
    expect(wire.closes).toEqual(['1006']);
  });

  it('takes any byte for life', async () => {
    stopTime();
    const wire = makeWire({ settings: { pingInterval: 5000, pingTimeout: 2000 } });
    await pass(5400);
    wire.peer.stream.write(frame.text('abc').subarray(0, 1));
    await pass(2400);
    expect(wire.closes).toEqual([]);
  });

  it('ends with the closing handshake', async () => {
    stopTime();
    const wire = makeWire({ settings: { pingInterval: 1000, pingTimeout: 500 } });
    wire.socket.close();
    await pass(5000);
    expect(opcodes(wire)).toEqual(['88']);
  });

  it('does not kill a peer that is not read from', async () => {
    stopTime();
    const wire = makeWire({ settings: { pingInterval: 5000, pingTimeout: 2000 } });
    wire.socket.pause();
    await pass(30_000);
    expect(wire.closes).toEqual([]);
    expect(opcodes(wire).length).toBeGreaterThan(1);
  });
});
