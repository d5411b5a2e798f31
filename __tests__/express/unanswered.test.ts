import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { route } from '../../lib/express/route';
import { hex } from '../support/bytes';
import { Client, eventually, gate, handshake, start, type Running } from './harness';

const HELLO = hex('81 85 37fa213d 7f9f4d5158');

const echo = route('/ws', {
  message(socket, data) {
    socket.send(data);
  },
});

function get(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
}

/** A server whose `/slow` is answered when the test says so. */
async function startSlow(
  options = {},
): Promise<{ running: Running; asked: Promise<ServerResponse> }> {
  const asked = gate<ServerResponse>();
  const running = await start([echo], {
    ...options,
    prepare: (app) => app.get('/slow', (_req, res) => asked.resolve(res)),
  });
  return { running, asked: asked.promise };
}

describe('an upgrade behind a request that was not answered', () => {
  it('waits for the answer, and keeps what comes behind it', async () => {
    const { running, asked } = await startSlow();
    const client = new Client(running.port).write(
      Buffer.concat([Buffer.from(get('/none') + get('/slow') + handshake()), HELLO]),
    );
    const res = await asked;
    expect(running.sockets.clients.size).toBe(0);
    res.end('late');
    expect((await client.answer()).status).toBe(404);
    expect((await client.answer()).body).toBe('late');
    expect((await client.head()).status).toBe(101);
    expect(await client.frame()).toEqual({ first: 0x81, payload: Buffer.from('Hello') });
  });

  it('waits when it is refused for its body, of which some is still to come', async () => {
    const { running, asked } = await startSlow();
    const knock = handshake({ headers: { 'Content-Length': '5' } });
    const client = new Client(running.port).write(`${get('/slow')}${knock}ab`);
    const res = await asked;
    // Whoever did not wait would have answered by the time that another is served.
    await new Client(running.port).write(get('/none')).answer();
    res.end('late');
    expect((await client.answer()).body).toBe('late');
    expect((await client.lastAnswer()).status).toBe(400);
  });

  it('waits for an answer that is larger than the connection takes at once', async () => {
    const { running, asked } = await startSlow();
    const client = new Client(running.port).write(get('/slow') + handshake());
    const res = await asked;
    const body = 'x'.repeat(1_000_000);
    res.setHeader('Content-Length', 4 * body.length);
    for (let count = 0; count < 4; count++) if (!res.write(body)) await once(res, 'drain');
    res.end();
    expect((await client.answer()).body).toHaveLength(4 * body.length);
    expect((await client.head()).status).toBe(101);
  });

  it('is dropped with the connection when that is to end with the answer', async () => {
    const { running, asked } = await startSlow();
    const client = new Client(running.port).write(get('/slow') + handshake());
    const res = await asked;
    res.setHeader('Connection', 'close');
    res.end('last');
    expect((await client.lastAnswer()).body).toBe('last');
    expect(running.sockets.clients.size).toBe(0);
  });

  it('is dropped when the answer does not come in time', async () => {
    const { running, asked } = await startSlow({ handshakeTimeout: 50 });
    const client = new Client(running.port).write(get('/slow') + handshake());
    await asked;
    await client.ended;
    expect(client.received).toHaveLength(0);
  });

  it('is forgotten when the client leaves', async () => {
    const { running, asked } = await startSlow();
    const client = new Client(running.port).write(get('/slow') + handshake());
    const res = await asked;
    const { socket } = res;
    client.reset();
    await eventually(() => socket?.destroyed === true);
    res.end('nobody reads this');
    expect(running.sockets.clients.size).toBe(0);
  });
});

describe('a connection that is used again', () => {
  it('may upgrade when its requests have been answered', async () => {
    const running = await start([echo], {
      prepare: (app) => app.get('/page', (_req, res) => void res.send('page')),
    });
    const client = new Client(running.port);
    for (let count = 0; count < 3; count++) {
      client.write(get('/page'));
      expect((await client.answer()).body).toBe('page');
    }
    client.write(handshake());
    expect((await client.head()).status).toBe(101);
    client.write(HELLO);
    expect((await client.frame()).payload.toString()).toBe('Hello');
  });
});
