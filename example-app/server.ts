/*
 * A chat on one port: the page, its log-in and its WebSockets share one Express app.
 *
 * `npm start` builds the library and this, and serves http://localhost:3000 (or PORT).
 * Read it from top to bottom: the messages, the HTTP side, the WebSocket side, starting and stopping.
 */
import express from 'express';
import expressSession from 'express-session';
import { randomBytes, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { attachWebSocket, CloseCode, reject, route } from 'attach-websocket';
import { z } from 'zod';

const port = Number(process.env['PORT'] ?? 3000);
const publicFolder = join(__dirname, '../public');

// ── What is said ────────────────────────────────────────────────────────────────────────────────
// These schemas check every message, and TypeScript knows from them what a message is.
const Name = z
  .string('Please enter a name.')
  .trim()
  .regex(/^[\p{L}\p{N} .-]{1,24}$/u, 'A name has 1 to 24 letters, digits, spaces, dots or dashes.');

const RoomName = z.string().regex(/^[a-z0-9-]{1,24}$/);

/** What a page may send. */
const FromPage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('say'), text: z.string().trim().min(1).max(500) }),
  z.object({ type: z.literal('typing') }),
]);

const Said = z.object({ id: z.string(), from: z.string(), text: z.string(), at: z.number() });
const people = z.array(z.string());
/** What a page gets. */
const ToPage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('welcome'), people, history: z.array(Said) }),
  z.object({ type: z.literal('joined'), name: z.string(), people }),
  z.object({ type: z.literal('left'), name: z.string(), people }),
  z.object({ type: z.literal('said'), ...Said.shape }),
  z.object({ type: z.literal('typing'), name: z.string() }),
]);

// ── HTTP: the page, and who you are ─────────────────────────────────────────────────────────────

declare module 'express-session' {
  interface SessionData {
    name: string; // set once somebody has logged in
  }
}

const SESSION_MS = 12 * 60 * 60 * 1000;
// A fresh secret and a store in memory: a restart forgets everybody. With a real store and a fixed
// secret it would not; the page copes with both.
const session = expressSession({
  secret: randomBytes(32).toString('hex'),
  resave: false,
  saveUninitialized: false,
  cookie: { httpOnly: true, sameSite: 'lax', maxAge: SESSION_MS },
});

const app = express();
app.use((_req, res, next) => {
  res.set('Content-Security-Policy', "default-src 'self'; frame-ancestors 'none'");
  next();
});
app.use(express.static(publicFolder, { index: false }));
app.use(session, express.json({ limit: '1kb' }));

app.get('/', (_req, res) => res.redirect('/room/lobby'));
app.get('/room/:room', (req, res, next) => {
  if (RoomName.safeParse(req.params.room).success) res.sendFile(join(publicFolder, 'index.html'));
  else next(); // Express' own 404
});

app.post('/login', (req, res, next) => {
  const login = z.object({ name: Name }).safeParse(req.body ?? {});
  if (!login.success) {
    res.status(400).json({ error: login.error.issues[0]?.message });
    return;
  }
  // A new session for a new user: an id that somebody else may know is worth nothing.
  req.session.regenerate((error) => {
    if (error) return next(error);
    req.session.name = login.data.name;
    res.json({ name: login.data.name });
  });
});

// A page is not told why its WebSocket was refused. So it asks here: no name means "log in first",
// a name means "you are known, it was something else", no answer means "the server is away".
app.get('/me', (req, res) => {
  res.json({ name: req.session.name ?? null });
});

app.post('/logout', (req, res, next) => {
  req.session.destroy((error) => {
    if (error) return next(error);
    // A WebSocket outlives the request that opened it: close those of this session, in every tab.
    for (const socket of sockets.of(chat).clients) {
      const isOurs = socket.context.sessionId === req.sessionID;
      if (isOurs) socket.close(CloseCode.PolicyViolation, 'logged out');
    }
    res.sendStatus(204);
  });
});

// ── WebSocket: one route, in the manner of app.get(path, options, handler) ──────────────────────

const MAX_HISTORY = 1000; // of all rooms together, so that there is a bound
const MAX_SHOWN = 50;
const history: (z.infer<typeof Said> & { room: string })[] = [];

const chat = route(
  '/chat/:room',
  {
    // The same middleware as above: before the socket opens, this is a request like any other.
    use: [session],
    // Decides before the socket opens. What it returns is `socket.context` from then on.
    auth(req) {
      const { name } = req.session;
      if (name === undefined) return reject(401, 'log in first');
      if (!RoomName.safeParse(req.params.room).success) return reject(404, 'no such room');
      // At `expiresAt`, the socket is closed with 1008.
      return { name, sessionId: req.sessionID, expiresAt: Date.now() + SESSION_MS };
    },
    protocols: ['chat.v1'],
    receive: FromPage,
    send: ToPage,
  },
  {
    open(socket) {
      const { room } = socket.params;
      const { name } = socket.context;
      socket.join(room);
      const recent = history.filter((said) => said.room === room).slice(-MAX_SHOWN);
      socket.send({ type: 'welcome', people: whoIsIn(room), history: recent });
      // The second tab of somebody who is here already is no news.
      if (tabsOf(name, room) > 1) return;
      const everybodyElse = socket.to(room).except(socket);
      everybodyElse.send({ type: 'joined', name, people: whoIsIn(room) });
    },

    // Messages come one by one, and only those that fit `receive`; others close the socket.
    message(socket, message) {
      const { room } = socket.params;
      const { name } = socket.context;
      if (message.type === 'typing') {
        socket.to(room).except(socket).send({ type: 'typing', name });
        return;
      }
      const said = { id: randomUUID(), from: name, text: message.text, at: Date.now() };
      history.push({ ...said, room });
      if (history.length > MAX_HISTORY) history.shift();
      socket.to(room).send({ type: 'said', ...said }); // to everybody, this socket too
    },

    // Called once for every socket that was opened, however it ended. It has left its rooms.
    close(socket) {
      const { room } = socket.params;
      const { name } = socket.context;
      if (tabsOf(name, room) > 0) return;
      socket.to(room).send({ type: 'left', name, people: whoIsIn(room) });
    },
  },
);

/** One name for each socket: who has two tabs open is in it twice. */
function namesIn(room: string): string[] {
  const here = [...sockets.of(chat).clients].filter((socket) => socket.params.room === room);
  return here.map((socket) => socket.context.name);
}

function whoIsIn(room: string): string[] {
  return [...new Set(namesIn(room))].sort((a, b) => a.localeCompare(b));
}

function tabsOf(name: string, room: string): number {
  return namesIn(room).filter((each) => each === name).length;
}

// ── Starting and stopping ───────────────────────────────────────────────────────────────────────

const server = createServer(app);
const sockets = attachWebSocket(app, server, [chat], {
  maxPayload: 4096, // bytes; the default of 1 MiB is far more than a line of chat
  messageRate: { messages: 20, per: 5000 }, // of one socket in 5 s; more closes it with 1008
  maxConnections: 10_000, // more get 503
});

server.listen(port, () => console.log(`chat on http://localhost:${port}`));

async function stop(): Promise<void> {
  server.close(); // nobody new
  await sockets.close({ timeout: 5000 }); // every page hears 1001, "going away"
  // Browsers hold spare connections on which they ask nothing: those would keep the process alive.
  server.closeAllConnections();
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop());
