import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Decoded } from '../../lib/socket/settings';
import type { SocketStream } from '../../lib/socket/socket-stream';
import { frame, makeWire, turns, until } from './wire';

/** Has the errors of a stream noted; a stream without a listener would end the process. */
function noted(stream: SocketStream): { stream: SocketStream; errors: Error[] } {
  const errors: Error[] = [];
  stream.on('error', (error) => errors.push(error));
  return { stream, errors };
}

describe('reading a socket as a stream', () => {
  it('gives one chunk a message, text as a string and binary as a Buffer, and ends', async () => {
    const wire = makeWire();
    const { stream } = noted(wire.socket.stream());
    wire.peer.write(frame.text('a'), frame.binary(Buffer.from('b')), frame.text(''));
    wire.peer.close(1000);
    wire.peer.stream.end();
    const chunks: unknown[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks).toEqual(['a', Buffer.from('b'), '']);
  });

  it('slows the peer down when it is not read', async () => {
    const wire = makeWire();
    wire.socket.stream();
    wire.peer.say(...Array.from({ length: 40 }, (_, i) => String(i)));
    await turns();
    expect(wire.transport.isPaused()).toBe(true);
  });

  it('cannot pass on a message that is null, and drops the connection', async () => {
    // A chunk that is null would be the end of the stream, and nobody would know why.
    const decode = (text: string): Decoded => ({ kind: 'value', value: JSON.parse(text) });
    const wire = makeWire({ settings: { codec: { decode, encode: undefined } } });
    const { stream, errors } = noted(wire.socket.stream());
    const chunks: unknown[] = [];
    let hasEnded = false;
    stream.on('data', (chunk) => chunks.push(chunk)).on('end', () => (hasEnded = true));
    wire.peer.say('1', 'null', '2');
    await turns();
    expect([chunks, hasEnded]).toEqual([[1], false]);
    expect(errors).toEqual([new TypeError('a message that is null cannot be a chunk of a stream')]);
    expect(wire.closes).toEqual(['1006']);
  });

  it.each([false, 0, ''])('passes on a message that is %p', async (value) => {
    const decode = (): Decoded => ({ kind: 'value', value });
    const wire = makeWire({ settings: { codec: { decode, encode: undefined } } });
    const { stream } = noted(wire.socket.stream());
    const chunks: unknown[] = [];
    stream.on('data', (chunk) => chunks.push(chunk));
    wire.peer.say('x');
    await turns();
    expect(chunks).toEqual([value]);
  });

  it('gives messages back to the hook when it is destroyed', async () => {
    const seen: unknown[] = [];
    const wire = makeWire({ hooks: { message: (_, data) => seen.push(data) } });
    const { stream } = noted(wire.socket.stream());
    stream.resume();
    stream.destroy();
    await turns();
    expect(wire.peer.closes).toEqual(['1000']);
    expect(stream.destroyed).toBe(true);
  });
});

describe('writing to a socket as a stream', () => {
  it('sends one message a chunk', async () => {
    const wire = makeWire();
    await pipeline(Readable.from(['a', Buffer.from('b'), 'c']), wire.socket.stream());
    await turns();
    expect(wire.peer.frames.map(({ first }) => first)).toEqual([0x81, 0x82, 0x81, 0x88]);
    expect(wire.peer.closes).toEqual(['1000']);
  });

  it('is done with a chunk when the operating system has taken it', async () => {
    const wire = makeWire();
    wire.peer.pause();
    const { stream } = noted(wire.socket.stream());
    let isTaken = false;
    stream.write('x'.repeat(100_000), () => {
      isTaken = true;
    });
    await turns();
    expect(isTaken).toBe(false);
    wire.peer.resume();
    await until(() => isTaken);
  });

  it('fails with the error of send for what cannot be sent, and drops the connection', async () => {
    const wire = makeWire();
    const { stream, errors } = noted(wire.socket.stream());
    stream.write({ not: 'sendable' });
    await turns();
    expect(errors).toEqual([expect.objectContaining({ code: 'ERR_WS_INVALID_DATA' })]);
    expect(wire.closes).toEqual(['1006']);
  });

  it('is over without an error when the socket has closed: a peer may always leave', async () => {
    const wire = makeWire();
    const { stream, errors } = noted(wire.socket.stream());
    wire.socket.close(4000);
    stream.write('late');
    await turns();
    expect(errors).toEqual([]);
    expect(stream.destroyed).toBe(true);
  });

  it('does not end the process when the peer leaves while somebody pipes into it', async () => {
    // §2.4.5: the peer cannot end the process, and nobody needs an error listener, ever.
    const wire = makeWire();
    const source = new Readable({ objectMode: true, read() {} });
    source.pipe(wire.socket.stream());
    source.push('a');
    await turns();
    wire.peer.close(1000);
    wire.peer.stream.end();
    await turns();
    source.push('b');
    await turns();
    expect(wire.closes).toEqual(['1000']);
  });
});

describe('the end of a stream', () => {
  it('ends with the socket, without an error', async () => {
    const wire = makeWire();
    const { stream, errors } = noted(wire.socket.stream());
    stream.resume();
    wire.socket.terminate();
    await once(stream, 'close');
    expect(errors).toEqual([]);
    expect(stream.destroyed).toBe(true);
  });

  it('drops the connection when it is destroyed with an error', async () => {
    const wire = makeWire();
    const { stream, errors } = noted(wire.socket.stream());
    stream.destroy(new Error('mine'));
    await turns();
    expect(wire.closes).toEqual(['1006']);
    expect(wire.peer.closes).toEqual([]);
    expect(errors).toHaveLength(1);
  });
});
