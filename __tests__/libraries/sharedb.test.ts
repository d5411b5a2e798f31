import WebSocketJSONStream from '@teamwork/websocket-json-stream';
import ShareDB from 'sharedb';
import { Connection, type Doc } from 'sharedb/lib/client';
import { WebSocket } from 'ws';
import { route } from '../../lib';
import { clientFrame, hex } from '../support/bytes';
import { Peer } from '../scenarios/support/peer';
import { afterTest, serve, stopAll, until, type Running } from '../scenarios/support/server';

// Much is exchanged: a slow machine may take its time.
jest.setTimeout(60_000);

afterEach(stopAll);

interface Backend {
  readonly running: Running;
  readonly share: ShareDB;
  /** How sockets ended. */
  readonly codes: number[];
}

/** ShareDB on our sockets, by the stream that is made for those of `ws`. */
async function start(): Promise<Backend> {
  const share = new ShareDB();
  afterTest(() => share.close());
  const codes: number[] = [];
  const documents = route('/documents', {
    open: (socket, req) => void share.listen(new WebSocketJSONStream(socket), req),
    close: (_socket, code) => codes.push(code),
  });
  return { running: await serve([documents]), share, codes };
}

interface List {
  readonly items: string[];
  readonly count: number;
}

interface Client {
  readonly connection: Connection;
  readonly doc: Doc<List>;
}

/** Somebody who has the document. */
async function subscribe({ running }: Backend): Promise<Client> {
  const socket = new WebSocket(running.url('/documents'));
  const connection = new Connection(socket as never);
  afterTest(() => {
    connection.close();
    socket.terminate();
  });
  const doc = connection.get('lists', 'shopping');
  await done((callback) => doc.subscribe(callback));
  return { connection, doc };
}

function done(call: (callback: (error?: unknown) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    call((error) => (error ? reject(error) : resolve()));
  });
}

describe('ShareDB by way of @teamwork/websocket-json-stream', () => {
  it('lets two clients edit a document at the same time', async () => {
    const backend = await start();
    const [ann, ben] = await Promise.all([subscribe(backend), subscribe(backend)]);
    await done((callback) => ann.doc.create({ items: [], count: 0 }, callback));
    await until(() => ben.doc.type !== null);
    for (let at = 0; at < 20; at++) {
      ann.doc.submitOp([{ p: ['items', 0], li: `a${at}` }]);
      ben.doc.submitOp([{ p: ['count'], na: 1 }]);
      ben.doc.submitOp([{ p: ['items', 0], li: `b${at} é€😀` }]);
    }
    const isDone = ({ doc }: Client): boolean =>
      !doc.hasPending() && doc.data.items.length === 40 && doc.data.count === 20;
    await until(() => isDone(ann) && isDone(ben));
    expect(ann.doc.data).toEqual(ben.doc.data);
    expect(ann.doc.data.items).toEqual(expect.arrayContaining(['a19', 'b19 é€😀']));
  });

  it('gives the document to who comes later', async () => {
    const backend = await start();
    const ann = await subscribe(backend);
    const items = Array.from({ length: 5_000 }, (_, at) => `item ${at}`);
    await done((callback) => ann.doc.create({ items, count: 1 }, callback));
    const late = await subscribe(backend);
    expect(late.doc.data).toEqual({ items, count: 1 });
  });

  it('ends with 1000 when the server ends the stream, and the client sees it', async () => {
    const backend = await start();
    const ann = await subscribe(backend);
    const closed = new Promise<unknown>((resolve) => ann.connection.on('disconnected', resolve));
    const { agentsCount } = backend.share as unknown as { agentsCount: number };
    expect(agentsCount).toBe(1);
    for (const socket of backend.running.sockets.clients) socket.close();
    await closed;
    await until(() => backend.codes.length === 1);
    expect(backend.codes).toEqual([1000]);
  });

  it('lets go of everything when a client is gone', async () => {
    const backend = await start();
    const counts = backend.share as unknown as { agentsCount: number };
    const peer = await Peer.open(backend.running.port, '/documents');
    expect((await peer.readFrame()).payload.toString()).toContain('"a":"init"');
    expect(counts.agentsCount).toBe(1);
    peer.reset();
    await until(() => counts.agentsCount === 0);
    expect(backend.codes).toEqual([1006]);
  });

  it('answers the close of a client', async () => {
    const backend = await start();
    const peer = await Peer.open(backend.running.port, '/documents');
    await peer.readFrame();
    peer.write(clientFrame({ first: 0x88, payload: hex('0fa1') }));
    await peer.expectClose(4001);
    await until(() => backend.codes.length === 1);
    expect(backend.codes).toEqual([4001]);
  });

  it('goes on for others when the sockets of some are ended', async () => {
    const backend = await start();
    const [ann, ben] = await Promise.all([subscribe(backend), subscribe(backend)]);
    await done((callback) => ann.doc.create({ items: [], count: 0 }, callback));
    await until(() => ben.doc.type !== null);
    const [first] = backend.running.sockets.clients;
    first?.terminate();
    await until(() => [ann, ben].some(({ connection }) => connection.state === 'disconnected'));
    const left = [ann, ben].find(({ connection }) => connection.state === 'connected')!;
    await done((callback) => left.doc.submitOp([{ p: ['count'], na: 5 }], {}, callback));
    expect(left.doc.data.count).toBe(5);
  });
});
