import express from 'express';
import { createServer } from 'node:http';
import { z } from 'zod';
import {
  attachWebSocket,
  isWebSocketUpgrade,
  route,
  type Attachment,
  type Socket,
  type SocketOf,
} from '../../lib';
import { exactly } from './exactly';

/*
 * What `attachWebSocket` gives back, and rooms: routes keep their types on the way.
 */

const app = express();
const server = createServer(app);

const chat = route(
  '/chat/:room',
  {
    protocols: ['chat.v1'],
    receive: z.object({ text: z.string() }),
    send: z.object({ from: z.string(), text: z.string() }),
    auth: async () => ({ name: 'ann' }),
  },
  {
    open(socket) {
      socket.join(socket.params.room);
    },
    message(socket, { text }) {
      const message = { from: socket.context.name, text };
      exactly<number>()(socket.to(socket.params.room).send(message));
      socket.to(socket.params.room).except(socket).send(message);
      socket.to('a').except(socket, socket).except(socket).send(message);
      // @ts-expect-error -- leaving somebody out does not change what can be sent
      socket.to('a').except(socket).send(text);
      // @ts-expect-error -- only sockets can be left out
      socket.to('a').except('socket');
    },
  },
);

const echo = route('/echo', (socket) => {
  socket.on('message', (data) => socket.send(data));
  socket.to('all').except(socket).send('hello');
});

const sockets = attachWebSocket(app, server, [chat, echo], { maxConnections: 10 });

exactly<Attachment>()(sockets);
exactly<number>()(sockets.clients.size);

for (const socket of sockets.clients) {
  exactly<string>()(socket.url);
  exactly<object>()(socket.params);
  exactly<unknown>()(socket.context);
  exactly<string>()(socket.protocol);
  sockets.to('a').except(socket);
}

for (const socket of sockets.of(chat).clients) {
  exactly<{ room: string }>()(socket.params);
  exactly<{ name: string }>()(socket.context);
  exactly<'chat.v1' | ''>()(socket.protocol);
  exactly<SocketOf<typeof chat>>()(socket);
  socket.send({ from: 'server', text: 'hello' });
  sockets.of(chat).except(socket).send({ from: 'server', text: 'hello' });
  sockets.of(chat).to('a').except(socket).send({ from: 'server', text: 'hello' });
  sockets.to('a').except(socket).send({ from: 'server', text: 'hello' });
  // @ts-expect-error -- the path has no such parameter
  String(socket.params.rom);
  // @ts-expect-error -- this is not what the route sends
  socket.send('hello');
}

exactly<number>()(sockets.of(chat).clients.size);
exactly<number>()(sockets.of(chat).send({ from: 'server', text: 'hello' }));
exactly<number>()(sockets.of(echo).send(Buffer.alloc(1)));
exactly<number>()(sockets.to('a').send('whatever the routes take'));
exactly<number>()(
  sockets.disconnect((socket) => (socket.context as { name: string }).name === 'ann', 4000, 'bye'),
);
exactly<Promise<void>>()(sockets.close({ code: 1012, timeout: 1000, jitter: 500 }));
exactly<Promise<void>>()(sockets.close());
exactly<PromiseLike<void>>()(sockets[Symbol.asyncDispose]());

// @ts-expect-error -- this is not what the route sends
sockets.of(chat).send('hello');
// @ts-expect-error -- nor what its rooms take
sockets.of(chat).to('a').send({ text: 'hello' });
// @ts-expect-error -- an object needs a send schema
sockets.of(echo).send({ text: 'hello' });
// @ts-expect-error -- a route, not its path
sockets.of('/echo');
// @ts-expect-error -- a predicate says true or false
sockets.disconnect(() => 'yes');
// @ts-expect-error -- unknown option
void sockets.close({ reason: 'bye' });
// @ts-expect-error -- a socket knows no other route's parameters
String([...sockets.of(echo).clients][0]?.params.room);

// A function for one route's sockets, and one for any.
const place = (socket: SocketOf<typeof chat>) => socket.params.room;
const address = (socket: Socket) => socket.url;

for (const socket of sockets.of(chat).clients) {
  exactly<string>()(place(socket));
  exactly<string>()(address(socket));
}

for (const socket of sockets.of(echo).clients) {
  exactly<string>()(address(socket));
  // @ts-expect-error -- this is a socket of another route
  place(socket);
}

exactly<boolean>()(isWebSocketUpgrade({ headers: {}, method: 'GET' } as never));
