import type { Express } from 'express';
import { WebSocket, type ClientOptions } from 'ws';
import { route } from '../../lib';
import { nextMessage, refusalOf } from '../scenarios/support/client';
import type { Start } from './start';

/** What a proxy says of its client, and what the origin check makes of it. */
// eslint-disable-next-line jest/no-export -- a helper that makes suites, not one itself
export function describeForwarded(start: Start): void {
  const INTERNAL = 'backend.internal';
  const trusting = (app: Express): unknown => app.set('trust proxy', 'loopback');
  const self = route('/self', (socket, req) => {
    const { ip, ips, protocol, secure, hostname } = req;
    socket.send(JSON.stringify({ ip, ips, protocol, secure, hostname }));
  });

  const visit = async (url: string, options: ClientOptions = {}): Promise<number | string> => {
    const client = new WebSocket(url, { rejectUnauthorized: false, ...options });
    client.on('error', () => undefined);
    const message = nextMessage(client).then(String);
    const refused = refusalOf(client).then(({ status }) => status);
    return Promise.race([message.finally(() => client.terminate()), refused]);
  };

  describe.each([false, true])('and X-Forwarded fields, with TLS to the client: %j', (isSecure) => {
    const scheme = isSecure ? 'https' : 'http';

    it.each<[string, unknown, object]>([
      // The proxy's own word comes last; what stands before it, the client has made up.
      ['one hop', 1, { ip: '127.0.0.1', ips: ['127.0.0.1'] }],
      ['loopback', 'loopback', { ip: '192.0.2.1', ips: ['192.0.2.1', '127.0.0.1'] }],
    ])('shows the client as far as proxies are trusted: %s', async (_what, trust, expected) => {
      const { outsideUrl } = await start({
        routes: [self],
        isSecure,
        prepare: (app) => app.set('trust proxy', trust),
      });
      const headers = { 'X-Forwarded-For': '192.0.2.1' };
      const seen = JSON.parse(String(await visit(outsideUrl('/self'), { headers }))) as object;
      expect(seen).toEqual({
        ...expected,
        protocol: scheme,
        secure: isSecure,
        hostname: '127.0.0.1',
      });
    });

    it('lets in the pages of the host that the client sees, and no others', async () => {
      const running = await start({
        routes: [self],
        isSecure,
        internalHost: INTERNAL,
        prepare: trusting,
      });
      const url = running.outsideUrl('/self');
      const origin = `${scheme}://127.0.0.1:${running.outside}`;
      expect(await visit(url, { origin })).toEqual(expect.any(String));
      expect(await visit(url, { origin: `${scheme}://evil.example.com` })).toBe(403);
      expect(await visit(url, { origin: `${scheme}://127.0.0.1:${running.outside + 1}` })).toBe(
        403,
      );
      const forged = { 'X-Forwarded-Host': 'evil.example.com' };
      const options = { origin: `${scheme}://evil.example.com`, headers: forged };
      expect(await visit(url, options)).toBe(403);
    });

    it('does not believe them where no proxy is trusted', async () => {
      const running = await start({ routes: [self], isSecure, internalHost: INTERNAL });
      const url = running.outsideUrl('/self');
      const origin = `${scheme}://127.0.0.1:${running.outside}`;
      expect(await visit(url, { origin })).toBe(403);
      expect(JSON.parse(String(await visit(url)))).toEqual({
        ip: '127.0.0.1',
        ips: [],
        protocol: 'http',
        secure: false,
        hostname: INTERNAL,
      });
    });

    it('needs none of them where the proxy leaves Host as it is', async () => {
      const running = await start({ routes: [self], isSecure });
      const origin = `${scheme}://127.0.0.1:${running.outside}`;
      expect(await visit(running.outsideUrl('/self'), { origin })).toEqual(expect.any(String));
    });
  });
}
