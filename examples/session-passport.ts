/*
 * Log-in with passport and a session: the socket knows req.user, and logging out closes it.
 *
 *   const headers = { 'content-type': 'application/json' };
 *   const body = JSON.stringify({ username: 'ann', password });
 *   await fetch('/login', { method: 'POST', headers, body });
 *   const socket = new WebSocket('ws://localhost:3000/chat'); // the cookie comes along by itself
 */
import express, { type RequestHandler } from 'express';
import expressSession from 'express-session';
import { randomBytes, scrypt, scryptSync, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import { Passport } from 'passport';
import { Strategy } from 'passport-local';
import { attachWebSocket, reject, route } from 'attach-websocket';

type User = Readonly<{ name: string }>;

const LOGGED_OUT = 4001; // tells the page to show its log-in, and not to reconnect
const SESSION_MS = 12 * 60 * 60 * 1000;

/** `passwords`: by name. An application has a database with a salt and a hash of each. */
export function build(passwords: Readonly<Record<string, string>>) {
  const accounts = new Map(
    Object.entries(passwords).map(([name, password]) => {
      const salt = randomBytes(16);
      return [name, { salt, hash: scryptSync(password, salt, 32) }];
    }),
  );
  const nobody = { salt: randomBytes(16), hash: randomBytes(32) };
  const passport = new Passport();
  const check = new Strategy((name: unknown, password: unknown, done) => {
    if (typeof name !== 'string' || typeof password !== 'string') return done(null, false);
    const { salt, hash } = accounts.get(name) ?? nobody; // takes as long as a wrong password
    scrypt(password, salt, 32, (error, given) => {
      if (error) done(error);
      else done(null, timingSafeEqual(given, hash) && { name });
    });
  });
  passport.use(check);
  passport.serializeUser((user, done) => done(null, (user as User).name));
  passport.deserializeUser((name: string, done) => done(null, accounts.has(name) && { name }));

  const session = expressSession({
    secret: randomBytes(32).toString('hex'), // with a real store: a fixed one, from outside
    resave: false,
    saveUninitialized: false,
    cookie: { httpOnly: true, sameSite: 'lax', maxAge: SESSION_MS }, // behind https: secure, too
  });
  const recognise = [session, passport.session() as RequestHandler];
  const logIn = passport.authenticate('local') as RequestHandler;

  const app = express();
  app.use(recognise, express.json({ limit: '1kb' }));
  app.post('/login', logIn, (_req, res) => void res.sendStatus(204));
  app.post('/logout', (req, res, next) => {
    const { sessionID } = req; // logging out gives the request another one
    req.logout((error) => {
      if (error) return next(error);
      // A socket outlives the request that opened it: close those of this log-in, in every tab.
      const isOurs = (context: unknown) => (context as { id: string }).id === sessionID;
      sockets.disconnect(({ context }) => isOurs(context), LOGGED_OUT, 'logged out');
      res.sendStatus(204);
    });
  });

  const chat = route(
    '/chat',
    {
      use: recognise, // as above: until it opens, this is a request like any other
      auth(req) {
        if (!req.isAuthenticated()) return reject(401, 'log in first');
        const expiresAt = Date.now() + (req.session.cookie.maxAge ?? SESSION_MS); // as the session
        return { user: req.user as User, id: req.sessionID, expiresAt };
      },
    },
    {
      // Who logged out while this was decided had no socket to close: look again, before messages.
      open: (socket, req) =>
        new Promise<void>((resolve) => {
          req.session.reload((gone?: unknown) => {
            if (gone) socket.close(LOGGED_OUT, 'logged out');
            resolve();
          });
        }),
      message: (socket, text) => socket.send(`${socket.context.user.name}: ${text.toString()}`),
    },
  );
  const server = createServer(app);
  const sockets = attachWebSocket(app, server, [chat]);
  return { server, sockets };
}

if (require.main === module) {
  const { PASSWORD, PORT = '3000' } = process.env;
  if (!PASSWORD) throw new Error('set PASSWORD, that of ann');
  const { server } = build({ ann: PASSWORD });
  server.listen(Number(PORT), () => console.log('listening on', server.address()));
}
