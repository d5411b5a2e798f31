import type { ExtensionOffer } from './header';

/** How permessage-deflate is used where a client offers it (RFC 7692). */
export interface DeflateOptions {
  /** Messages below this many bytes are sent as they are. */
  readonly threshold: number;
  /** Zlib's compression level, -1 to 9. */
  readonly level: number;
  /** Base-2 logarithm of the window, 9 to 15: what a context costs to keep. */
  readonly windowBits: number;
  /** Zlib's memory level, 1 to 9. */
  readonly memLevel: number;
  /** Whether a message may refer to those before it. */
  readonly contextTakeover: boolean;
}

/** What server and client have agreed on (RFC 7692 §7.1). */
export interface DeflateTerms {
  /** The element of `Sec-WebSocket-Extensions` that says so. */
  readonly response: string;
  /** Whether our messages may refer to those before them. */
  readonly serverTakeover: boolean;
  /** Whether the client's may. */
  readonly clientTakeover: boolean;
  /** Base-2 logarithm of the window we compress with. */
  readonly serverWindowBits: number;
  /** The same for the client. */
  readonly clientWindowBits: number;
}

const EXTENSION = 'permessage-deflate';

const MAX_WINDOW_BITS = 15;

/** RFC 7692 §7.1.2 allows 8 bits, with which zlib cannot compress a raw stream. */
const TOO_SMALL = '8';

/** What one offer asks for, by name; `true` for a parameter without a value. */
type Parameters = ReadonlyMap<string, string | true>;

/** What values each parameter may have (RFC 7692 §7.1); `true` stands for none. */
const RULES: ReadonlyMap<string, (value: string | true) => boolean> = new Map([
  ['server_no_context_takeover', isFlag],
  ['client_no_context_takeover', isFlag],
  ['server_max_window_bits', isWindowBits],
  ['client_max_window_bits', (value: string | true) => isFlag(value) || isWindowBits(value)],
]);

/**
 * Answers the offers of a client: the first one that can be accepted (RFC 7692 §5, §7.1), or
 * `undefined`. An offer with a parameter that is unknown, comes twice or has a bad value is
 * declined, not an error: the connection goes on without it.
 */
export function negotiateDeflate(
  offers: readonly ExtensionOffer[],
  options: DeflateOptions,
): DeflateTerms | undefined {
  for (const offer of offers) {
    if (offer.name !== EXTENSION) continue;
    const asked = readParameters(offer);
    if (asked !== undefined) return agree(asked, options);
  }
  return undefined;
}

/** The parameters of an offer by name; `undefined` when one of them breaks a rule. */
function readParameters({ parameters }: ExtensionOffer): Parameters | undefined {
  const byName = new Map(parameters);
  const isSound =
    byName.size === parameters.length &&
    parameters.every(([name, value]) => RULES.get(name)?.(value) === true);
  return isSound && byName.get('server_max_window_bits') !== TOO_SMALL ? byName : undefined;
}

function isFlag(value: string | true): boolean {
  return value === true;
}

/** RFC 7692 §7.1.2: decimal, 8 to 15, no leading zero. */
function isWindowBits(value: string | true): boolean {
  return value !== true && /^(?:8|9|1[0-5])$/.test(value);
}

/** What one side may do, and how the response says it. */
interface Side {
  readonly takeover: boolean;
  readonly windowBits: number;
  readonly said: readonly string[];
}

function agree(asked: Parameters, options: DeflateOptions): DeflateTerms {
  const server = agreeOnServer(asked, options);
  const client = agreeOnClient(asked, options);
  return shared({
    response: [EXTENSION, ...server.said, ...client.said].join('; '),
    serverTakeover: server.takeover,
    clientTakeover: client.takeover,
    serverWindowBits: server.windowBits,
    clientWindowBits: client.windowBits,
  });
}

/** Every agreement so far: the grammar allows some hundreds, and most clients offer the same. */
const agreements = new Map<string, DeflateTerms>();

/** One object for all connections that have agreed on the same; 160 bytes a connection otherwise. */
function shared(terms: DeflateTerms): DeflateTerms {
  const key = Object.values(terms).join();
  const known = agreements.get(key) ?? terms;
  agreements.set(key, known);
  return known;
}

function agreeOnServer(asked: Parameters, options: DeflateOptions): Side {
  const offer = bitsOf(asked.get('server_max_window_bits'));
  const takeover = options.contextTakeover && !asked.has('server_no_context_takeover');
  const windowBits = Math.min(offer ?? MAX_WINDOW_BITS, options.windowBits);
  const said = takeover ? [] : ['server_no_context_takeover'];
  // §7.1.2.1: an offer of it is accepted by saying it too.
  if (offer !== undefined) said.push(`server_max_window_bits=${windowBits}`);
  return { takeover, windowBits, said };
}

function agreeOnClient(asked: Parameters, options: DeflateOptions): Side {
  const offer = bitsOf(asked.get('client_max_window_bits'));
  const offered = offer ?? MAX_WINDOW_BITS;
  const wanted = options.contextTakeover && !asked.has('client_no_context_takeover');
  // §7.1.2.2: only who offers it can be held to a smaller window; the others start anew each time.
  if (wanted && (offer !== undefined || offered <= options.windowBits)) {
    const windowBits = Math.min(offered, options.windowBits);
    const isLess = windowBits < offered;
    return {
      takeover: true,
      windowBits,
      said: isLess ? [`client_max_window_bits=${windowBits}`] : [],
    };
  }
  return { takeover: false, windowBits: offered, said: ['client_no_context_takeover'] };
}

/** RFC 7692 §7.1.2.2: without a value, the client can do any. */
function bitsOf(value: string | true | undefined): number | undefined {
  if (value === undefined) return undefined;
  return value === true ? MAX_WINDOW_BITS : Number(value);
}
