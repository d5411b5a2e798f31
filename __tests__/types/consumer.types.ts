import express from 'express';
import { createServer } from 'node:http';
import { z } from 'zod';
import { attachWebSocket, CloseCode, reject, route, type SocketOf } from '../../lib';

/*
 * What an app exports without naming a type. The matrix also writes its declarations, so every type
 * that is inferred here needs a name that others can import (TS2742, TS2883, TS4023, TS4058).
 */

export const echo = route('/echo', (socket) => {
  socket.on('message', (data) => socket.send(data));
});

export const chat = route(
  '/chat/:room{/:thread}',
  {
    protocols: ['chat.v2', 'chat.v1'],
    maxPayload: 4096,
    receive: z.object({ text: z.string() }),
    send: z.object({ from: z.string(), text: z.string() }),
    async auth(req) {
      const name = await Promise.resolve(req.get('X-User'));
      return name === undefined ? reject(401) : { name };
    },
  },
  {
    open: (socket) => socket.join(socket.params.room),
    message(socket, { text }) {
      socket.to(socket.params.room).send({ from: socket.context.name, text });
    },
  },
);

export const routes = [echo, chat];

export const app = express();
export const server = createServer(app);
export const sockets = attachWebSocket(app, server, routes);

export const chatters = sockets.of(chat);
export const everybody = () => [...sockets.clients];
export const inRoom = (room: string) => sockets.of(chat).to(room);
export const inAll = (room: string) => sockets.to(room);
export const listen = (socket: SocketOf<typeof chat>) => socket.onmessage;
export const rejection = reject(403, 'no');
export const messagesOf = (socket: SocketOf<typeof chat>) => socket[Symbol.asyncIterator]();
export const streamOf = (socket: SocketOf<typeof chat>) => socket.stream();
export const goingAway = CloseCode.GoingAway;

export class Chat {
  readonly route = chat;
  readonly sockets = sockets;

  named(name: string) {
    return [...this.sockets.of(this.route).clients].filter(({ context }) => context.name === name);
  }
}
