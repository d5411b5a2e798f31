import { reject, route } from '../../lib';
import { load } from '../scenarios/support/page';
import { handshake, Peer } from '../scenarios/support/peer';
import type { Behind, Start } from './start';

/** What is answered before the 101, through a proxy, and what is not behind it. */
// eslint-disable-next-line jest/no-export -- a helper that makes suites, not one itself
export function describeRefusals(start: Start): void {
  const closed = route(
    '/closed',
    {
      use: (_req, res, next) => {
        res.cookie('seen', '1');
        next();
      },
      auth: () => reject(401, { error: 'log in first' }, { 'WWW-Authenticate': 'Form' }),
    },
    () => undefined,
  );

  it('hands a refusal on with its body and its fields', async () => {
    const { outside } = await start({ routes: [closed] });
    const peer = await Peer.connect(outside);
    peer.write(handshake('/closed'));
    const { status, head, body } = await peer.readAnswer();
    expect([status, body]).toEqual([401, '{"error":"log in first"}']);
    expect(head).toMatch(/^www-authenticate: Form\r$/im);
    expect(head).toMatch(/^set-cookie: seen=1; Path=\/\r$/im);
    expect(head).toMatch(/^content-type: application\/json; charset=utf-8\r$/im);
  });

  it('hands on the 404 of the app, and the 426 with the version that is spoken', async () => {
    const { outside } = await start({
      prepare: (app) => app.use((_req, res) => void res.status(404).send('our 404')),
    });
    const missing = await Peer.connect(outside);
    missing.write(handshake('/none'));
    const answer = await missing.readAnswer();
    expect([answer.status, answer.body]).toEqual([404, 'our 404']);
    const old = await Peer.connect(outside);
    old.write(handshake('/echo', { 'Sec-WebSocket-Version': '8' }));
    const { status, head } = await old.readAnswer();
    expect(status).toBe(426);
    expect(head).toMatch(/^sec-websocket-version: 13\r$/im);
  });

  it.each<[string, Record<string, string>]>([
    ['Sec-WebSocket-Version: 777', { 'Sec-WebSocket-Version': '777' }],
    ['no key', { 'Sec-WebSocket-Key': '' }],
    ['an origin that may not', { Origin: 'https://evil.example.com' }],
    ['Upgrade: h2c', { Upgrade: 'h2c' }],
  ])('makes no tunnel of a refused upgrade: %s', async (_what, headers) => {
    const admin = jest.fn();
    const { outside, port, isSecure } = await startAdmin(start, admin);
    const peer = await Peer.connect(outside);
    const request = 'GET /admin HTTP/1.1\r\nHost: server.example.com\r\n\r\n';
    peer.write(handshake('/echo', headers), request, request);
    const first = await peer.readHead();
    expect(first).toMatch(/^HTTP\/1\.1 4\d\d /);
    // Once more, now that the proxy has seen the answer.
    peer.write(request);
    peer.socket.end();
    expect((await peer.readToEnd()).toString()).not.toContain('the secret');
    expect(admin).not.toHaveBeenCalled();
    // It is there, for those who do not come through the proxy.
    if (!isSecure) expect((await load(`http://127.0.0.1:${port}/admin`)).body).toBe('the secret');
  });

  it('opens a tunnel for frames only: a request behind a 101 is none', async () => {
    const admin = jest.fn();
    const { outside } = await startAdmin(start, admin);
    const peer = await Peer.open(outside, '/echo');
    peer.write('GET /admin HTTP/1.1\r\nHost: server.example.com\r\n\r\n');
    // §5.1: what is not masked, and not even a frame, ends the connection.
    await peer.expectClose(1002);
    expect((await peer.readToEnd()).toString()).not.toContain('the secret');
    expect(admin).not.toHaveBeenCalled();
  });
}

/** A page that the proxy lets nobody see. */
async function startAdmin(
  start: Start,
  admin: () => void,
): Promise<Behind & { readonly isSecure: boolean }> {
  const running = await start({
    prepare: (app) => {
      app.get('/admin', (_req, res) => {
        admin();
        res.send('the secret');
      });
    },
  });
  return { ...running, isSecure: 'setSecureContext' in running.server };
}
