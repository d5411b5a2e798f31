import type { IncomingMessage, Server } from 'node:http';
import type { Request } from '../../express/harness';
import type { Cut } from './control-support';

const withHeader = (
  name: string,
  ...values: (string | readonly string[] | undefined)[]
): Request[] => values.map((value) => ({ headers: { [name]: value } }));

/** Requests that are refused, and the piece of the library without which they are not. */
export interface Row {
  readonly what: string;
  readonly requests: readonly Request[];
  readonly holds: readonly number[];
  readonly breaks: readonly number[];
  readonly cut: Cut;
  readonly crashes?: number;
  readonly path?: string | RegExp;
  /** Prepares the server before the sockets are attached. */
  readonly prepare?: (server: Server) => void;
}

/** As Node 20 does above its 1000 header fields; later ones answer 431 (seen on 22.23). */
function dropUpgrade(server: Server): void {
  const emit = server.emit.bind(server);
  server.emit = (event: string | symbol, ...args: unknown[]): boolean => {
    if (event === 'upgrade') delete (args[0] as IncomingMessage).headers.upgrade;
    return emit(event as string, ...args);
  };
}

const GATE = 'return asksForWebSocket(request.headers.upgrade);';
const HANDSHAKE = 'protocol/handshake.ts';

export const rows: readonly Row[] = [
  {
    what: 'H-1 Upgrade is among the header fields that Node has dropped',
    requests: [{}],
    prepare: dropUpgrade,
    holds: [400],
    breaks: [0],
    crashes: 1,
    cut: ['express/gate.ts', GATE, "return request.headers.upgrade.toLowerCase() === 'websocket';"],
  },
  {
    what: 'H-1 more header fields than anybody needs',
    requests: withHeader('X-Many', Array<string>(122).fill('x'), Array<string>(130).fill('x')),
    holds: [101, 431],
    breaks: [101, 101],
    cut: [HANDSHAKE, 'request.rawHeaders.length > 2 * MAX_HEADERS', 'false'],
  },
  {
    what: 'H-7 bytes above ASCII in a subprotocol',
    requests: withHeader('Sec-WebSocket-Protocol', '\xe9\xff', 'a, \xff'),
    holds: [400, 400],
    breaks: [101, 101],
    cut: ['protocol/header.ts', 'new Uint8Array(128)', 'new Uint8Array(256).fill(1, 128)'],
  },
  {
    what: 'H-8 another version',
    requests: withHeader('Sec-WebSocket-Version', '8', '7', '+13', '13.0', '13,8', '0x0d', ''),
    holds: Array<number>(7).fill(426),
    breaks: [101, 101, 101, 101, 101, 101, 426],
    cut: [
      HANDSHAKE,
      "fields.get('sec-websocket-version') !== VERSION",
      "!(parseInt(fields.get('sec-websocket-version') ?? '') >= 7)",
    ],
  },
  {
    what: 'H-9 fields that come twice',
    requests: [
      ...withHeader('Host', ['localhost', 'evil.com']),
      ...withHeader('Upgrade', ['websocket', 'h2c'], ['h2c', 'websocket']),
    ],
    holds: [400, 400, 400],
    breaks: [101, 101, 101],
    cut: [HANDSHAKE, 'if (earlier !== undefined && SINGLE_FIELDS.has(name)) return undefined;', ''],
  },
  {
    what: 'H-10 keys that only have the length of one',
    requests: withHeader(
      'Sec-WebSocket-Key',
      '-_-_-_-_-_-_-_-_-_-_-Q==',
      'dGhlIHNhbXBsZSBub25jZR==',
      `${'!'.repeat(22)}==`,
    ),
    holds: [400, 400, 400],
    breaks: [101, 101, 101],
    cut: [HANDSHAKE, 'KEY.test(key)', 'key.length === 24'],
  },
  {
    what: 'H-11 targets that mean another place',
    requests: ['//evil.com/ws', 'http://evil.com/ws', '/ws#x', '*'].map((path) => ({ path })),
    path: /./,
    holds: [400, 400, 400, 400],
    breaks: [101, 101, 101, 101],
    cut: [
      HANDSHAKE,
      "if (target?.[0] !== '/' || target[1] === '/' || target.includes('#')) return false;",
      '',
    ],
  },
  {
    what: 'H-12 a body',
    requests: [
      ...withHeader('Content-Length', '5', '00'),
      ...withHeader('Transfer-Encoding', 'chunked'),
    ],
    holds: [400, 400, 400],
    breaks: [101, 101, 101],
    cut: [
      HANDSHAKE,
      "(fields.get('content-length') ?? '0') !== '0' || fields.has('transfer-encoding')",
      'false',
    ],
  },
  {
    what: 'H-12 another method',
    requests: ['POST', 'PUT', 'OPTIONS'].map((method) => ({ method })),
    holds: [405, 405, 405],
    breaks: [101, 101, 101],
    cut: [HANDSHAKE, "request.method !== 'GET'", 'false'],
  },
  {
    what: 'H-12 HTTP/1.0',
    requests: [{ version: '1.0' }],
    holds: [400],
    breaks: [101],
    cut: [HANDSHAKE, 'major !== 1 || minor < 1', 'false'],
  },
  {
    what: 'H-17 cookies that cannot be read',
    requests: withHeader('Cookie', 'a=%', 'a=%zz; b', '\xff', `a=${'x'.repeat(15_000)}`),
    holds: [101, 101, 101, 101],
    breaks: [0, 0, 101, 101],
    crashes: 2,
    cut: ['express/gate.ts', GATE, `decodeURIComponent(request.headers.cookie ?? ''); ${GATE}`],
  },
];
