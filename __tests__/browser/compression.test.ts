import express from 'express';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket as NetSocket } from 'node:net';
import type { Page } from 'playwright-core';
import { attachWebSocket, route, type Attachment } from '../../lib/index';
import { describeWithChromium } from './chromium';

jest.setTimeout(60_000);

const LENGTHS = [0, 1, 125, 126, 65_535, 65_536, 1_048_576];

const TOTAL = LENGTHS.reduce((sum, length) => sum + length, 0);

/** Runs in the page: sends texts or bytes of these lengths, and says what was agreed on and came back. */
const CHECK = `async (path, lengths, isBinary) => {
  const socket = new WebSocket(location.origin.replace('http', 'ws') + path);
  socket.binaryType = 'arraybuffer';
  await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
  const line = '{"count":12345,"text":"hello"}\\n';
  const same = [];
  for (const length of lengths) {
    const text = line.repeat(length / line.length + 1).slice(0, length);
    const answer = new Promise((resolve) => (socket.onmessage = ({ data }) => resolve(data)));
    socket.send(isBinary ? new TextEncoder().encode(text) : text);
    const data = await answer;
    same.push((isBinary ? new TextDecoder().decode(data) : data) === text);
  }
  const { extensions } = socket;
  await new Promise((resolve) => { socket.onclose = resolve; socket.close(); });
  return { extensions, same };
}`;

describeWithChromium('the compression of a page', (browser) => {
  let server: Server;
  let sockets: Attachment;
  let page: Page;
  /** The server's ends of the sockets' connections, in the order they were opened. */
  const opened: NetSocket[] = [];

  beforeAll(async () => {
    const app = express();
    app.get('/', (_req, res) => void res.send('<!doctype html><title>compression</title>'));
    server = createServer(app).listen(0);
    await once(server, 'listening');
    server.prependListener('upgrade', (req) => opened.push(req.socket));
    const routes = [true, false].map((contextTakeover) =>
      route(
        `/${String(contextTakeover)}`,
        { perMessageDeflate: { threshold: 0, contextTakeover } },
        { message: (socket, data) => void socket.send(data) },
      ),
    );
    sockets = attachWebSocket(app, server, routes);
    page = await browser().newPage();
    await page.goto(`http://localhost:${(server.address() as AddressInfo).port}/`);
  });

  afterAll(async () => {
    await page.close();
    await sockets.close();
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  });

  it.each([
    ['text', false, 'permessage-deflate; server_no_context_takeover; client_no_context_takeover'],
    ['binary', false, 'permessage-deflate; server_no_context_takeover; client_no_context_takeover'],
    ['text', true, 'permessage-deflate'],
    ['binary', true, 'permessage-deflate'],
  ])('goes both ways for %s with contextTakeover %p', async (kind, contextTakeover, extensions) => {
    const args = [`/${String(contextTakeover)}`, LENGTHS, kind === 'binary'];
    const seen = await page.evaluate(`(${CHECK})(...${JSON.stringify(args)})`);
    expect(seen).toEqual({ extensions, same: LENGTHS.map(() => true) });
    const wire = opened.at(-1)!;
    expect(wire.bytesRead).toBeLessThan(TOTAL / 10);
    expect(wire.bytesWritten).toBeLessThan(TOTAL / 10);
  });
});
