import { once } from 'node:events';
import request from 'superwstest';
import type { Closed, Message } from './client';
import { describeClient } from './suite';

describeClient('superwstest', {
  can: ['send fragments', 'send pings', 'see pings'],

  async connect({ server }, path, protocols) {
    // Every step is put behind the one before, whichever promise of the chain it is called on.
    const chain = request(server).ws(path, protocols);
    const ws = await chain;
    const closed = new Promise<Closed>((resolve) => {
      ws.on('close', (code, reason) => resolve([code, String(reason)]));
    });
    return {
      protocol: ws.protocol,
      send: (message) =>
        typeof message === 'string' ? chain.sendText(message) : chain.sendBinary(message),
      async receive() {
        let received: Message = '';
        await chain.expectMessage(
          ({ data, isBinary }) => (isBinary ? data : String(data)),
          (message) => void (received = message),
        );
        return received;
      },
      close: (code, reason) => chain.close(code, reason),
      async closed() {
        const [code, reason] = await closed;
        await chain.expectClosed(code, reason);
        return [code, reason];
      },
      async sendFragments(parts) {
        for (const [i, part] of parts.entries()) {
          await chain.send(part, { fin: i === parts.length - 1 });
        }
      },
      ping: (payload) =>
        chain.exec(async () => {
          ws.ping(payload);
          expect(await once(ws, 'pong')).toEqual([payload]);
        }),
      pinged: async () => ((await once(ws, 'ping')) as [Buffer])[0],
    };
  },
});
