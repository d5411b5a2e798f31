/*
 * The token in the first message, for clients that can set neither headers, cookies nor the URL:
 *
 *   const socket = new WebSocket('ws://localhost:3000/chat');
 *   socket.onopen = () => socket.send(JSON.stringify({ type: 'auth', token }));
 *   // { type: 'welcome', name: 'ann' }, or the close code 4401
 *
 * Anybody may open such a socket, so it gets little: five seconds, small messages, no room. Where
 * you can, decide before it opens, as the other recipes do.
 */
import express from 'express';
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import { attachWebSocket, route, type Socket } from 'attach-websocket';
import { z } from 'zod';

const UNAUTHORIZED = 4401;

const FromClient = z.discriminatedUnion('type', [
  z.object({ type: z.literal('auth'), token: z.string().min(1) }),
  z.object({ type: z.literal('say'), text: z.string() }),
]);
const ToClient = z.discriminatedUnion('type', [
  z.object({ type: z.literal('welcome'), name: z.string() }),
  z.object({ type: z.literal('said'), from: z.string(), text: z.string() }),
]);

const digest = (secret: string) => createHash('sha256').update(secret).digest();
/** Digests have one length, and comparing two takes the same time wherever they differ. */
const isSame = (a: string, b: string) => timingSafeEqual(digest(a), digest(b));

/** Where a socket stands: it is waited for, or somebody. */
type Visitor = { readonly timer: NodeJS.Timeout } | { readonly name: string };

/** `tokens`: each user's own, at least 32 random bytes. `deadline`: milliseconds. */
export function build(tokens: Readonly<Record<string, string>>, deadline = 5000) {
  // A WeakMap forgets a socket by itself when nobody holds it any more.
  const visitors = new WeakMap<Socket, Visitor>();

  const chat = route(
    '/chat',
    { receive: FromClient, send: ToClient, maxPayload: 4096, maxConnections: 10_000 },
    {
      open(socket) {
        const close = () => socket.close(UNAUTHORIZED, 'no token in time');
        visitors.set(socket, { timer: setTimeout(close, deadline) });
      },

      message(socket, message) {
        const visitor = visitors.get(socket);
        if (visitor && 'name' in visitor) {
          if (message.type !== 'say') return socket.close(UNAUTHORIZED, 'logged in already');
          // To a room, not to all of the route: those who have not said who they are hear nothing.
          socket.to('members').send({ type: 'said', from: visitor.name, text: message.text });
          return;
        }
        if (message.type !== 'auth') return socket.close(UNAUTHORIZED, 'a token comes first');
        const user = Object.entries(tokens).find(([, token]) => isSame(token, message.token));
        if (user === undefined) return socket.close(UNAUTHORIZED, 'no valid token');
        clearTimeout(visitor?.timer);
        visitors.set(socket, { name: user[0] });
        socket.join('members');
        socket.send({ type: 'welcome', name: user[0] });
      },

      close(socket) {
        const visitor = visitors.get(socket);
        if (visitor && 'timer' in visitor) clearTimeout(visitor.timer);
      },
    },
  );

  const app = express();
  const server = createServer(app);
  return { server, sockets: attachWebSocket(app, server, [chat]) };
}

if (require.main === module) {
  const { TOKEN, PORT = '3000' } = process.env;
  if (!TOKEN) throw new Error('set TOKEN, that of ann');
  const { server } = build({ ann: TOKEN });
  server.listen(Number(PORT), () => console.log('listening on', server.address()));
}
