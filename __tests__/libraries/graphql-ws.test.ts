import {
  createClient,
  GRAPHQL_TRANSPORT_WS_PROTOCOL,
  makeServer,
  type Client,
  type ClientOptions,
  type ServerOptions,
} from 'graphql-ws';
import { useServer } from 'graphql-ws/use/ws';
import { EventEmitter, once } from 'node:events';
import { WebSocket } from 'ws';
import { route, type Route } from '../../lib';
import { refusalOf } from '../scenarios/support/client';
import { handshake, Peer } from '../scenarios/support/peer';
import {
  afterTest,
  deferred,
  serve,
  stopAll,
  until,
  type Running,
} from '../scenarios/support/server';
import { clientFrame } from '../support/bytes';
import { released, schema } from './graphql-schema';

// Much is exchanged: a slow machine may take its time.
jest.setTimeout(60_000);

afterEach(stopAll);

/** graphql-ws without an engine of its own, as the guide of graphql-ws has it for other engines. */
function withMakeServer(options: ServerOptions): Route {
  const server = makeServer(options);
  return route('/graphql', { protocols: [GRAPHQL_TRANSPORT_WS_PROTOCOL] }, (socket, request) => {
    const closed = server.opened(
      {
        protocol: socket.protocol,
        send: (data) =>
          new Promise((resolve, reject) => {
            if (socket.readyState !== socket.OPEN) resolve();
            else socket.send(data, (error) => (error ? reject(error) : resolve()));
          }),
        close: (code, reason) => socket.close(code, reason),
        // Settled when the operation is over: no message may wait for one that came before it.
        onMessage: (take) => socket.on('message', (data) => take(String(data))),
      },
      { socket, request },
    );
    socket.once('close', (code, reason) => void closed(code, reason));
  });
}

/** A server in the shape of that of `ws`: graphql-ws takes it for one, and our sockets for its. */
function withUse(options: ServerOptions): Route {
  const server = Object.assign(new EventEmitter(), { options: {}, clients: new Set() });
  useServer(options as never, server as never);
  return route('/graphql', { protocols: [GRAPHQL_TRANSPORT_WS_PROTOCOL] }, (socket, request) => {
    server.emit('connection', socket, request);
  });
}

describe.each<[string, (options: ServerOptions) => Route]>([
  ['makeServer', withMakeServer],
  ['useServer of graphql-ws/use/ws', withUse],
])('graphql-ws with %s', (_name, makeRoute) => {
  beforeEach(() => {
    released.clear();
  });

  const start = (options: ServerOptions = {}): Promise<Running> =>
    serve([makeRoute({ schema, ...options })]);

  const connect = ({ url }: Running, options: Partial<ClientOptions> = {}): Client => {
    const client = createClient({
      url: url('/graphql'),
      webSocketImpl: WebSocket,
      retryAttempts: 0,
      onNonLazyError: () => undefined,
      ...options,
    });
    afterTest(() => client.dispose());
    return client;
  };

  /** All that a subscription brings. */
  const collect = async (client: Client, query: string): Promise<unknown[]> => {
    const results: unknown[] = [];
    for await (const result of client.iterate({ query })) results.push(result);
    return results;
  };

  const counts = (name: string, to: number): unknown[] =>
    Array.from({ length: to }, (_, at) => ({ data: { count: `${name} ${at + 1}` } }));

  it('answers a query', async () => {
    const client = connect(await start());
    expect(await collect(client, '{ shout(text: "grüße 😀") }')).toEqual([
      { data: { shout: 'GRÜSSE 😀' } },
    ]);
  });

  it('brings a subscription to its end', async () => {
    const client = connect(await start());
    expect(await collect(client, 'subscription { count(to: 50) }')).toEqual(counts('a', 50));
    expect([...released]).toEqual(['a']);
  });

  it('runs many on one socket at a time: a message does not wait for those before it', async () => {
    const running = await start();
    const client = connect(running, { lazy: false });
    const names = ['a', 'b', 'c', 'd'];
    const endless = client.iterate({ query: 'subscription { count(to: 1000000, name: "z") }' });
    await endless.next();
    const all = names.map((name) =>
      collect(client, `subscription { count(to: 20, name: "${name}") }`),
    );
    expect(await Promise.all(all)).toEqual(names.map((name) => counts(name, 20)));
    expect(running.sockets.clients.size).toBe(1);
    await endless.return?.();
  });

  it('releases a subscription that is given up, and one whose client is gone', async () => {
    const running = await start();
    const client = connect(running);
    const given = client.iterate({ query: 'subscription { count(to: 1000000, name: "given") }' });
    await given.next();
    await given.return?.();
    expect(await collect(client, '{ shout(text: "x") }')).toHaveLength(1);
    const second = connect(running, { lazyCloseTimeout: 0 });
    const gone = second.iterate({ query: 'subscription { count(to: 1000000, name: "gone") }' });
    await gone.next();
    second.terminate();
    await expect(gone.next()).rejects.toMatchObject({ code: 4499 });
    await until(() => released.has('given') && released.has('gone'));
  });

  it('tells of an error of the schema, and goes on', async () => {
    const client = connect(await start());
    expect(await collect(client, 'subscription { broken }')).toEqual([
      expect.objectContaining({ errors: [expect.objectContaining({ message: 'no such stream' })] }),
    ]);
    await expect(collect(client, '{ nothing }')).rejects.toEqual([
      expect.objectContaining({ message: expect.stringContaining('nothing') }),
    ]);
    expect(await collect(client, '{ shout(text: "x") }')).toEqual([{ data: { shout: 'X' } }]);
  });

  it('hands its context the request of the handshake', async () => {
    const seen: unknown[] = [];
    const running = await start({
      onConnect: ({ extra }) => {
        const { request } = extra as { request: { originalUrl: string; ip: string } };
        seen.push(request.originalUrl, request.ip);
      },
    });
    const client = connect(running, { url: running.url('/graphql?x=1') });
    await collect(client, '{ shout(text: "x") }');
    expect(seen).toEqual(['/graphql?x=1', '127.0.0.1']);
  });

  it.each<[string, ServerOptions, string | undefined, number]>([
    ['who is turned away', { onConnect: () => false }, '{"type":"connection_init"}', 4403],
    ['who says nothing', { connectionInitWaitTimeout: 20 }, undefined, 4408],
    ['who comes uninvited', {}, '{"type":"subscribe","id":"1","payload":{"query":"{a}"}}', 4401],
    ['who says what is no JSON', {}, '{', 4400],
  ])('closes for those %s', async (_what, options, message, code) => {
    const { port } = await start(options);
    const peer = await Peer.connect(port);
    peer.write(
      handshake('/graphql', { 'Sec-WebSocket-Protocol': GRAPHQL_TRANSPORT_WS_PROTOCOL }),
      message === undefined ? '' : clientFrame({ first: 0x81, payload: message }),
    );
    expect(await peer.readHead()).toContain(
      `Sec-WebSocket-Protocol: ${GRAPHQL_TRANSPORT_WS_PROTOCOL}`,
    );
    await peer.expectClose(code);
  });

  it('is not even asked by who speaks another subprotocol', async () => {
    const { url } = await start();
    const { status } = await refusalOf(new WebSocket(url('/graphql'), 'graphql-ws'));
    expect(status).toBe(400);
  });

  it('lets its client know when the sockets are closed, and the client comes again', async () => {
    const running = await start();
    const closed = deferred<unknown>();
    const client = connect(running, { lazy: false });
    client.on('closed', closed.resolve);
    await once(new Emitted(client), 'connected');
    running.sockets.disconnect(() => true, 1012, 'restart');
    expect(await closed.promise).toMatchObject({ code: 1012, reason: 'restart' });
    const again = connect(running);
    expect(await collect(again, '{ shout(text: "x") }')).toHaveLength(1);
  });
});

/** The events of a client of graphql-ws, for `once`. */
class Emitted extends EventEmitter {
  constructor(client: Client) {
    super();
    client.on('connected', (...args) => this.emit('connected', ...args));
  }
}
