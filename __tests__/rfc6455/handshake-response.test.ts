import { once } from 'node:events';
import { createServer } from 'node:https';
import { connect } from 'node:tls';
import express from 'express';
import { attachWebSocket, reject, route, type Route } from '../../lib';
import { TLS } from '../express/tls';
import { handshake, Peer } from '../scenarios/support/peer';
import { afterTest, echo, listen, stopAll } from '../scenarios/support/server';
import { hex } from '../support/bytes';
import { answerEveryWay, valuesOf, type Answer } from './support/answers';
import { echoTarget, Link, target, targetOf, type Fields } from './support/target';
import { readFrames, transcript } from './support/transcript';

/* RFC 6455 §4.2.2: what a server says to an opening handshake. */

afterEach(stopAll);

async function answerOf(routes: readonly Route[], fields: Fields = {}): Promise<Answer> {
  return answerEveryWay(await target(routes, '/r'), handshake('/r', fields));
}

describe('§4.2.2 item 1: a secure connection', () => {
  it('does the TLS handshake first, and all that follows goes through it', async () => {
    const app = express();
    const server = createServer(TLS, app);
    const sockets = attachWebSocket(app, server, [echo]);
    const port = await listen(server);
    afterTest(() => sockets.close({ timeout: 1000 }));
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const peer = new Peer(socket);
    peer.write(handshake('/echo'), hex('81 85 37fa213d 7f9f4d5158 88 82 37fa213d 3412'));
    expect(await peer.readHead()).toMatch(/^HTTP\/1\.1 101 /);
    const lines = transcript(readFrames(await peer.readToEnd()));
    expect(lines).toEqual(['text "Hello"', 'close 1000 ']);
  });
});

describe('§4.2.2 items 2 and 3: what comes before the upgrade', () => {
  it('may ask the client who it is, with 401 and WWW-Authenticate', async () => {
    const challenge = { 'WWW-Authenticate': 'Basic realm="x"' };
    const auth = (): ReturnType<typeof reject> => reject(401, 'who are you', challenge);
    const answer = await answerOf([route('/r', { auth }, () => undefined)]);
    expect(answer.status).toBe(401);
    expect(valuesOf(answer, 'www-authenticate')).toEqual(['Basic realm="x"']);
    expect(valuesOf(answer, 'sec-websocket-accept')).toEqual([]);
  });

  it('may redirect the client', async () => {
    const use = [(_req: unknown, res: express.Response) => res.redirect(307, '/elsewhere')];
    const answer = await answerOf([route('/r', { use }, () => undefined)]);
    expect(answer.status).toBe(307);
    expect(valuesOf(answer, 'location')).toEqual(['/elsewhere']);
  });
});

describe('§4.2.2 item 4: what the server looks at', () => {
  const here = [route('/r', () => undefined)];

  it.each(['http://evil.example', 'null', 'http://server.example.com.evil.example'])(
    'refuses the origin %s with 403 (§10.2)',
    async (origin) => expect((await answerOf(here, { Origin: origin })).status).toBe(403),
  );

  it('says 404 for a resource that it does not have', async () => {
    const answer = await answerEveryWay(await target(here, '/r'), handshake('/other'));
    expect(answer.status).toBe(404);
  });

  it('makes no extension out of one that it does not know', async () => {
    const answer = await answerOf(here, { 'Sec-WebSocket-Extensions': 'x-unknown; a=1' });
    expect(answer.status).toBe(101);
    expect(valuesOf(answer, 'sec-websocket-extensions')).toEqual([]);
  });
});

describe('§4.2.2 /subprotocol/', () => {
  const chat = [route('/r', { protocols: ['superchat', 'chat'] }, () => undefined)];
  const offer = (value: string): Fields => ({ 'Sec-WebSocket-Protocol': value });

  it.each([
    ['chat', 'chat'],
    ['superchat', 'superchat'],
    ['other, chat', 'chat'],
    ['chat, superchat', 'superchat'],
  ])('for %s says %s, one that it supports and the client has named', async (offered, chosen) => {
    const answer = await answerOf(chat, offer(offered));
    expect([answer.status, valuesOf(answer, 'sec-websocket-protocol')]).toEqual([101, [chosen]]);
  });

  it('sends none when the client has named none', async () => {
    const answer = await answerOf(chat);
    expect([answer.status, valuesOf(answer, 'sec-websocket-protocol')]).toEqual([101, []]);
  });

  it('sends none, not an empty one, when it supports none', async () => {
    const answer = await answerOf([route('/r', () => undefined)], offer('chat'));
    expect([answer.status, valuesOf(answer, 'sec-websocket-protocol')]).toEqual([101, []]);
  });

  it.each(['Chat', 'chat.v2', 'other'])(
    'never says %s, which it does not support',
    async (other) => {
      const answer = await answerOf(chat, offer(other));
      expect(valuesOf(answer, 'sec-websocket-protocol')).toEqual([]);
    },
  );
});

describe('§4.2.2 item 5: the answer', () => {
  // §1.3, and others: the key is not decoded.
  it.each([
    ['dGhlIHNhbXBsZSBub25jZQ==', 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='],
    ['x3JJHMbDL1EzLkh9GBhXDw==', 'HSmrc0sMlYUkAGmm5OPpG2HaGWk='],
    ['AQIDBAUGBwgJCgsMDQ4PEA==', 'C/0nmHhBztSRGR1CwL6Tf4ZjwpY='],
  ])('to %s is 101 with %s, and each field once', async (key, accept) => {
    const answer = await answerEveryWay(
      await echoTarget(),
      handshake('/echo', { 'Sec-WebSocket-Key': key }),
    );
    expect(answer.status).toBe(101);
    expect(valuesOf(answer, 'upgrade').map((value) => value.toLowerCase())).toEqual(['websocket']);
    expect(valuesOf(answer, 'connection').map((value) => value.toLowerCase())).toEqual(['upgrade']);
    expect(valuesOf(answer, 'sec-websocket-accept')).toEqual([accept]);
    expect(valuesOf(answer, 'sec-websocket-protocol')).toEqual([]);
    expect(valuesOf(answer, 'sec-websocket-extensions')).toEqual([]);
    expect(valuesOf(answer, 'content-length')).toEqual([]);
    expect(valuesOf(answer, 'transfer-encoding')).toEqual([]);
  });

  it('opens the connection: the server may speak at once (§5.1)', async () => {
    const link = await Link.open(await targetOf((socket) => void socket.send('welcome')));
    expect(transcript([await link.peer.readFrame()])).toEqual(['text "welcome"']);
  });
});

describe('§4.4 several versions', () => {
  it('lets a client try again with a version that was named', async () => {
    const server = await echoTarget();
    const draft = handshake('/echo', { 'Sec-WebSocket-Version': '25' });
    const [named] = valuesOf(await answerEveryWay(server, draft), 'sec-websocket-version');
    const next = handshake('/echo', { 'Sec-WebSocket-Version': named });
    expect((await answerEveryWay(server, next)).status).toBe(101);
  });
});
