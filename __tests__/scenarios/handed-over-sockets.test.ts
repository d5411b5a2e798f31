import express from 'express';
import { createServer, type Server } from 'node:http';
import { createServer as createNetServer, type Socket as NetSocket } from 'node:net';
import { attachWebSocket, CloseCode, route, type Attachment, type Route } from '../../lib';
import { clientFrame, hex } from '../support/bytes';
import { nextMessage, openClient } from './support/client';
import { load } from './support/page';
import { ACCEPT, handshake, Peer } from './support/peer';
import { afterTest, deferred, listen, stopAll } from './support/server';

/*
 * A raw TCP server that accepts the connections, and gives them to an http server that never
 * listens itself: `server.emit('connection', socket)`.
 */

afterEach(stopAll);

type HandOver = (server: Server, socket: NetSocket) => void;

const handOver: HandOver = (server, socket) => {
  server.emit('connection', socket);
};

/** Looks at the first bytes, as who serves two protocols on one port, and puts them back. */
const peek: HandOver = (server, socket) => {
  socket.once('data', (first) => {
    socket.pause();
    socket.unshift(first);
    server.emit('connection', socket);
    process.nextTick(() => socket.resume());
  });
};

interface HandedOver {
  readonly port: number;
  readonly sockets: Attachment;
  readonly server: Server;
}

async function serveHandedOver(routes: Route[], how = handOver): Promise<HandedOver> {
  const app = express();
  app.get('/', (_req, res) => void res.send('a page'));
  const server = createServer(app);
  const sockets = attachWebSocket(app, server, routes);
  const port = await listen(createNetServer((socket) => how(server, socket)));
  afterTest(() => sockets.close({ timeout: 1000 }));
  return { port, sockets, server };
}

/** Answers `abc` with `def`, and says what it was told. */
function alphabet(): { readonly route: Route; readonly heard: unknown[] } {
  const heard: unknown[] = [];
  const answering = route('/raw', (socket) => {
    socket.on('message', (data, isBinary) => {
      heard.push([data, isBinary]);
      socket.send('def');
    });
  });
  return { route: answering, heard };
}

/** `abc` under the key of §5.7, and the close frame with 1000 under it. */
const ABC = hex('81 83 37fa213d 569842');
const BYE = hex('88 82 37fa213d 3412');

describe.each<[how: string, handOver: HandOver]>([
  ['as it is accepted', handOver],
  ['after a look at its first bytes', peek],
])('a raw connection that is handed to the http server %s', (_how, give) => {
  it('is answered byte by byte: the handshake, 81 03 64 65 66, and the close', async () => {
    const { route: raw, heard } = alphabet();
    const { port, server } = await serveHandedOver([raw], give);
    const peer = await Peer.connect(port);
    peer.write(handshake('/raw'));
    const lines = (await peer.readHead()).split('\r\n');
    expect(lines[0]).toBe('HTTP/1.1 101 Switching Protocols');
    expect(lines).toContain(`Sec-WebSocket-Accept: ${ACCEPT}`);
    peer.write(ABC);
    expect(await peer.read(5)).toEqual(hex('81 03 64 65 66'));
    peer.write(BYE);
    expect(await peer.readToEnd()).toEqual(hex('88 02 03e8'));
    expect(heard).toEqual([['abc', false]]);
    expect(server.listening).toBe(false);
  });

  it('loses nothing that comes in the packet of the handshake', async () => {
    const { route: raw, heard } = alphabet();
    const { port } = await serveHandedOver([raw], give);
    const peer = await Peer.open(port, '/raw', Buffer.concat([ABC, ABC, BYE]));
    expect(await peer.readToEnd()).toEqual(hex('81 03 64 65 66 81 03 64 65 66 88 02 03e8'));
    expect(heard).toHaveLength(2);
  });

  it('reaches a client library as the text def', async () => {
    const { route: raw } = alphabet();
    const { port } = await serveHandedOver([raw], give);
    const client = await openClient(`ws://127.0.0.1:${port}/raw`);
    client.send('abc');
    expect(await nextMessage(client)).toBe('def');
  });

  it('may ask for a page as well', async () => {
    const { port } = await serveHandedOver([alphabet().route], give);
    expect(await load(`http://127.0.0.1:${port}/`)).toEqual({ status: 200, body: 'a page' });
  });

  it('carries what is far above one packet, both ways', async () => {
    const { port } = await serveHandedOver(
      [route('/echo', { message: (socket, data) => socket.send(data) })],
      give,
    );
    const payload = Buffer.from(Uint8Array.from({ length: 1_048_576 }, (_, i) => i % 251));
    const peer = await Peer.open(port, '/echo', clientFrame({ first: 0x82, payload }));
    const frame = await peer.readFrame();
    expect([frame.first, frame.payload.equals(payload)]).toEqual([0x82, true]);
  });

  it('ends with 1006 when it is reset, and with 1001 when the sockets are closed', async () => {
    const codes: number[] = [];
    const reset = deferred();
    const { port, sockets } = await serveHandedOver(
      [
        route('/r', {
          close: (_socket, code) => {
            codes.push(code);
            reset.resolve();
          },
        }),
      ],
      give,
    );
    const first = await Peer.open(port, '/r');
    first.reset();
    await reset.promise;
    const second = await Peer.open(port, '/r');
    const closing = sockets.close();
    await second.expectClose(CloseCode.GoingAway);
    second.write(clientFrame({ first: 0x88, payload: hex('03e9') }));
    await closing;
    expect(codes).toEqual([CloseCode.Abnormal, CloseCode.GoingAway]);
  });
});
