/*
 * A socket that ends when its token does: `expiresAt` in the context closes it then, with 1008.
 * Whoever may stay fetches another token and opens another socket:
 *
 *   async function connect() {
 *     const { token } = await fetchToken(); // POST /token with the key; if that is refused, it ends
 *     const headers = { authorization: `Bearer ${token}` };
 *     const socket = new WebSocket('ws://localhost:3000/chat', { headers }); // of ws, or undici
 *     socket.addEventListener('close', ({ code }) => code === 1008 && connect());
 *   }
 */
import express, { type Request } from 'express';
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import { attachWebSocket, reject, route } from 'attach-websocket';

const TOKEN_MS = 15 * 60 * 1000;

type Claims = Readonly<{ name: string; expiresAt: number }>;

const digest = (secret: string) => createHash('sha256').update(secret).digest();
/** Digests have one length, and comparing two takes the same time wherever they differ. */
const isSame = (a: string, b: string) => timingSafeEqual(digest(a), digest(b));
const bearerOf = (req: Request) => /^Bearer (\S+)$/i.exec(req.get('authorization') ?? '')?.[1];

/** Claims and a signature. In an application: a library for JWTs, whose `exp` is in seconds. */
class Tokens {
  readonly #secret = randomBytes(32);

  sign(claims: Claims): string {
    const body = Buffer.from(JSON.stringify(claims)).toString('base64url');
    return `${body}.${this.#signatureOf(body)}`;
  }

  verify(token: string): Claims | undefined {
    const [body = '', signature = '', ...rest] = token.split('.');
    if (rest.length > 0 || !isSame(signature, this.#signatureOf(body))) return undefined;
    // Signed, so it is what `sign` was given.
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Claims;
    return claims.expiresAt > Date.now() ? claims : undefined;
  }

  #signatureOf(body: string): string {
    return createHmac('sha256', this.#secret).update(body).digest('base64url');
  }
}

/** `keys`: each user's own, at least 32 random bytes. An application has their digests only. */
export function build(keys: Readonly<Record<string, string>>) {
  const tokens = new Tokens();
  const app = express();
  app.post('/token', (req, res) => {
    const given = bearerOf(req);
    const [name] = Object.entries(keys).find(([, key]) => given && isSame(key, given)) ?? [];
    if (name === undefined) return void res.sendStatus(401);
    const expiresAt = Date.now() + TOKEN_MS;
    res.set('Cache-Control', 'no-store').json({ token: tokens.sign({ name, expiresAt }) });
  });

  const chat = route(
    '/chat',
    {
      // What it returns has `expiresAt`: milliseconds since the epoch, or a Date.
      auth: (req) => tokens.verify(bearerOf(req) ?? '') ?? reject(401, 'no valid token'),
    },
    { message: (socket, text) => socket.send(`${socket.context.name}: ${text.toString()}`) },
  );
  const server = createServer(app);
  return { server, sockets: attachWebSocket(app, server, [chat]) };
}

if (require.main === module) {
  const { KEY, PORT = '3000' } = process.env;
  if (!KEY) throw new Error('set KEY, that of ann');
  const { server } = build({ ann: KEY });
  server.listen(Number(PORT), () => console.log('listening on', server.address()));
}
