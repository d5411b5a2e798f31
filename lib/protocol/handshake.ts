import { createHash } from 'node:crypto';
import { parseExtensions, parseTokenList, type ExtensionOffer } from './header';

/** What the opening handshake is judged by; an `http.IncomingMessage` has this shape. */
export interface HandshakeRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly httpVersionMajor: number;
  readonly httpVersionMinor: number;
  /** Names and values in turn, nothing joined or dropped, as `http.IncomingMessage#rawHeaders`. */
  readonly rawHeaders: readonly string[];
}

/** A handshake that can be answered with 101. */
export interface Offer {
  /** The page that asks, where it is one. */
  readonly origin: string | undefined;
  /** The value of `Sec-WebSocket-Accept`. */
  readonly accept: string;
  /** Subprotocols in the client's order of preference. */
  readonly protocols: readonly string[];
  /** Extensions in the client's order of preference. */
  readonly extensions: readonly ExtensionOffer[];
}

/** An HTTP answer instead of a WebSocket. */
export interface Refusal {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** The one version there is (RFC 6455 §4.1); drafts are refused. */
const VERSION = '13';

/** Node drops headers above `server.maxHeadersCount` silently; far below it, we refuse aloud. */
const MAX_HEADERS = 128;

/** Fields that must not come twice: hops would disagree on which one counts. */
const SINGLE_FIELDS = new Set([
  'host',
  'origin',
  'upgrade',
  'sec-websocket-key',
  'sec-websocket-version',
  'content-length',
]);

/** 16 bytes of base64 in their canonical form: of the last character only two bits count (RFC 4648 §3.5). */
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/;

/** Header values by lower-case name, several of one name joined by commas (RFC 9110 §5.3). */
export type Fields = ReadonlyMap<string, string>;

/** An HTTP refusal, as data. */
export function refusal(
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): Refusal {
  return { status, headers, body };
}

/** Whether the value of an `Upgrade` header asks for a WebSocket (RFC 6455 §4.2.1 item 3). */
export function asksForWebSocket(upgrade: string | undefined): boolean {
  return includesToken(upgrade, 'websocket');
}

/**
 * Reads a client's opening handshake: the rules of RFC 6455 §4.2.1 in its order, and those of
 * RFC 9110 and 9112 that keep two hops from reading the same request differently.
 *
 * @param fields - what {@link readFields} gives, where it was asked before
 */
export function readHandshake(
  request: HandshakeRequest,
  fields: Fields | undefined = readFields(request.rawHeaders),
): Offer | Refusal {
  if (request.rawHeaders.length > 2 * MAX_HEADERS) {
    return refusal(431, `more than ${MAX_HEADERS} header fields`);
  }
  if (fields === undefined) return refusal(400, 'a header field that must be single came twice');
  return checkRequest(request, fields) ?? checkUpgrade(fields) ?? readOffer(fields);
}

/** `Sec-WebSocket-Accept` for a key (RFC 6455 §4.2.2 item 5.4). */
export function acceptKey(key: string): string {
  return createHash('sha1')
    .update(key + GUID)
    .digest('base64');
}

/** The first of ours that the client offered (RFC 6455 §4.2.2); order of preference is ours. */
export function selectProtocol(
  supported: readonly string[],
  offered: readonly string[],
): string | undefined {
  return supported.find((protocol) => offered.includes(protocol));
}

function checkRequest(request: HandshakeRequest, fields: Fields): Refusal | undefined {
  const { httpVersionMajor: major, httpVersionMinor: minor } = request;
  if (request.method !== 'GET') {
    return refusal(405, 'a WebSocket is opened with GET', { Allow: 'GET' });
  }
  if (major !== 1 || minor < 1) return refusal(400, 'a WebSocket is opened with HTTP/1.1');
  if (!isOriginForm(request.url)) return refusal(400, 'malformed request target');
  if (!fields.get('host')) return refusal(400, 'missing Host');
  // RFC 9110 §7.8, RFC 9112 §6: a body would be read as frames by us and as a body by a proxy.
  if ((fields.get('content-length') ?? '0') !== '0' || fields.has('transfer-encoding')) {
    return refusal(400, 'an opening handshake has no body');
  }
  return undefined;
}

function checkUpgrade(fields: Fields): Refusal | undefined {
  if (!asksForWebSocket(fields.get('upgrade'))) return refusal(400, 'Upgrade is not websocket');
  if (!includesToken(fields.get('connection'), 'upgrade')) {
    return refusal(400, 'Connection does not name Upgrade');
  }
  if (!isKey(fields.get('sec-websocket-key'))) {
    return refusal(400, 'Sec-WebSocket-Key is not 16 bytes of base64');
  }
  if (fields.get('sec-websocket-version') !== VERSION) {
    return refusal(426, `Sec-WebSocket-Version is not ${VERSION}`, {
      'Sec-WebSocket-Version': VERSION,
    });
  }
  return undefined;
}

function readOffer(fields: Fields): Offer | Refusal {
  const protocols = parseTokenList(fields.get('sec-websocket-protocol') ?? '');
  if (protocols === undefined || new Set(protocols).size !== protocols.length) {
    return refusal(400, 'malformed Sec-WebSocket-Protocol');
  }
  const extensions = parseExtensions(fields.get('sec-websocket-extensions') ?? '');
  if (extensions === undefined) return refusal(400, 'malformed Sec-WebSocket-Extensions');
  // checkUpgrade has seen the key.
  const accept = acceptKey(fields.get('sec-websocket-key')!);
  return { accept, protocols, extensions, origin: fields.get('origin') };
}

/** The fields of a request's head; `undefined` when one came twice that must be single. */
export function readFields(rawHeaders: readonly string[]): Fields | undefined {
  const fields = new Map<string, string>();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    // Names and values take turns, so both are there.
    const name = rawHeaders[at]!.toLowerCase();
    const value = rawHeaders[at + 1]!;
    const earlier = fields.get(name);
    if (earlier !== undefined && SINGLE_FIELDS.has(name)) return undefined;
    fields.set(name, earlier === undefined ? value : `${earlier},${value}`);
  }
  return fields;
}

function includesToken(value: string | undefined, token: string): boolean {
  // Nearly always it is the one token there is.
  if (value?.toLowerCase() === token) return true;
  return parseTokenList(value ?? '')?.some((each) => each.toLowerCase() === token) ?? false;
}

/**
 * RFC 9112 §3.2.1: one slash, a path, perhaps a query; decodable, and no fragment. Never made into a
 * URL: a target of `//host/` or `http://host/` would then choose the host.
 */
export function isOriginForm(target: string | undefined): boolean {
  if (target?.[0] !== '/' || target[1] === '/' || target.includes('#')) return false;
  if (!target.includes('%')) return true;
  try {
    decodeURIComponent(target.replace(/\?.*$/s, ''));
    return true;
  } catch {
    return false;
  }
}

/** RFC 6455 §4.2.1 item 5. */
function isKey(key: string | undefined): key is string {
  return key !== undefined && KEY.test(key);
}
