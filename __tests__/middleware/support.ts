import type { Request, RequestHandler } from 'express';
import type { AuthInfo } from '../../lib/express/route';
import { route } from '../../lib/express/route';
import type { Middleware } from '../../lib/express/options';
import type { Socket } from '../../lib/socket/socket';
import { Client, start, type Answer, type Running, type StartOptions } from '../express/harness';

/** Where middleware can stand: with one route, or with the attach for all of them. */
export const PLACES = ['its route', 'every route'] as const;
export type Place = (typeof PLACES)[number];

/** What a 101 does not take over from middleware (RFC 9110 §8.6, §15.2): it has no body to speak of. */
const NOT_ON_101 = [
  'connection',
  'content-length',
  'content-type',
  'date',
  'etag',
  'keep-alive',
  'trailer',
  'transfer-encoding',
];

/** What the 101 itself says. */
const OF_THE_101 = ['connection', 'date', 'upgrade', 'sec-websocket-accept'];

export interface Behind extends StartOptions {
  readonly auth?: (req: Request, info: AuthInfo) => unknown;
  readonly open?: (socket: Socket, req: Request) => unknown;
}

/** A server whose route `/ws` is behind this middleware. */
export function startBehind(place: Place, use: Middleware, behind: Behind = {}): Promise<Running> {
  const { auth, open, ...options } = behind;
  const ofRoute = place === 'its route';
  const guarded = route(
    '/ws',
    { use: ofRoute ? use : [], ...(auth !== undefined && { auth }) },
    { ...(open !== undefined && { open }) },
  );
  return start([guarded], ofRoute ? options : { ...options, use });
}

/** Fields by lower-case name. */
export type Fields = Readonly<Record<string, string>>;

/** A plain request on a connection of its own. */
export function get(
  { port }: { readonly port: number },
  path: string,
  fields: Fields = {},
): Promise<Answer> {
  const all = { Host: 'localhost', Connection: 'close', ...fields };
  const text = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return new Client(port).write(`GET ${path} HTTP/1.1\r\n${text.join('')}\r\n`).answer();
}

/** A form that is posted, as a page posts it. */
export function post(
  { port }: { readonly port: number },
  path: string,
  form: Readonly<Record<string, string>>,
  fields: Fields = {},
): Promise<Answer> {
  const body = new URLSearchParams(form).toString();
  const all = {
    Host: 'localhost',
    Connection: 'close',
    'Content-Type': 'application/x-www-form-urlencoded',
    'Content-Length': String(body.length),
    ...fields,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return new Client(port).write(`POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`).answer();
}

/** What middleware has put onto an answer: everything that is neither framing nor the 101's own. */
export function setByMiddleware({ status, headers }: Answer): Answer['headers'] {
  const own = status === 101 ? OF_THE_101 : NOT_ON_101;
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !own.includes(name)));
}

/** The cookies that an answer sets, whole. */
export function setCookies({ headers }: Answer): string[] {
  return [headers['set-cookie'] ?? []].flat();
}

/** The `Cookie` field that a browser would send next. */
export function cookieAfter(answer: Answer): string {
  return setCookies(answer)
    .map((cookie) => cookie.split(';', 1)[0] ?? '')
    .join('; ');
}

/** A handler that answers 200. */
export const ok: RequestHandler = (_req, res) => void res.end('ok');
