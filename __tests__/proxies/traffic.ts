import { once } from 'node:events';
import { WebSocket } from 'ws';
import { route } from '../../lib';
import { nextMessage, openClient, refusalOf } from '../scenarios/support/client';
import { load } from '../scenarios/support/page';
import { Peer } from '../scenarios/support/peer';
import { until } from '../scenarios/support/server';
import { clientFrame } from '../support/bytes';
import { echo, type Start } from './start';

/** Messages, pings and closes, through a proxy. */
// eslint-disable-next-line jest/no-export -- a helper that makes suites, not one itself
export function describeTraffic(start: Start): void {
  it('echoes text and binary, short and long', async () => {
    const { outsideUrl } = await start();
    const client = await openClient(outsideUrl('/echo'));
    for (const message of ['', 'Hello', 'é€😀'.repeat(30_000), Buffer.alloc(1_000_000, 7)]) {
      const answered = nextMessage(client);
      client.send(message);
      const answer = await answered;
      expect(Buffer.from(answer as string).equals(Buffer.from(message as string))).toBe(true);
      expect(typeof answer).toBe(typeof message);
    }
  });

  it('opens many sockets, and serves pages beside them', async () => {
    const { outside, outsideUrl, sockets } = await start({
      prepare: (app) => app.get('/page', (_req, res) => void res.send('a page')),
    });
    const clients = await Promise.all(
      Array.from({ length: 20 }, () => openClient(outsideUrl('/echo'))),
    );
    const answers = clients.map((client) => nextMessage(client));
    clients.forEach((client, at) => client.send(String(at)));
    expect(await Promise.all(answers)).toEqual(clients.map((_client, at) => String(at)));
    expect((await load(`http://127.0.0.1:${outside}/page`)).body).toBe('a page');
    expect(sockets.clients.size).toBe(20);
  });

  it('survives silence longer than the proxy allows, by its pings', async () => {
    const silent = route('/silent', { pingInterval: Infinity }, () => undefined);
    const pinged = route('/pinged', { pingInterval: 200 }, echo.handlers);
    const { outsideUrl } = await start({ routes: [silent, pinged], idleSeconds: 1 });
    const kept = await openClient(outsideUrl('/pinged'));
    const cut = await openClient(outsideUrl('/silent'));
    // It came later and was cut off for its silence: the other would have been before it.
    expect((await once(cut, 'close'))[0]).toBe(1006);
    const answered = nextMessage(kept);
    kept.send('still');
    expect(await answered).toBe('still');
  });

  it('tells clients 1001 when the sockets are closed', async () => {
    const { outsideUrl, sockets } = await start();
    const clients = await Promise.all(
      Array.from({ length: 3 }, () => openClient(outsideUrl('/echo'))),
    );
    const ended = clients.map((client) => once(client, 'close'));
    await sockets.close();
    expect((await Promise.all(ended)).map(([code]) => code as number)).toEqual([1001, 1001, 1001]);
    const late = await refusalOf(new WebSocket(outsideUrl('/echo')));
    expect(late).toEqual({ status: 503, body: 'closing' });
  });

  it('carries frames that come in the packet of the handshake', async () => {
    const { outside } = await start();
    const hello = clientFrame({ first: 0x81, payload: 'Hello', key: '37fa213d' });
    const peer = await Peer.open(outside, '/echo', hello);
    expect((await peer.readFrame()).payload.toString()).toBe('Hello');
  });

  it('hears the close of a client, with its code and reason', async () => {
    const codes: unknown[] = [];
    const told = route('/told', { close: (_socket, ...how) => codes.push(how) });
    const { outsideUrl, sockets } = await start({ routes: [told] });
    const client = await openClient(outsideUrl('/told'));
    client.close(4001, 'done');
    expect((await once(client, 'close'))[0]).toBe(4001);
    await until(() => sockets.clients.size === 0);
    expect(codes).toEqual([[4001, 'done']]);
  });
}
