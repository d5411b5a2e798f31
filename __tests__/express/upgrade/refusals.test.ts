import { route } from '../../../lib/express/route';
import {
  catchStderr,
  eventually,
  KEY,
  knock,
  open,
  plain,
  refused,
  start,
  type Answer,
  type Request as Knock,
} from '../harness';

/** Every refusal, byte by byte but for the date (design §5, hardening §2 row 30). */
describe('every refusal', () => {
  const closing = async (): Promise<Answer> => {
    const { sockets, port } = await start([plain]);
    await sockets.close();
    return refused({ port });
  };
  const late = async (): Promise<Answer> =>
    refused(
      await start([
        route('/ws', { auth: () => new Promise(() => {}), handshakeTimeout: 50 }, () => undefined),
      ]),
    );
  const full = async (): Promise<Answer> => {
    const asked = jest.fn(() => new Promise(() => {}));
    const running = await start([route('/ws', { auth: asked }, () => undefined)], {
      maxPendingHandshakes: 1,
    });
    knock(running);
    await eventually(() => asked.mock.calls.length === 1);
    return refused(running);
  };
  const crowded = (limit: object) => async (): Promise<Answer> => {
    const running = await start([plain], limit);
    await open(running);
    return refused(running);
  };
  const auth = (decide: () => unknown) => async (): Promise<Answer> => {
    catchStderr();
    return refused(await start([route('/ws', { auth: decide }, () => undefined)]));
  };
  const asked = (request: Knock) => async (): Promise<Answer> =>
    refused(
      await start([route(['/ws', '/chat/:room'], { protocols: ['a', 'b'] }, () => undefined)]),
      request,
    );
  const header = (name: string, value: string | string[] | undefined) =>
    asked({ headers: { [name]: value } });
  const many = Object.fromEntries(Array.from({ length: 130 }, (_, index) => [`X-${index}`, '1']));

  it.each<[string, () => Promise<Answer>]>([
    ['a path that cannot be decoded', asked({ path: '/chat/%zz' })],
    ['a target with a fragment', asked({ path: '/ws#x' })],
    ['not GET', asked({ method: 'POST' })],
    ['HTTP/1.0', asked({ version: '1.0' })],
    ['no Host', header('Host', '')],
    ['a body', header('Content-Length', '5')],
    ['too many header fields', asked({ headers: many })],
    ['a field that came twice', header('Sec-WebSocket-Key', [KEY, KEY])],
    ['a malformed Connection', header('Connection', 'Upgrade, (x)')],
    ['a bad key', header('Sec-WebSocket-Key', 'x')],
    ['a bad version', header('Sec-WebSocket-Version', '8')],
    ['bad subprotocols', header('Sec-WebSocket-Protocol', 'a b')],
    ['bad extensions', header('Sec-WebSocket-Extensions', 'a; b="')],
    ['no common subprotocol', header('Sec-WebSocket-Protocol', 'c')],
    ['the origin', header('Origin', 'https://evil.com')],
    ['closing down', closing],
    ['too many handshakes', full],
    ['too many connections', crowded({ maxConnections: 1 })],
    ['too many connections of one address', crowded({ maxConnectionsPerIp: 1 })],
    ['auth says false', auth(() => false)],
    ['auth says null', auth(() => null)],
    ['auth throws', auth(() => Promise.reject(new Error('secret')))],
    ['the handshake takes too long', late],
  ])('is a short and fixed answer: %s', async (_what, ask) => {
    const { headers, ...rest } = await ask();
    expect({ ...rest, headers: { ...headers, date: undefined } }).toMatchSnapshot();
    expect(headers).toMatchObject({
      connection: expect.stringMatching(/^close$/),
      'content-type': 'text/plain; charset=utf-8',
      'x-content-type-options': 'nosniff',
      'content-length': String(rest.body.length),
    });
    expect(rest.body.length).toBeLessThan(120);
    expect(headers['x-powered-by']).toBeUndefined();
  });
});
