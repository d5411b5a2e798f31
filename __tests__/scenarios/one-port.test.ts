import express from 'express';
import { route } from '../../lib';
import { hex } from '../support/bytes';
import { nextMessage } from './support/client';
import { load, pageThatConnects, visit } from './support/page';
import { handshake, Peer } from './support/peer';
import { serve, stopAll, type Running } from './support/server';

/*
 * The page and its socket on one host and port: GET / is the page, its script opens /chat, and
 * nothing has to be configured for that.
 */

afterEach(stopAll);

/** Everybody hears what anybody says. */
const chat = route('/chat', {
  open: (socket) => socket.join('all'),
  message: (socket, data) => void socket.to('all').send(data),
});

async function serveChat(): Promise<Running> {
  const running = await serve([chat]);
  running.app.get('/', (_req, res) => {
    res.send(pageThatConnects('`ws://${location.host}/chat`'));
  });
  return running;
}

describe('a page and its socket on one port', () => {
  it('are one server: the page is loaded, and its script is let in', async () => {
    const { port, sockets } = await serveChat();
    const origin = `http://127.0.0.1:${port}`;
    const socket = await visit(`${origin}/`);
    expect(await nextMessage(socket)).toBe(`hello of ${origin}`);
    expect(sockets.of(chat).clients.size).toBe(1);
  });

  it('works under any name the server has: the name is the same in Host and Origin', async () => {
    const { port } = await serveChat();
    const origin = `http://localhost:${port}`;
    expect(await nextMessage(await visit(`${origin}/`))).toBe(`hello of ${origin}`);
  });

  it('lets two pages talk', async () => {
    const { port } = await serveChat();
    const origin = `http://127.0.0.1:${port}`;
    const first = await visit(`${origin}/`);
    await nextMessage(first);
    const second = await visit(`${origin}/`);
    // The second says hello, and both hear it.
    const heard = await Promise.all([nextMessage(first), nextMessage(second)]);
    expect(heard).toEqual(Array(2).fill(`hello of ${origin}`));
    second.send('how are you?');
    expect(await nextMessage(first)).toBe('how are you?');
  });

  it('may share even the connection: the page first, the socket on it afterwards', async () => {
    const { port } = await serveChat();
    const peer = await Peer.connect(port);
    peer.write('GET / HTTP/1.1\r\nHost: chat.test\r\n\r\n');
    const page = await peer.readAnswer();
    expect([page.status, page.body.includes('/chat')]).toEqual([200, true]);
    peer.write(handshake('/chat', { Host: 'chat.test', Origin: 'http://chat.test' }));
    expect(await peer.readHead()).toMatch(/^HTTP\/1\.1 101 /);
    peer.write(hex('81 85 37fa213d 7f9f4d5158'));
    expect(await peer.read(7)).toEqual(hex('81 05 48656c6c6f'));
  });

  it('leaves a plain GET of the path of the socket to the app', async () => {
    const { app, port } = await serveChat();
    const url = `http://127.0.0.1:${port}/chat`;
    expect((await load(url)).status).toBe(404);
    app.get('/chat', (_req, res) => void res.send('the page of the chat'));
    expect(await load(url)).toEqual({ status: 200, body: 'the page of the chat' });
    const socket = await visit(`http://127.0.0.1:${port}/`);
    expect(await nextMessage(socket)).toContain('hello of');
  });

  it('goes on serving pages while sockets are open, and after they were closed', async () => {
    const { port, sockets, app } = await serveChat();
    app.use('/assets', express.static(__dirname));
    const base = `http://127.0.0.1:${port}`;
    await nextMessage(await visit(`${base}/`));
    expect((await load(`${base}/assets/one-port.test.ts`)).body).toContain('one host and port');
    await sockets.close();
    expect((await load(`${base}/`)).status).toBe(200);
  });
});
