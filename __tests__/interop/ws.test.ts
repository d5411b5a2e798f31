import { on, once } from 'node:events';
import { WebSocket } from 'ws';
import type { Closed, Message } from './client';
import { describeClient } from './suite';

describeClient('ws', {
  can: ['send fragments', 'send pings', 'see pings'],

  async connect({ url }, path, protocols) {
    const ws = new WebSocket(url(path), protocols);
    const messages = on(ws, 'message');
    const closed = new Promise<Closed>((resolve) => {
      ws.on('close', (code, reason) => resolve([code, String(reason)]));
    });
    await once(ws, 'open');
    return {
      protocol: ws.protocol,
      send: (message) => ws.send(message),
      async receive() {
        const [data, isBinary] = (await messages.next()).value as [Buffer, boolean];
        return isBinary ? data : String(data);
      },
      close: (code, reason) => ws.close(code, reason),
      closed: () => closed,
      sendFragments(parts) {
        parts.forEach((part: Message, i) => ws.send(part, { fin: i === parts.length - 1 }));
      },
      async ping(payload) {
        ws.ping(payload);
        expect(await once(ws, 'pong')).toEqual([payload]);
      },
      pinged: async () => ((await once(ws, 'ping')) as [Buffer])[0],
    };
  },
});
