/*
 * A page cannot set headers on a WebSocket. It fetches a ticket, and opens the socket with that:
 *
 *   const headers = { authorization: `Bearer ${key}` };
 *   const { ticket } = await (await fetch('/ticket', { method: 'POST', headers })).json();
 *   const socket = new WebSocket(`ws://localhost:3000/chat?ticket=${ticket}`);
 *
 * A ticket is good for one socket and 30 seconds, and no line of the log has it.
 */
import express, { type Request } from 'express';
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import morgan from 'morgan';
import { attachWebSocket, reject, route } from 'attach-websocket';

const TICKET_MS = 30_000;
const MAX_TICKETS = 10_000; // that nobody has come with yet

const digest = (secret: string) => createHash('sha256').update(secret).digest();
/** Digests have one length, and comparing two takes the same time wherever they differ. */
const isSame = (a: string, b: string) => timingSafeEqual(digest(a), digest(b));
const bearerOf = (req: Request) => /^Bearer (\S+)$/i.exec(req.get('authorization') ?? '')?.[1];

export class Tickets {
  /** By digest, so that the time it takes to find one tells nothing of the others. */
  readonly #issued = new Map<string, { readonly name: string; readonly expiresAt: number }>();

  issue(name: string): string | undefined {
    for (const [id, { expiresAt }] of this.#issued) {
      if (expiresAt > Date.now()) break; // the oldest comes first
      this.#issued.delete(id);
    }
    if (this.#issued.size >= MAX_TICKETS) return undefined;
    const ticket = randomBytes(32).toString('base64url');
    this.#issued.set(digest(ticket).toString('hex'), { name, expiresAt: Date.now() + TICKET_MS });
    return ticket;
  }

  redeem(ticket: unknown): string | undefined {
    if (typeof ticket !== 'string') return undefined; // ?ticket=a&ticket=b is a list
    const id = digest(ticket).toString('hex');
    const found = this.#issued.get(id);
    this.#issued.delete(id);
    return found && found.expiresAt > Date.now() ? found.name : undefined;
  }
}

// Not :url, which has the query, and in it the ticket.
morgan.token<Request>('path', (req) => req.originalUrl.split('?', 1)[0]);

/** `keys`: each user's own, at least 32 random bytes. `stream`: where log lines go. */
export function build(keys: Readonly<Record<string, string>>, stream: morgan.StreamOptions) {
  const tickets = new Tickets();
  const log = morgan<Request>(':method :path :status', { stream });
  const app = express();
  app.use(log);
  app.post('/ticket', (req, res) => {
    const given = bearerOf(req);
    const [name] = Object.entries(keys).find(([, key]) => given && isSame(key, given)) ?? [];
    if (name === undefined) return void res.sendStatus(401);
    const ticket = tickets.issue(name);
    if (ticket === undefined) return void res.sendStatus(503);
    res.set('Cache-Control', 'no-store').json({ ticket });
  });

  const chat = route(
    '/chat',
    {
      use: log,
      auth(req) {
        const name = tickets.redeem(req.query['ticket']);
        return name === undefined ? reject(401, 'no valid ticket') : { name };
      },
    },
    { message: (socket, text) => socket.send(`${socket.context.name}: ${text.toString()}`) },
  );
  const server = createServer(app);
  return { server, sockets: attachWebSocket(app, server, [chat]) };
}

if (require.main === module) {
  const { KEY, PORT = '3000' } = process.env;
  if (!KEY) throw new Error('set KEY, that of ann');
  const { server } = build({ ann: KEY }, process.stdout);
  server.listen(Number(PORT), () => console.log('listening on', server.address()));
}
