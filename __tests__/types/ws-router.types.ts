import { Router, type Express } from 'express';
import type { Server } from 'node:http';
import {
  attachWebSocket,
  wsRouter,
  type AttachOptions,
  type Pipeline,
  type SocketOf,
  type WsRouter,
  type WsRouterOptions,
} from '../../lib';
import { exactly } from './exactly';

declare const app: Express;
declare const server: Server;
declare function keyOf<T>(value: T): keyof T;

/*
 * A router's routes have the parameters of their own path and, as far as it says, of its parents'.
 */

const api = wsRouter<{ version: string }>();
exactly<WsRouter<{ version: string }>>()(api);

const plain = api.ws('/chat/:room', (socket, req) => {
  exactly<{ version: string; room: string }>()(socket.params);
  exactly<string>()(req.params.version);
  exactly<string>()(req.params.room);
  exactly<undefined>()(socket.context);
  exactly<''>()(socket.protocol);
  // @ts-expect-error -- neither path has such a parameter
  String(socket.params.rom);
});

const chat = api.ws(
  '/teams/:team{/:room}',
  {
    protocols: ['chat.v2', 'chat.v1'],
    async auth(req, { signal }) {
      exactly<AbortSignal>()(signal);
      exactly<string>()(req.params.version);
      exactly<string>()(req.params.team);
      exactly<string | undefined>()(req.params.room);
      // @ts-expect-error -- neither path has such a parameter
      String(req.params.rom);
      return Promise.resolve({ name: 'Ada' });
    },
  },
  {
    open(socket, req) {
      exactly<string>()(socket.params.version);
      exactly<string | undefined>()(socket.params.room);
      exactly<string>()(req.params.team);
      exactly<{ name: string }>()(socket.context);
    },
    message(socket, data) {
      exactly<'chat.v2' | 'chat.v1' | ''>()(socket.protocol);
      exactly<string | Buffer>()(data);
    },
  },
);

wsRouter().ws('/echo', (socket) => {
  exactly<never>()(keyOf(socket.params));
  // @ts-expect-error -- nobody said what its parents bring
  String(socket.params.version);
});

wsRouter().ws('/echo/:id', (socket) => {
  exactly<{ id: string }>()(socket.params);
});

/*
 * It is a Router of Express, and what it declares are routes.
 */

api.use((_req, _res, next) => next());
api.get('/rooms', (_req, res) => res.json([]));
app.use('/api/:version', api);
Router().use('/nested', api);

const sockets = attachWebSocket(app, server, [api, wsRouter(), plain], { pipeline: 'app' });
for (const socket of sockets.of(chat).clients) exactly<{ name: string }>()(socket.context);

export function greet(socket: SocketOf<typeof chat>): void {
  exactly<string>()(socket.params.version);
  exactly<{ name: string }>()(socket.context);
}

exactly<Pipeline | undefined>()(({} as AttachOptions).pipeline);
const claims: WsRouterOptions = { claims: ['/api/*splat', /^\/x/], strict: true };
wsRouter(claims);

// @ts-expect-error -- a router of Express has no sockets
attachWebSocket(app, server, [Router()]);

// @ts-expect-error -- not a pipeline
attachWebSocket(app, server, [api], { pipeline: 'all' });

// @ts-expect-error -- a path is no number
api.ws(1, () => undefined);

// @ts-expect-error -- an unknown option
wsRouter({ claim: '/api' });

// @ts-expect-error -- parameters are an object
wsRouter<string>();
