import express, { type Express } from 'express';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Server as NetServer } from 'node:net';
import {
  attachWebSocket,
  route,
  type AttachOptions,
  type Attachment,
  type AuthInfo,
  type Route,
} from '../../../lib';
import { deferred } from '../../support/deferred';

export { deferred };

/** A listening server with sockets, as a user has it. */
export interface Running {
  readonly app: Express;
  readonly server: Server;
  readonly sockets: Attachment;
  readonly port: number;
  readonly url: (path: string) => string;
}

/** Sends back what it receives. */
export const echo = route('/echo', (socket) => {
  socket.on('message', (data) => socket.send(data));
});

/** What a test starts and does not have to think of any more. */
type Cleanup = () => unknown;

const cleanups: Cleanup[] = [];

/** Has this run after the test, the last one first. */
export function afterTest(cleanup: Cleanup): void {
  cleanups.push(cleanup);
}

/** Ends everything the test has started: for `afterEach`. */
export async function stopAll(): Promise<void> {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}

/** Listens on a free port of 127.0.0.1; closed by {@link stopAll}. */
export async function listen(server: NetServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  afterTest(() => new Promise((resolve) => server.close(resolve)));
  return (server.address() as AddressInfo).port;
}

/** A server with these routes, on a free port. */
export async function serve(
  routes: readonly Route[],
  options: AttachOptions = {},
  server?: Server,
): Promise<Running> {
  const app = express();
  const own = server ?? createServer();
  own.on('request', app);
  const sockets = attachWebSocket(app, own, routes, options);
  const port = await listen(own);
  afterTest(() => sockets.close({ timeout: 1000 }));
  return {
    app,
    server: own,
    sockets,
    port,
    url: (path) => `ws://127.0.0.1:${port}${path}`,
  };
}

/** A route on which auth never decides; when it is asked, and when it hears that nobody waits. */
export function undecidedRoute(path: string): {
  readonly undecided: Route;
  readonly asked: Promise<void>;
  readonly aborted: Promise<void>;
} {
  const asked = deferred();
  const aborted = deferred();
  const auth = (_req: unknown, { signal }: AuthInfo): Promise<never> => {
    signal.addEventListener('abort', () => aborted.resolve());
    asked.resolve();
    return new Promise<never>(() => undefined);
  };
  const undecided = route(path, { auth }, () => undefined);
  return { undecided, asked: asked.promise, aborted: aborted.promise };
}

/** A timer that is part of a scenario: something the user's code waits for. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Lets this many turns of the event loop pass. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise(setImmediate);
}

/** Before jest gives the test up: a loop that went on after that would keep the process. */
const PATIENCE_MS = 4000;

/** Waits, a turn of the event loop at a time, for what no event tells. */
export async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`still not so: ${String(condition)}`);
    await turns(1);
  }
}
