import { Blob, Buffer } from 'node:buffer';
import type { Decoded, MessageCodec, SocketHooks } from '../../lib/socket/settings';
import { deferred, frame, makeWire, turns, type Wire, type WireOptions } from './wire';

type Decode = NonNullable<MessageCodec['decode']>;

/** A socket whose messages go through a schema. */
function makeChecked(decode: Decode, hooks: SocketHooks = {}, open?: WireOptions['open']): Wire {
  return makeWire({
    hooks,
    settings: { codec: { decode, encode: undefined } },
    ...(open === undefined ? {} : { open }),
  });
}

const value = (text: string): Decoded => ({ kind: 'value', value: { text } });
const invalid = (): Decoded => ({ kind: 'invalid', issues: [{ message: 'too short' }] });

describe('binaryType', () => {
  it.each([
    ['nodebuffer', Buffer],
    ['arraybuffer', ArrayBuffer],
    ['blob', Blob],
  ] as const)('%s', async (type, constructor) => {
    const seen: unknown[] = [];
    const wire = makeWire({ hooks: { message: (_, data) => seen.push(data) } });
    wire.socket.binaryType = type;
    wire.peer.write(frame.binary(Buffer.from([1, 2, 3])), frame.text('text'));
    await turns();
    expect(seen).toHaveLength(2);
    expect(seen[0]).toBeInstanceOf(constructor);
    expect(seen[1]).toBe('text');
    const bytes = await new Response(seen[0] as never).arrayBuffer();
    expect(Buffer.from(bytes)).toEqual(Buffer.from([1, 2, 3]));
  });

  it('makes an ArrayBuffer of exactly the message', async () => {
    const seen: ArrayBuffer[] = [];
    const wire = makeWire({ hooks: { message: (_, data) => seen.push(data as ArrayBuffer) } });
    wire.socket.binaryType = 'arraybuffer';
    wire.peer.write(frame.text('in front'), frame.binary(Buffer.alloc(5, 7)), frame.text('behind'));
    await turns();
    expect(seen[1]?.byteLength).toBe(5);
  });
});

describe('who gets a message', () => {
  it('is the hook only once open has settled, and a listener waits with it', async () => {
    const opening = deferred();
    const seen: unknown[] = [];
    const wire = makeWire({
      open: () => opening.promise,
      hooks: { message: (_, data) => seen.push(`hook ${String(data)}`) },
    });
    wire.socket.on('message', (data) => seen.push(`listener ${String(data)}`));
    wire.peer.say('a');
    await turns();
    expect(seen).toEqual([]);
    opening.resolve();
    await turns();
    expect(seen).toEqual(['hook a', 'listener a']);
  });

  it('is an iterator before hook and listeners', async () => {
    const seen: unknown[] = [];
    const wire = makeWire({ hooks: { message: (_, data) => seen.push(data) } });
    wire.socket.on('message', (data) => seen.push(data));
    const iterator = wire.socket[Symbol.asyncIterator]();
    const other = wire.socket[Symbol.asyncIterator]();
    const both = [iterator.next(), other.next()];
    wire.peer.say('a', 'b', 'c');
    await turns();
    expect(await Promise.all(both)).toEqual([
      { value: 'a', done: false },
      { value: 'b', done: false },
    ]);
    expect(seen).toEqual([]);
    await iterator.return?.();
    await other.return?.();
    await turns();
    expect(seen).toEqual(['c', 'c']);
  });

  it('is nobody any more after the close: iterators that wait are done', async () => {
    const wire = makeWire();
    const iterators = [wire.socket[Symbol.asyncIterator](), wire.socket[Symbol.asyncIterator]()];
    const waiting = iterators.map((iterator) => iterator.next());
    wire.socket.terminate();
    await turns();
    const done = { value: undefined, done: true };
    expect(await Promise.all(waiting)).toEqual([done, done]);
    expect(wire.closes).toEqual(['1006']);
  });

  it('keeps one iterator waiting when another one leaves', async () => {
    const wire = makeWire();
    const one = wire.socket[Symbol.asyncIterator]();
    const two = wire.socket[Symbol.asyncIterator]();
    const left = one.next();
    const stays = two.next();
    await one.return?.();
    wire.peer.say('a');
    await turns();
    expect(await left).toEqual({ value: undefined, done: true });
    expect(await stays).toEqual({ value: 'a', done: false });
  });
});

describe('§2.4.10 a receive schema', () => {
  it.each([false, true])('hands over what it makes of the text; async: %s', async (isAsync) => {
    const seen: unknown[] = [];
    const wire = makeChecked((text) => (isAsync ? Promise.resolve(value(text)) : value(text)), {
      message: (_, data) => seen.push(data),
    });
    wire.peer.say('a', 'b');
    await turns();
    expect(seen).toEqual([{ text: 'a' }, { text: 'b' }]);
  });

  it('keeps the order when an earlier message takes longer to check', async () => {
    const first = deferred<Decoded>();
    const seen: unknown[] = [];
    const wire = makeChecked((text) => (text === 'slow' ? first.promise : value(text)), {
      message: (_, data) => seen.push(data),
    });
    wire.peer.say('slow', 'fast');
    await turns();
    expect(seen).toEqual([]);
    first.resolve(value('slow'));
    await turns();
    expect(seen).toEqual([{ text: 'slow' }, { text: 'fast' }]);
  });

  it('waits for the handler of a message that was checked later', async () => {
    const handling = deferred();
    const seen: unknown[] = [];
    const wire = makeChecked((text) => Promise.resolve(value(text)), {
      message: (_, data) => {
        seen.push(data);
        return handling.promise;
      },
    });
    wire.peer.say('a', 'b');
    await turns();
    expect(seen).toHaveLength(1);
    handling.resolve();
    await turns();
    expect(seen).toHaveLength(2);
  });

  it('closes with 1007 for what is not JSON', async () => {
    const seen: unknown[] = [];
    const wire = makeChecked(() => ({ kind: 'not json' }), {
      message: (_, data) => seen.push(data),
    });
    wire.peer.say('{');
    await turns();
    expect(wire.peer.closes).toEqual(['1007 not JSON']);
    expect(seen).toEqual([]);
  });

  it('closes with 1003 for a binary message', async () => {
    const wire = makeChecked(value, { message: () => undefined });
    wire.peer.write(frame.binary(Buffer.from('{}')));
    await turns();
    expect(wire.peer.closes).toEqual(['1003 JSON text expected']);
  });

  it('closes with 1008 and a short reason for what is not valid', async () => {
    const issues = [{ message: `too short${'!'.repeat(500)}` }, { message: 'second' }];
    const wire = makeChecked(() => ({ kind: 'invalid', issues }), { message: () => undefined });
    wire.peer.say('{}');
    await turns();
    expect(wire.peer.closes).toHaveLength(1);
    expect(wire.peer.closes[0]).toMatch(/^1008 invalid message: too short!+$/);
  });

  // A schema may repeat what the peer sent, so the peer chooses the characters.
  it.each([
    ['two bytes', 'é'],
    ['three bytes', '€'],
    ['two units and four bytes', '\u{1f600}'],
  ])('closes with 1008 whatever the issue says, in characters of %s', async (_, character) => {
    const issues = [{ message: `!${character.repeat(500)}` }];
    const wire = makeChecked(() => ({ kind: 'invalid', issues }), { message: () => undefined });
    wire.peer.say('{}');
    await turns();
    expect(wire.reports).toEqual([]);
    expect(wire.peer.closes).toHaveLength(1);
    // Cut between characters: half of one would leave a replacement behind.
    expect(wire.peer.closes[0]).toMatch(new RegExp(`^1008 invalid message: !(${character})+$`));
  });

  it('closes with 1008 when the schema names no issue', async () => {
    const wire = makeChecked(() => ({ kind: 'invalid', issues: [] }), { message: () => undefined });
    wire.peer.say('{}');
    await turns();
    expect(wire.peer.closes).toEqual(['1008 invalid message:']);
  });

  it('leaves what is not valid to the invalid hook, one at a time', async () => {
    const waiting = deferred();
    const seen: unknown[] = [];
    const wire = makeChecked((text) => (text === 'bad' ? invalid() : value(text)), {
      message: (_, data) => seen.push(data),
      invalid: (_, issues) => {
        seen.push(issues);
        return waiting.promise;
      },
    });
    wire.peer.say('bad', 'good');
    await turns();
    expect(seen).toEqual([[{ message: 'too short' }]]);
    waiting.resolve();
    await turns();
    expect(seen).toEqual([[{ message: 'too short' }], { text: 'good' }]);
    expect(wire.socket.readyState).toBe(1);
  });

  it('closes with 1011 when the invalid hook fails', async () => {
    const wire = makeChecked(invalid, {
      message: () => undefined,
      invalid: () => {
        throw new Error('mine');
      },
    });
    wire.peer.say('{}');
    await turns();
    expect(wire.reports).toEqual([new Error('mine')]);
    expect(wire.peer.closes).toEqual(['1011']);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('schema');
      },
    ],
    ['rejects', () => Promise.reject(new Error('schema'))],
  ])('closes with 1011 when the schema %s', async (_, decode) => {
    const seen: unknown[] = [];
    const wire = makeChecked(decode, { message: (__, data) => seen.push(data) });
    wire.peer.say('{}', '{}');
    await turns();
    expect(wire.reports).toEqual([new Error('schema')]);
    expect(wire.peer.closes).toEqual(['1011']);
    expect(seen).toEqual([]);
  });

  it('gives an iterator the next valid message', async () => {
    const wire = makeChecked((text) => (text === 'bad' ? invalid() : value(text)), {
      invalid: () => undefined,
    });
    const next = wire.socket[Symbol.asyncIterator]().next();
    wire.peer.say('bad', 'good');
    expect(await next).toEqual({ value: { text: 'good' }, done: false });
  });

  it('loses no message whose iterator leaves while it is checked', async () => {
    const checking = deferred<Decoded>();
    const seen: unknown[] = [];
    const wire = makeChecked(() => checking.promise);
    const iterator = wire.socket[Symbol.asyncIterator]();
    void iterator.next();
    wire.peer.say('a');
    await turns();
    await iterator.return?.();
    checking.resolve(value('a'));
    await turns();
    wire.socket.on('message', (data) => seen.push(data));
    await turns();
    expect(seen).toEqual([{ text: 'a' }]);
  });

  it('delivers nothing that was being checked when we closed (§1.4)', async () => {
    const checking = deferred<Decoded>();
    const seen: unknown[] = [];
    const wire = makeChecked(() => checking.promise, { message: (_, data) => seen.push(data) });
    wire.peer.say('a');
    await turns();
    wire.socket.close();
    checking.resolve(value('a'));
    await turns();
    expect(seen).toEqual([]);
  });
});

it('goes on with the listeners when the hook throws, and closes once', async () => {
  const seen: unknown[] = [];
  const wire = makeWire({
    hooks: {
      message: () => {
        throw new Error('mine');
      },
    },
  });
  wire.socket.on('message', (data) => seen.push(data));
  wire.peer.say('a', 'b');
  await turns();
  expect(seen).toEqual(['a']);
  expect(wire.reports).toHaveLength(1);
  expect(wire.peer.closes).toEqual(['1011']);
});

it('lets no listener of a message hold up the next one', async () => {
  const never = deferred();
  const seen: unknown[] = [];
  const wire = makeWire();
  wire.socket.on('message', (data) => {
    seen.push(data);
    return never.promise;
  });
  wire.peer.say('a', 'b');
  await turns();
  expect(seen).toEqual(['a', 'b']);
});
