import { Buffer } from 'node:buffer';
import { clientFrame } from '../../support/bytes';
import { frame, makeWire, turns, until } from '../wire';
import { makeSlowHook, numbers } from './slow-hook';

describe('what is held is bounded', () => {
  it('by 16 messages; then reading stops, and later goes on', async () => {
    const { seen, begun, message } = makeSlowHook();
    const { peer, socket, transport } = makeWire({ hooks: { message } });
    // One is with the handler, 16 are held; what follows stays in the decoder, unread.
    peer.write(...numbers(17).map(frame.text), frame.ping('behind'));
    await turns();
    expect(transport.isPaused()).toBe(true);
    expect(socket.isPaused).toBe(false);
    expect(peer.pongs).toEqual([]);
    begun[0]!.resolve();
    await turns();
    expect(seen).toEqual(['0', '1']);
    expect(transport.isPaused()).toBe(false);
    expect(peer.pongs).toEqual(['behind']);
    begun[1]!.resolve();
    await turns();
  });

  it('reads on with 15', async () => {
    const { begun, message } = makeSlowHook();
    const { peer, transport } = makeWire({ hooks: { message } });
    peer.write(...numbers(16).map(frame.text), frame.ping('read'));
    await turns();
    expect(transport.isPaused()).toBe(false);
    expect(peer.pongs).toEqual(['read']);
    begun[0]!.resolve();
    await turns();
  });

  it('by maxPayload bytes', async () => {
    const { begun, message } = makeSlowHook();
    const { peer, transport } = makeWire({ hooks: { message }, settings: { maxPayload: 1000 } });
    peer.say('first', 'x'.repeat(999));
    await turns();
    expect(transport.isPaused()).toBe(false);
    peer.say('x');
    await turns();
    expect(transport.isPaused()).toBe(true);
    begun[0]!.resolve();
    await turns();
    expect(transport.isPaused()).toBe(false);
  });

  it('lets the peer feel it', async () => {
    const { peer } = makeWire();
    for (let i = 0; i < 2000; i++) peer.say('x'.repeat(100));
    await turns(20);
    expect(peer.stream.writableLength).toBeGreaterThan(100_000);
  });

  it('loses nothing of all that, whatever stops and goes on', async () => {
    const seen: unknown[] = [];
    const { peer, socket } = makeWire({
      hooks: {
        message: (_, data) => {
          seen.push(data);
          if (Number(data) % 7 === 0) {
            socket.pause();
            setImmediate(() => socket.resume());
          }
          return Number(data) % 5 === 0 ? turns(1) : undefined;
        },
      },
    });
    const bytes = Buffer.concat(numbers(500).map(frame.text));
    for (let at = 0; at < bytes.length; at += 333) peer.write(bytes.subarray(at, at + 333));
    await until(() => seen.length === 500);
    expect(seen).toEqual(numbers(500));
  });
});

it('counts the characters of text and the bytes of binary messages', async () => {
  const { begun, message } = makeSlowHook();
  const { peer, transport } = makeWire({ hooks: { message }, settings: { maxPayload: 1000 } });
  peer.write(
    frame.text('first'),
    clientFrame({ first: 0x82, payload: Buffer.alloc(500) }),
    frame.text('x'.repeat(500)),
  );
  await turns();
  expect(transport.isPaused()).toBe(true);
  begun[0]!.resolve();
  await turns();
});
