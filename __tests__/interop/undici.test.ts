import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { on, once } from 'node:events';
import { ping, WebSocket, type CloseEvent, type MessageEvent } from 'undici';
import { afterTest } from '../scenarios/support/server';
import type { Closed } from './client';
import { describeClient } from './suite';

/** The payload of the next control frame, which undici tells only there. */
function nextOn(name: 'ping' | 'pong'): Promise<Buffer> {
  const channel = `undici:websocket:${name}`;
  return new Promise((resolve) => {
    const listen = (message: unknown): void => {
      unsubscribe(channel, listen);
      resolve((message as { payload: Buffer }).payload);
    };
    subscribe(channel, listen);
    afterTest(() => unsubscribe(channel, listen));
  });
}

describeClient('undici', {
  can: ['send pings', 'see pings'],

  async connect({ url }, path, protocols) {
    const ws = new WebSocket(url(path), protocols);
    ws.binaryType = 'arraybuffer';
    const messages = on(ws as never, 'message');
    const closed = new Promise<Closed>((resolve) => {
      ws.addEventListener('close', ({ code, reason }: CloseEvent) => resolve([code, reason]));
    });
    const failed = closed.then(() => {
      throw new Error('closed before it was open');
    });
    await Promise.race([once(ws as never, 'open'), failed]);
    return {
      protocol: ws.protocol,
      send: (message) => ws.send(message),
      async receive() {
        const [{ data }] = (await messages.next()).value as [MessageEvent<string | ArrayBuffer>];
        return typeof data === 'string' ? data : Buffer.from(data);
      },
      close: (code, reason) => ws.close(code, reason),
      closed: () => closed,
      async ping(payload) {
        const ponged = nextOn('pong');
        ping(ws, payload);
        expect(await ponged).toEqual(payload);
      },
      pinged: () => nextOn('ping'),
    };
  },
});
