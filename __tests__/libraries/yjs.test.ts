import { WebSocket } from 'ws';
import { WebsocketProvider } from 'y-websocket';
import { docs, setupWSConnection } from 'y-websocket/bin/utils';
import * as Y from 'yjs';
import { route } from '../../lib';
import { openClient } from '../scenarios/support/client';
import { afterTest, serve, stopAll, until, type Running } from '../scenarios/support/server';

// Much is exchanged: a slow machine may take its time.
jest.setTimeout(60_000);

afterEach(stopAll);

/** The server side of y-websocket, on our sockets as it is. */
function start(): Promise<Running> {
  afterTest(() => {
    for (const doc of docs.values()) doc.destroy();
    docs.clear();
  });
  const rooms = route('/:room', { maxPayload: 8_388_608 }, (socket, req) => {
    setupWSConnection(socket, req);
  });
  return serve([rooms]);
}

interface Editor {
  readonly doc: Y.Doc;
  readonly text: Y.Text;
  readonly provider: WebsocketProvider;
}

/** Somebody who edits, with the client of y-websocket. */
function edit({ url }: Running, room = 'minutes', doc = new Y.Doc()): Editor {
  const provider = new WebsocketProvider(url(''), room, doc, {
    WebSocketPolyfill: WebSocket as never,
    // Nothing but the sockets may carry it from one to the other.
    disableBc: true,
  });
  afterTest(() => {
    provider.destroy();
    doc.destroy();
  });
  return { doc, text: doc.getText('body'), provider };
}

function synced({ provider }: Editor): Promise<void> {
  return until(() => provider.synced);
}

describe('y-websocket', () => {
  it('lets two documents converge that are edited at the same time', async () => {
    const running = await start();
    const [ann, ben] = [edit(running), edit(running)];
    await Promise.all([synced(ann), synced(ben)]);
    for (let at = 0; at < 50; at++) {
      ann.text.insert(0, `a${at} `);
      ben.text.insert(ben.text.length, `b${at} `);
    }
    const words = ({ text }: Editor): string[] => text.toJSON().trim().split(' ');
    await until(() => words(ann).length === 100 && words(ben).length === 100);
    expect(ann.text.toJSON()).toBe(ben.text.toJSON());
    expect(new Set(words(ann)).size).toBe(100);
  });

  it('brings together what was written before they were connected', async () => {
    const running = await start();
    const [ann, ben] = [new Y.Doc(), new Y.Doc()];
    ann.getText('body').insert(0, 'from ann');
    ben.getText('body').insert(0, 'from ben');
    const [first, second] = [edit(running, 'minutes', ann), edit(running, 'minutes', ben)];
    await until(() => first.text.length === 16 && second.text.length === 16);
    expect(first.text.toJSON()).toBe(second.text.toJSON());
    expect(first.text.toJSON()).toMatch(/from ann/);
  });

  it('gives the whole document to who comes later, however large it is', async () => {
    const running = await start();
    const ann = edit(running);
    await synced(ann);
    ann.text.insert(0, 'é€😀'.repeat(150_000));
    const late = edit(running);
    await until(() => late.text.length === ann.text.length);
    expect(late.text.toJSON() === ann.text.toJSON()).toBe(true);
  });

  it('keeps documents apart', async () => {
    const running = await start();
    const [ann, ben] = [edit(running, 'one'), edit(running, 'other')];
    await Promise.all([synced(ann), synced(ben)]);
    ann.text.insert(0, 'x');
    const second = edit(running, 'one');
    await until(() => second.text.toJSON() === 'x');
    expect(ben.text.toJSON()).toBe('');
  });

  it('shows who is there, and no more when the connection is gone', async () => {
    const running = await start();
    const [ann, ben] = [edit(running), edit(running)];
    await Promise.all([synced(ann), synced(ben)]);
    const names = (): unknown[] =>
      [...ann.provider.awareness.getStates().values()].map((state) => state['name'] as unknown);
    ben.provider.awareness.setLocalStateField('name', 'ben');
    await until(() => names().includes('ben'));
    ben.provider.ws?.close();
    ben.provider.shouldConnect = false;
    await until(() => !names().includes('ben'));
    expect(running.sockets.clients.size).toBe(1);
  });

  it('comes back after a disconnect, and has what was written meanwhile', async () => {
    const running = await start();
    const [ann, ben] = [edit(running), edit(running)];
    await Promise.all([synced(ann), synced(ben)]);
    ben.provider.disconnect();
    await until(() => running.sockets.clients.size === 1);
    ann.text.insert(0, 'meanwhile');
    ben.text.insert(0, 'offline ');
    ben.provider.connect();
    await until(() => ann.text.length === 17 && ben.text.length === 17);
    expect(ann.text.toJSON()).toBe(ben.text.toJSON());
  });

  it('talks in binary messages only, from the first', async () => {
    const running = await start();
    const kinds: boolean[] = [];
    const client = await openClient(running.url('/minutes'));
    client.on('message', (_data, isBinary) => kinds.push(isBinary));
    const ann = edit(running);
    await synced(ann);
    for (const letter of 'xyz') ann.text.insert(0, letter);
    await until(() => kinds.length >= 3);
    expect(kinds).not.toContain(false);
  });
});
