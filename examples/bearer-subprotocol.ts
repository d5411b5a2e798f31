/*
 * A token without a query and without a cookie: as one more subprotocol, which a page may name.
 *
 *   const socket = new WebSocket('ws://localhost:3000/chat', ['chat.v1', `bearer.${token}`]);
 *   socket.protocol // 'chat.v1': the token does not come back
 *
 * The token has to be base64url: a subprotocol's name must not have a '=', '/' or space in it.
 */
import express, { type Request } from 'express';
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import { attachWebSocket, reject, route } from 'attach-websocket';

const PREFIX = 'bearer.';

const digest = (secret: string) => createHash('sha256').update(secret).digest();
/** Digests have one length, and comparing two takes the same time wherever they differ. */
const isSame = (a: string, b: string) => timingSafeEqual(digest(a), digest(b));

/** The one token among the subprotocols that the client offers. */
function tokenOf(req: Request): string | undefined {
  const offered = (req.get('sec-websocket-protocol') ?? '').split(',').map((name) => name.trim());
  const [token, ...more] = offered.filter((name) => name.startsWith(PREFIX));
  return more.length > 0 ? undefined : token?.slice(PREFIX.length);
}

/** `tokens`: each user's own, at least 32 random bytes. An application has their digests only. */
export function build(tokens: Readonly<Record<string, string>>) {
  const chat = route(
    '/chat',
    {
      // The first of these that the client offers is agreed on; nothing else is ever echoed.
      protocols: ['chat.v1'],
      auth(req) {
        const given = tokenOf(req);
        const user = Object.entries(tokens).find(([, token]) => given && isSame(token, given));
        return user ? { name: user[0] } : reject(401, 'no valid token');
      },
    },
    { message: (socket, text) => socket.send(`${socket.context.name}: ${text.toString()}`) },
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
