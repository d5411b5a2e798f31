/*
 * Closing what a user has open: all tabs of a log-in that ends, all log-ins that are revoked.
 *
 *   await fetch('/login', { method: 'POST', headers: { authorization: `Bearer ${key}` } });
 *   const socket = new WebSocket('ws://localhost:3000/chat'); // the cookie comes along by itself
 *   socket.onclose = ({ code }) => (code === 4001 ? showLogin() : reconnect());
 *   await fetch('/logout', { method: 'POST' }); // now every tab of this browser hears 4001
 */
import cookieParser from 'cookie-parser';
import express, { type Request } from 'express';
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import { attachWebSocket, reject, route, type Socket } from 'attach-websocket';

const KICKED = 4001;
const LOGIN_MS = 12 * 60 * 60 * 1000;
const MAX_LOGINS = 10_000;

type Login = Readonly<{ id: string; name: string; expiresAt: number }>;

const digest = (secret: string) => createHash('sha256').update(secret).digest();
/** Digests have one length, and comparing two takes the same time wherever they differ. */
const isSame = (a: string, b: string) => timingSafeEqual(digest(a), digest(b));
const bearerOf = (req: Request) => /^Bearer (\S+)$/i.exec(req.get('authorization') ?? '')?.[1];

/** `keys`: each user's, and `admin`'s. `mayEnter`: something that takes `auth` a while. */
export function build(
  keys: Readonly<Record<string, string>>,
  mayEnter: (name: string) => Promise<boolean> = () => Promise.resolve(true),
) {
  const ownerOf = (given?: string) =>
    Object.entries(keys).find(([, key]) => given && isSame(key, given))?.[0];
  const logins = new Map<string, Login>(); // by the digest of their cookie
  const loginOf = (req: Request) => {
    const { login } = req.cookies as Record<string, unknown>;
    return typeof login === 'string' ? logins.get(digest(login).toString('hex')) : undefined;
  };

  /** Forgets these log-ins, and closes their sockets: of every route, in every tab. */
  function end(isOver: (login: Login) => boolean): number {
    for (const [id, login] of logins) if (isOver(login)) logins.delete(id);
    const hasEnded = ({ context }: Socket) => isOver(context as Login);
    return sockets.disconnect(hasEnded, KICKED, 'logged out');
  }

  const app = express();
  app.use(cookieParser());
  app.post('/login', (req, res) => {
    const name = ownerOf(bearerOf(req));
    if (name === undefined) return void res.sendStatus(401);
    end(({ expiresAt }) => expiresAt <= Date.now());
    if (logins.size >= MAX_LOGINS) return void res.sendStatus(503);
    const cookie = randomBytes(32).toString('base64url');
    const id = digest(cookie).toString('hex');
    logins.set(id, { id, name, expiresAt: Date.now() + LOGIN_MS });
    res.cookie('login', cookie, { httpOnly: true, sameSite: 'strict', maxAge: LOGIN_MS });
    res.sendStatus(204);
  });
  app.post('/logout', (req, res) => {
    const login = loginOf(req);
    const closed = end((each) => each === login);
    res.clearCookie('login').json({ closed });
  });
  app.delete('/logins/:name', (req, res) => {
    if (ownerOf(bearerOf(req)) !== 'admin') return void res.sendStatus(401);
    res.json({ closed: end(({ name }) => name === req.params.name) });
  });

  const options = {
    use: cookieParser(),
    async auth(req: Request) {
      const login = loginOf(req);
      if (login === undefined || login.expiresAt <= Date.now()) return reject(401, 'log in first');
      return (await mayEnter(login.name)) ? login : reject(403);
    },
  };
  // Who was kicked while `auth` waited had no socket to close: look again.
  const open = (socket: Socket) => {
    if (!logins.has((socket.context as Login).id)) socket.close(KICKED, 'logged out');
  };
  const chat = route('/chat', options, {
    open,
    message: (socket, text) => socket.send(`${socket.context.name}: ${text.toString()}`),
  });
  const news = route('/news', options, { open, message: () => undefined });
  const server = createServer(app);
  const sockets = attachWebSocket(app, server, [chat, news]);
  return { server, sockets };
}

if (require.main === module) {
  const { KEY, ADMIN_KEY, PORT = '3000' } = process.env;
  if (!KEY || !ADMIN_KEY) throw new Error('set KEY, that of ann, and ADMIN_KEY');
  const { server } = build({ ann: KEY, admin: ADMIN_KEY });
  server.listen(Number(PORT), () => console.log('listening on', server.address()));
}
