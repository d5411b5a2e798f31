import express, { type Express } from 'express';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { Socket as NetSocket } from 'node:net';
import { WebSocket } from 'ws';
import {
  attachWebSocket,
  route,
  type AttachOptions,
  type Attachment,
  type Route,
  type Socket,
} from '../../lib';
import { nextMessage, openClient } from '../scenarios/support/client';
import { afterTest, deferred, listen } from '../scenarios/support/server';

/** Whether the neighbour was there before us, or came after us: neither may matter. */
export const ORDERS = ['before us', 'after us'] as const;
export type Order = (typeof ORDERS)[number];

/** One http server with our sockets and somebody else's. */
export interface Street {
  readonly app: Express;
  readonly server: Server;
  readonly sockets: Attachment;
  readonly port: number;
  readonly url: (path: string) => string;
}

export interface Plan extends AttachOptions {
  readonly routes?: readonly Route[];
  /** Has the neighbour move in. */
  readonly neighbour: (server: Server, app: Express) => unknown;
}

const echo = (socket: Socket, data: unknown): void => void socket.send(`ours: ${String(data)}`);

/** Sends back what it receives, as ours. */
export const ours = route('/ours', { message: echo });

/** A route of ours, `/slow`, on which auth takes until it is told to decide. */
export function slowRoute(): {
  readonly slow: Route;
  readonly asked: Promise<void>;
  readonly decide: () => void;
} {
  const asked = deferred();
  const decided = deferred();
  const auth = async (): Promise<object> => {
    asked.resolve();
    await decided.promise;
    return {};
  };
  const slow = route('/slow', { auth }, { message: echo });
  return { slow, asked: asked.promise, decide: decided.resolve };
}

/** Starts a server on which both live, whoever was first. */
export async function startStreet(
  order: Order,
  { routes = [ours], neighbour, ...options }: Plan,
): Promise<Street> {
  const app = express();
  app.get('/page', (_req, res) => void res.send('a page'));
  const server = createServer(app);
  const connections = new Set<NetSocket>();
  server.on('connection', (socket) => connections.add(socket));
  if (order === 'before us') neighbour(server, app);
  const sockets = attachWebSocket(app, server, routes, options);
  if (order === 'after us') neighbour(server, app);
  const port = await listen(server);
  afterTest(async () => {
    await sockets.close({ timeout: 1000 });
    // Those of the neighbours, whose own end may be part of the test.
    for (const socket of connections) socket.destroy();
  });
  return { app, server, sockets, port, url: (path) => `ws://127.0.0.1:${port}${path}` };
}

/** Says something on an open socket, and returns the answer. */
export async function ask(client: WebSocket, text: string): Promise<string> {
  const answered = nextMessage(client);
  client.send(text);
  return String(await answered);
}

/** Our socket is there and answers. */
export async function expectOurs({ url }: Pick<Street, 'url'>, path = '/ours'): Promise<void> {
  expect(await ask(await openClient(url(path)), 'hello')).toBe('ours: hello');
}

/** What becomes of an upgrade that is for nobody: the status of an answer, or that it was cut off. */
export async function fate(url: string): Promise<number | 'cut off'> {
  const client = new WebSocket(url);
  afterTest(() => client.terminate());
  const answered = once(client, 'unexpected-response').then(
    ([, response]) => (response as { statusCode: number }).statusCode,
  );
  const failed = new Promise<'cut off'>((resolve) => client.on('error', () => resolve('cut off')));
  return Promise.race([answered.catch(() => 'cut off' as const), failed]);
}
