import type { Express } from 'express';
import type { Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { route, type AttachOptions, type Route } from '../../lib';
import { serve, type Running } from '../scenarios/support/server';
import type { Setup } from './config';
import { startProxy, TLS, type Kind } from './process';

/** Sends back what it receives, text and binary. */
export const echo = route('/echo', {
  message: (socket, data) => void socket.send(data),
});

/** A server of ours behind a proxy. */
export interface Behind extends Running {
  /** The proxy's. */
  readonly outside: number;
  readonly outsideUrl: (path: string) => string;
}

export type Wish = Omit<Setup, 'backend'> & {
  readonly routes?: readonly Route[];
  readonly options?: AttachOptions;
  readonly prepare?: (app: Express) => unknown;
};

/** Starts a server of ours, and a proxy in front of it. */
export type Start = (wish?: Wish) => Promise<Behind>;

export function starterOf(kind: Kind, executable: string): Start {
  return async (wish = {}) => {
    const { routes = [echo], options, prepare, ...setup } = wish;
    // Node types its two servers apart; both emit the same events.
    const server = createTlsServer(TLS) as unknown as Server;
    const running = await serve(routes, options, setup.isBackendSecure ? server : undefined);
    prepare?.(running.app);
    const outside = await startProxy(kind, executable, (port, files) =>
      kind.config({ ...setup, backend: running.port }, port, files),
    );
    const scheme = setup.isSecure ? 'wss' : 'ws';
    return { ...running, outside, outsideUrl: (path) => `${scheme}://127.0.0.1:${outside}${path}` };
  };
}
