import { Buffer } from 'node:buffer';
import type { Decoded, SocketHooks } from '../../../lib/socket/settings';
import { deferred, frame, makeWire, turns, type Deferred, type Wire } from '../wire';

describe('messages that a schema checks', () => {
  /** A schema that takes as long as the test wants for what begins with 'slow'. */
  const makeChecked = (
    hooks: SocketHooks = {},
    maxPayload = 1000,
  ): Wire & { checks: Deferred<Decoded>[] } => {
    const checks: Deferred<Decoded>[] = [];
    const decode = (text: string): Decoded | Promise<Decoded> => {
      if (!text.startsWith('slow')) return { kind: 'value', value: `checked ${text}` };
      const checking = deferred<Decoded>();
      checks.push(checking);
      return checking.promise;
    };
    const codec = { decode, encode: undefined };
    return { ...makeWire({ hooks, settings: { codec, maxPayload } }), checks };
  };

  it('are delivered in order, however long each is checked', async () => {
    const seen: unknown[] = [];
    const { peer, checks } = makeChecked({ message: (_, data) => seen.push(data) });
    peer.say('a', 'slow 1', 'b', 'slow 2', 'c');
    await turns();
    expect([seen, checks.length]).toEqual([['checked a'], 1]);
    checks[0]?.resolve({ kind: 'value', value: 'one' });
    await turns();
    expect([seen, checks.length]).toEqual([['checked a', 'one', 'checked b'], 2]);
    checks[1]?.resolve({ kind: 'value', value: 'two' });
    await turns();
    expect(seen).toEqual(['checked a', 'one', 'checked b', 'two', 'checked c']);
  });

  it('wait for somebody again, in their place, when nobody is left who wants them', async () => {
    const { peer, socket, checks } = makeChecked();
    const seen: unknown[] = [];
    const leaving = jest.fn();
    socket.on('message', leaving);
    peer.say('slow 1', 'b');
    await turns();
    socket.off('message', leaving);
    checks[0]?.resolve({ kind: 'value', value: 'one' });
    await turns();
    socket.on('message', (data) => seen.push(data));
    await turns();
    expect(seen).toEqual(['one', 'checked b']);
    expect(leaving).not.toHaveBeenCalled();
  });

  it('count while they wait again: reading stops at maxPayload', async () => {
    const { peer, socket, transport, checks } = makeChecked({}, 200);
    const leaving = (): void => undefined;
    socket.on('message', leaving);
    peer.say(`slow ${'x'.repeat(150)}`);
    await turns();
    socket.off('message', leaving);
    checks[0]?.resolve({ kind: 'value', value: 'short' });
    await turns();
    expect(transport.isPaused()).toBe(false);
    peer.say('y'.repeat(50));
    await turns();
    expect(transport.isPaused()).toBe(true);
    const seen: unknown[] = [];
    socket.on('message', (data) => seen.push(data));
    await turns();
    expect([seen.length, transport.isPaused()]).toEqual([2, false]);
  });

  it('are dropped when we close while they are checked (§1.4)', async () => {
    const seen: unknown[] = [];
    const { peer, socket, checks } = makeChecked({ message: (_, data) => seen.push(data) });
    peer.say('slow 1', 'b');
    await turns();
    socket.close();
    checks[0]?.resolve({ kind: 'value', value: 'one' });
    await turns();
    expect(seen).toEqual([]);
  });

  it('are left out when they are not valid, and the next one comes', async () => {
    const seen: unknown[] = [];
    const { peer, checks } = makeChecked({
      message: (_, data) => seen.push(data),
      invalid: () => seen.push('invalid'),
    });
    peer.say('slow 1', 'b');
    await turns();
    checks[0]?.resolve({ kind: 'invalid', issues: [] });
    await turns();
    expect(seen).toEqual(['invalid', 'checked b']);
  });

  it('close the socket at once when they are no text', async () => {
    const seen: unknown[] = [];
    const { peer } = makeChecked({ message: (_, data) => seen.push(data) });
    peer.write(frame.binary(Buffer.from([1])), frame.text('b'));
    await turns();
    expect([peer.closes, seen]).toEqual([['1003 JSON text expected'], []]);
  });
});
