import { Blob } from 'node:buffer';
import type { RouteMetrics } from '../../lib/express/metrics';
import { route } from '../../lib/express/route';
import type { Socket } from '../../lib/socket/socket';
import { clientFrame, hex } from '../support/bytes';
import {
  catchStderr,
  Client,
  CLOSE,
  eventually,
  gate,
  handshake,
  knock,
  open,
  plain,
  start,
  type Running,
} from './harness';

/** RFC 6455 §5.7: a masked and an unmasked "Hello", 11 and 7 bytes. */
const MASKED_HELLO = hex('81 85 37fa213d 7f9f4d5158');

function closeFrame(code: number): Buffer {
  return clientFrame({ first: 0x88, payload: Buffer.from([code >> 8, code & 0xff]) });
}

/** What the first route has done. */
function metricsOf({ sockets }: Pick<Running, 'sockets'>): RouteMetrics {
  return sockets.metrics().routes[0]!;
}

/** Waits until something about the first route is so. */
async function until(running: Running, isSo: (metrics: RouteMetrics) => boolean): Promise<void> {
  await eventually(() => isSo(metricsOf(running)));
}

describe('metrics', () => {
  it('are zeros to begin with, of each route in its order, by the path it was declared with', async () => {
    const running = await start([plain, route(['/a', /^\/b/], () => undefined)]);
    const none = { received: 0, sent: 0 };
    const zeros = { connections: 0, opened: 0, handshakes: { aborted: 0 }, closes: {} };
    const rest = { messages: none, bytes: none, bufferedBytes: 0, dropped: 0 };
    expect(running.sockets.metrics()).toEqual({
      pendingHandshakes: 0,
      routes: ['/ws', '/a, /^\\/b/'].map((path) => ({ path, ...zeros, ...rest })),
    });
  });

  it('are a copy, which JSON can say', async () => {
    const running = await start([plain]);
    const before = running.sockets.metrics();
    const client = await open(running);
    client.write(CLOSE);
    await until(running, ({ closes }) => closes['1000'] === 1);
    expect(before.routes[0]?.handshakes).toEqual({ aborted: 0 });
    const metrics = running.sockets.metrics();
    expect(JSON.parse(JSON.stringify(metrics))).toEqual(metrics);
  });

  it('say how many sockets there are and were, of one route each', async () => {
    const running = await start([plain, route('/other', () => undefined)]);
    const client = await open(running);
    await open(running);
    await open(running, { path: '/other' });
    expect(metricsOf(running)).toMatchObject({ connections: 2, opened: 2 });
    client.write(CLOSE);
    await until(running, ({ connections }) => connections === 1);
    expect(running.sockets.metrics().routes).toMatchObject([
      { connections: 1, opened: 2, closes: { '1000': 1 } },
      { connections: 1, opened: 1, closes: {} },
    ]);
  });

  it('say how many handshakes wait for user code', async () => {
    const { promise, resolve } = gate();
    const running = await start([route('/ws', { auth: () => promise }, () => undefined)]);
    const client = knock(running);
    await eventually(() => running.sockets.metrics().pendingHandshakes === 1);
    resolve();
    expect((await client.head()).status).toBe(101);
    expect(running.sockets.metrics().pendingHandshakes).toBe(0);
  });
});

describe('messages and bytes', () => {
  const echo = route('/ws', { message: (socket, data) => socket.send(data) });

  it('are counted both ways, the bytes as they are on the wire', async () => {
    const running = await start([echo]);
    const client = await open(running);
    client.write(MASKED_HELLO).write(hex('89 80 00000000'));
    expect((await client.frame()).payload.toString()).toBe('Hello');
    await client.frame();
    expect(metricsOf(running)).toMatchObject({
      messages: { received: 1, sent: 1 },
      bytes: { received: 11 + 6, sent: 7 + 2 },
    });
    client.write(CLOSE);
    await until(running, ({ connections }) => connections === 0);
    expect(metricsOf(running).bytes).toEqual({ received: 11 + 6 + 8, sent: 7 + 2 + 4 });
  });

  it('that came right behind the handshake are among them', async () => {
    const running = await start([echo]);
    const first = Buffer.concat([Buffer.from(handshake()), MASKED_HELLO]);
    const client = new Client(running.port).write(first);
    await client.head();
    expect((await client.frame()).payload.toString()).toBe('Hello');
    expect(metricsOf(running).bytes.received).toBe(11);
  });

  it('in fragments are one message, and so is a Blob', async () => {
    const sockets: Socket[] = [];
    const running = await start([route('/ws', (socket) => sockets.push(socket))]);
    const client = await open(running);
    // RFC 6455 §5.7: "Hel" and "lo", masked here with zeros.
    client.write(hex('01 83 00000000 48656c 80 82 00000000 6c6f'));
    await until(running, ({ messages }) => messages.received === 1);
    const [socket] = sockets;
    socket?.send('Hel', { fin: false });
    expect(metricsOf(running).messages.sent).toBe(0);
    socket?.send('lo');
    socket?.send(new Blob(['four']));
    for (const size of [3, 2, 4]) expect((await client.frame()).payload).toHaveLength(size);
    expect(metricsOf(running)).toMatchObject({
      messages: { received: 1, sent: 2 },
      bytes: { received: 17, sent: 5 + 4 + 6 },
    });
  });

  it('to many count once for each of them', async () => {
    const running = await start([plain]);
    const clients = [await open(running), await open(running), await open(running)];
    running.sockets.of(plain).send('Hello');
    for (const client of clients) await client.frame();
    expect(metricsOf(running)).toMatchObject({ messages: { sent: 3 }, bytes: { sent: 21 } });
  });

  it('that are compressed count as what they are compressed to', async () => {
    const perMessageDeflate = { threshold: 0 };
    const answering = route('/ws', { message: (socket) => socket.send('a'.repeat(1000)) });
    const running = await start([answering], { perMessageDeflate });
    const offer = { 'Sec-WebSocket-Extensions': 'permessage-deflate' };
    const client = await open(running, { headers: offer });
    // RFC 7692 §7.2.3.1: "Hello", masked here with zeros.
    client.write(hex('c1 87 00000000 f248cdc9c90700'));
    const { first, payload } = await client.frame();
    expect(first).toBe(0xc1);
    expect(payload.length).toBeLessThan(100);
    expect(metricsOf(running)).toMatchObject({
      messages: { received: 1, sent: 1 },
      bytes: { received: 13, sent: 2 + payload.length },
    });
  });

  it('that wait are said, and those that were dropped, until the socket is gone', async () => {
    const sockets: Socket[] = [];
    const options = { highWaterMark: 1024, maxBackpressure: 1024, onBackpressure: 'drop' } as const;
    const running = await start([route('/ws', options, (socket) => sockets.push(socket))]);
    const client = await open(running);
    client.socket.pause();
    const payload = Buffer.alloc(100_000);
    let sent = 0;
    while (sockets[0]!.bufferedAmount <= 1024 || sent === 0) {
      sockets[0]!.send(payload);
      sent++;
      await new Promise(setImmediate);
    }
    for (let more = 0; more < 3; more++) sockets[0]!.send('dropped');
    const { bufferedBytes, dropped, messages } = metricsOf(running);
    expect([bufferedBytes, dropped, messages.sent]).toEqual([sockets[0]!.bufferedAmount, 3, sent]);
    expect(bufferedBytes).toBeGreaterThan(1024);
    client.reset();
    await until(running, ({ connections }) => connections === 0);
    expect(metricsOf(running)).toMatchObject({ bufferedBytes: 0, dropped: 3 });
  });
});

describe('closes', () => {
  it.each<[string, (client: Client) => unknown, object]>([
    ['the peer goes', (client) => client.write(CLOSE), { '1000': 1 }],
    ['the peer gives no code', (client) => client.write(hex('88 80 00000000')), { '1005': 1 }],
    ['the peer breaks a rule', (client) => client.write(hex('83 80 00000000')), { '1002': 1 }],
    ['the peer sends no close frame', (client) => client.fin(), { '1006': 1 }],
    ['the network breaks', (client) => client.reset(), { '1006': 1 }],
    ['user code throws', (client) => client.write(MASKED_HELLO).fin(), { '1011': 1 }],
    ['it is a code of a library', (client) => client.write(closeFrame(3000)), { '3xxx': 1 }],
    ['it is a code of an app', (client) => client.write(closeFrame(4999)), { '4xxx': 1 }],
  ])('are by code when %s', async (_what, end, closes) => {
    catchStderr();
    const message = (): void => {
      throw new Error('thrown on purpose');
    };
    const running = await start([route('/ws', { message })]);
    const client = await open(running);
    end(client);
    await until(running, ({ connections }) => connections === 0);
    expect(metricsOf(running).closes).toEqual(closes);
  });

  it('of ours are among them', async () => {
    const running = await start([plain]);
    await open(running);
    const leaving = running.sockets.close({ timeout: 0 });
    await leaving;
    expect(metricsOf(running).closes).toEqual({ '1001': 1 });
  });

  it('have no more names for all that peers think of', async () => {
    const running = await start([plain]);
    const codes = [1000, 3000, 3999, ...Array.from({ length: 20 }, (_, at) => 4000 + at)];
    const clients = await Promise.all(codes.map(() => open(running)));
    for (const [at, client] of clients.entries()) client.write(closeFrame(codes[at]!));
    await until(running, ({ connections }) => connections === 0);
    expect(metricsOf(running).closes).toEqual({ '1000': 1, '3xxx': 2, '4xxx': 20 });
  });
});
