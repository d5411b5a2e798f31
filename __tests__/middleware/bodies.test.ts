import compression from 'compression';
import express from 'express';
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { reject } from '../../lib/express/rejection';
import { route } from '../../lib/express/route';
import { clientFrame } from '../support/bytes';
import { after, Client, handshake, open, refused, start } from '../express/harness';
import { get, PLACES, startBehind } from './support';

const LONG = 'a page that says no, at length. '.repeat(500);
const GZIP = { headers: { 'Accept-Encoding': 'gzip' } };

/** The bytes of an answer that ends the connection, behind its head. */
async function bytesOfRefusal(port: number): Promise<{ head: string; body: Buffer }> {
  const client = new Client(port).write(handshake(GZIP));
  await client.ended;
  const bytes = client.received;
  const end = bytes.indexOf('\r\n\r\n');
  return { head: bytes.toString('latin1', 0, end), body: bytes.subarray(end + 4) };
}

/** A body without its framing: its chunks joined, if it came in such (RFC 9112 §7.1). */
function wholeBody(head: string, body: Buffer): Buffer {
  if (!/^transfer-encoding: chunked/im.test(head)) return body;
  const parts: Buffer[] = [];
  for (let at = 0; ;) {
    const line = body.indexOf('\r\n', at);
    const size = parseInt(body.toString('latin1', at, line), 16);
    if (size === 0) return Buffer.concat(parts);
    parts.push(body.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
}

describe.each(PLACES)('compression before %s', (place) => {
  it('leaves the 101 and the frames behind it as they are', async () => {
    const running = await startBehind(place, compression({ threshold: 0 }), {
      open: (socket) => socket.send(LONG),
    });
    const client = await open(running, GZIP);
    expect(client.upgraded.headers).not.toHaveProperty('content-encoding');
    expect(client.upgraded.headers).not.toHaveProperty('transfer-encoding');
    expect((await client.frame()).payload.toString()).toBe(LONG);
  });

  it('compresses what middleware behind it answers, and the client can read it', async () => {
    const answering: express.RequestHandler = (_req, res) => void res.status(403).send(LONG);
    const { port } = await startBehind(place, [compression(), answering]);
    const { head, body } = await bytesOfRefusal(port);
    expect(head).toMatch(/^HTTP\/1\.1 403 /);
    expect(head).toMatch(/^content-encoding: gzip/im);
    expect(gunzipSync(wholeBody(head, body)).toString()).toBe(LONG);
  });

  it('may compress a refusal of auth, and the client can read that, too', async () => {
    const { port } = await startBehind(place, compression(), { auth: () => reject(403, LONG) });
    const { head, body } = await bytesOfRefusal(port);
    const whole = wholeBody(head, body);
    const text = /^content-encoding: gzip/im.test(head) ? gunzipSync(whole) : whole;
    expect(text.toString()).toBe(LONG);
  });

  it('leaves a short refusal as it is', async () => {
    const running = await startBehind(place, compression(), { auth: () => false });
    const answer = await refused(running, GZIP);
    expect([answer.status, answer.body]).toEqual([403, 'Forbidden']);
    expect(answer.headers).not.toHaveProperty('content-encoding');
  });
});

describe.each(PLACES)('parsers of bodies before %s', (place) => {
  it.each([
    ['json', express.json()],
    ['urlencoded', express.urlencoded({ extended: true })],
    ['text', express.text({ type: () => true })],
    ['raw', express.raw({ type: () => true })],
  ])('%s finds none, and takes no byte of what comes behind the handshake', async (_what, use) => {
    const running = await startBehind(place, use, {
      open: (socket) => socket.on('message', (data) => socket.send(data)),
    });
    const glued = clientFrame({ first: 0x81, payload: 'at once', key: '37fa213d' });
    const text = handshake({ headers: { 'Content-Type': 'application/json' } });
    const client = new Client(running.port).write(Buffer.concat([Buffer.from(text), glued]));
    expect((await client.head()).status).toBe(101);
    expect((await client.frame()).payload.toString()).toBe('at once');
  });

  it('give auth the body that a GET without one has', async () => {
    const use = [express.json(), express.urlencoded({ extended: true })];
    const bodies: unknown[] = [];
    const running = await startBehind(place, use, {
      open: (_socket, req) => bodies.push(req.body),
      prepare: (app) =>
        app.get('/page', use, (req: express.Request, res: express.Response) => {
          bodies.push(req.body);
          res.end();
        }),
    });
    await get(running, '/page');
    await open(running);
    expect(bodies[1]).toEqual(bodies[0]);
  });
});

describe('express.static', () => {
  const makeFolder = (): string => {
    const folder = mkdtempSync(join(tmpdir(), 'static-'));
    after(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'page'), LONG);
    return folder;
  };

  it('passes on where it has no file, on either kind of use', async () => {
    const use = express.static(makeFolder());
    for (const place of PLACES) await open(await startBehind(place, use));
  });

  it('answers with its file where it has one of that name', async () => {
    const opened = jest.fn();
    const use = express.static(makeFolder());
    const running = await start([route('/page', { use }, opened)]);
    const answer = await refused(running, { path: '/page' });
    expect([answer.status, answer.body]).toEqual([200, LONG]);
    expect(answer.headers).toMatchObject({ connection: 'close', etag: expect.any(String) });
    expect(opened).not.toHaveBeenCalled();
  });

  it('of the app answers an upgrade that no route matches, as it answers a page', async () => {
    const folder = makeFolder();
    const running = await start([], { prepare: (app) => app.use(express.static(folder)) });
    const answer = await refused(running, { path: '/page' });
    expect([answer.status, answer.body]).toEqual([200, LONG]);
    const page = await get(running, '/page');
    expect(answer.headers['etag']).toBe(page.headers['etag']);
    const headers = { 'If-None-Match': String(page.headers['etag']) };
    expect((await refused(running, { path: '/page', headers })).status).toBe(304);
  });

  it.each(PLACES)('beside it, a file may be streamed as the 403 of %s', async (place) => {
    const file = join(makeFolder(), 'page');
    const opened = jest.fn();
    const use: express.RequestHandler = (_req, res) => {
      createReadStream(file, { highWaterMark: 1000 }).pipe(res.status(403).type('text'));
    };
    const answer = await refused(await startBehind(place, use, { open: opened }));
    expect([answer.status, answer.body]).toEqual([403, LONG]);
    expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(opened).not.toHaveBeenCalled();
  });
});
