import { createHash } from 'node:crypto';
import fc from 'fast-check';
import {
  acceptKey,
  asksForWebSocket,
  isOriginForm,
  readHandshake,
  refusal,
  selectProtocol,
  type HandshakeRequest,
  type Offer,
  type Refusal,
} from '../../lib/protocol/handshake';

/** The request of §1.2, field by field. */
const FIELDS: readonly (readonly [string, string])[] = [
  ['Host', 'server.example.com'],
  ['Upgrade', 'websocket'],
  ['Connection', 'Upgrade'],
  ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
  ['Origin', 'http://example.com'],
  ['Sec-WebSocket-Protocol', 'chat, superchat'],
  ['Sec-WebSocket-Version', '13'],
];

const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

const UNSAFE_NAMES = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf'];

type Line = Partial<Omit<HandshakeRequest, 'rawHeaders'>>;

function request(
  fields: readonly (readonly [string, string])[],
  line: Line = {},
): HandshakeRequest {
  return {
    method: 'GET',
    url: '/chat',
    httpVersionMajor: 1,
    httpVersionMinor: 1,
    ...line,
    rawHeaders: fields.flat(),
  };
}

/** The example with one field replaced, or left out where the value is undefined. */
function having(name: string, value: string | undefined): HandshakeRequest {
  const others = FIELDS.filter(([each]) => each !== name);
  return request(value === undefined ? others : [...others, [name, value]]);
}

/** The example with more fields behind its own. */
const adding = (...fields: (readonly [string, string])[]): HandshakeRequest =>
  request([...FIELDS, ...fields]);

const isRefusal = (answer: Offer | Refusal): answer is Refusal => 'status' in answer;

/** 101, or the status that the request is refused with. */
function statusOf(asked: HandshakeRequest): number {
  const answer = readHandshake(asked);
  return isRefusal(answer) ? answer.status : 101;
}

function protocolsOf(asked: HandshakeRequest): readonly string[] {
  const answer = readHandshake(asked);
  if (isRefusal(answer)) throw new Error(`refused: ${answer.body}`);
  return answer.protocols;
}

describe('§1.3 Sec-WebSocket-Accept', () => {
  it.each([
    ['dGhlIHNhbXBsZSBub25jZQ==', 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='],
    ['BcVbtgbkG+YnCD9NRv23qA==', 'RVP0IJR2K6QBsWRTqoIruP3KBdk='],
    ['sN9cRrP/n9NdMgdcy2VJFQ==', 'fFBooB7FAkLlXgRSz0BT3v4hq5s='],
  ])('answers key %s with %s', (key, accept) => {
    expect(acceptKey(key)).toBe(accept);
    expect(readHandshake(having('Sec-WebSocket-Key', key))).toMatchObject({ accept });
  });
});

describe('§4.2.1 the opening handshake', () => {
  it('accepts the example of §1.2 and tells what was offered', () => {
    expect(readHandshake(request(FIELDS))).toEqual({
      accept: ACCEPT,
      protocols: ['chat', 'superchat'],
      extensions: [],
      origin: 'http://example.com',
    });
  });

  it('asks for no Origin, no protocol and no extension', () => {
    const needed = FIELDS.filter(([name]) => !/Origin|Protocol/.test(name));
    expect(readHandshake(request(needed))).toEqual({
      accept: ACCEPT,
      protocols: [],
      extensions: [],
    });
  });

  it('reads field names in any case', () => {
    for (const change of ['toLowerCase', 'toUpperCase'] as const) {
      const fields = FIELDS.map(([name, value]) => [name[change](), value] as const);
      expect(readHandshake(request(fields))).toMatchObject({ accept: ACCEPT });
    }
  });

  it.each(['POST', 'HEAD', 'OPTIONS', 'CONNECT', 'get', '', undefined])(
    'H-12 refuses method %s with 405 and says which is allowed',
    (method) => {
      const answer = readHandshake(request(FIELDS, { method }));
      expect(answer).toMatchObject({ status: 405, headers: { Allow: 'GET' } });
    },
  );

  it.each([
    [1, 0],
    [0, 9],
    [2, 0],
    [2, 1],
    [3, 0],
  ])('H-12 refuses HTTP/%i.%i', (httpVersionMajor, httpVersionMinor) => {
    expect(statusOf(request(FIELDS, { httpVersionMajor, httpVersionMinor }))).toBe(400);
  });

  it.each([undefined, ''])('H-12 refuses a Host that is %j', (host) => {
    expect(statusOf(having('Host', host))).toBe(400);
  });

  it.each(['websocket', 'WebSocket', 'WEBSOCKET', 'h2c, websocket', ' websocket ,'])(
    'takes Upgrade: %s',
    (value) => {
      expect(asksForWebSocket(value)).toBe(true);
      expect(statusOf(having('Upgrade', value))).toBe(101);
    },
  );

  it.each([undefined, '', 'h2c', 'websocket/13', 'websockets', 'web socket', 'xwebsocket'])(
    'refuses Upgrade: %s',
    (value) => {
      expect(asksForWebSocket(value)).toBe(false);
      expect(statusOf(having('Upgrade', value))).toBe(400);
    },
  );

  it.each([
    'Upgrade',
    'upgrade',
    'keep-alive, Upgrade',
    'UPGRADE,close',
    'Upgrade, HTTP2-Settings',
  ])('takes Connection: %s', (value) => {
    expect(statusOf(having('Connection', value))).toBe(101);
  });

  it.each([undefined, '', 'keep-alive', 'close', 'Upgraded', 'Up grade'])(
    'refuses Connection: %s',
    (value) => {
      expect(statusOf(having('Connection', value))).toBe(400);
    },
  );
});

describe('§4.2.1 item 5, the key', () => {
  it.each([
    ['16 zero bytes', 'AAAAAAAAAAAAAAAAAAAAAA=='],
    ['16 bytes of ff', '/////////////////////w=='],
    ['plus and slash', '+/+/+/+/+/+/+/+/+/+/+w=='],
  ])('H-10 may be any 16 bytes: %s', (_name, key) => {
    const accept = createHash('sha1')
      .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64');
    expect(readHandshake(having('Sec-WebSocket-Key', key))).toMatchObject({ accept });
  });

  it.each([
    ['absent', undefined],
    ['empty', ''],
    ['23 characters', 'dGhlIHNhbXBsZSBub25jZQ='],
    ['22 characters, without padding', 'dGhlIHNhbXBsZSBub25jZQ'],
    ['25 characters', 'dGhlIHNhbXBsZSBub25jZQ==='],
    ['15 bytes', 'AAAAAAAAAAAAAAAAAAAA'],
    ['17 bytes', 'AAAAAAAAAAAAAAAAAAAAAAA='],
    ['18 bytes', 'AAAAAAAAAAAAAAAAAAAAAAAA'],
    ['19 bytes, whose last 16 would do', 'AAAAdGhlIHNhbXBsZSBub25jZQ=='],
    ['behind another one', 'dGhlIHNhbXBsZSBub25jZQ==,dGhlIHNhbXBsZSBub25jZQ=='],
    ['the alphabet for URLs', '_____________________w=='],
    ['the other letter for URLs', '-/+/+/+/+/+/+/+/+/+/+w=='],
    ['low bits that are not zero', 'AAAAAAAAAAAAAAAAAAAAAB=='],
    ['more low bits that are not zero', '//////////////////////=='],
    ['a space inside', 'AAAAAAAAAA AAAAAAAAAAA=='],
    ['padding inside', 'AAAAAAAAAA==AAAAAAAAAA=='],
    ['an octet above ASCII', 'AAAAAAAAAAAAAAAAAAAA\u00e9A=='],
    ['24 characters of padding', '='.repeat(24)],
    ['16 KiB', 'A'.repeat(16_384)],
  ])('H-10 is refused when it is %s', (_name, key) => {
    expect(statusOf(having('Sec-WebSocket-Key', key))).toBe(400);
  });

  it('L-3 is not replaced by the two keys of the drafts', () => {
    const drafts = FIELDS.filter(([name]) => !/Key|Version/.test(name));
    const keys = [
      ['Sec-WebSocket-Key1', '18x 6]8vM;54 *(5:  {   U1]8  z [  8'],
      ['Sec-WebSocket-Key2', '1_ tx7X d  <  nw  334J702) 7]o}` 0'],
    ] as const;
    expect(statusOf(request([...drafts, ...keys]))).toBe(400);
    expect(statusOf(request([...drafts, ...keys, ['Sec-WebSocket-Version', '13']]))).toBe(400);
  });
});

describe('§4.2.1 item 6, §4.4 the version', () => {
  it.each([
    undefined,
    '',
    '0',
    '7',
    '8',
    '12',
    '14',
    '+13',
    '13.0',
    '013',
    '0x0d',
    '13,8',
    ' 13,8',
    '13 8',
    '1३',
  ])('H-8 is 13: %j is answered with 426, and with the version that would do', (version) => {
    expect(readHandshake(having('Sec-WebSocket-Version', version))).toMatchObject({
      status: 426,
      headers: { 'Sec-WebSocket-Version': '13' },
    });
  });

  it('H-8 must not be told twice', () => {
    expect(statusOf(adding(['Sec-WebSocket-Version', '8']))).toBe(400);
    expect(statusOf(adding(['sec-websocket-version', '13']))).toBe(400);
  });
});

describe('RFC 9112 §3.2 the request target', () => {
  it.each([
    '/',
    '/ws',
    '/ws?x=1',
    '/ws?',
    '/a/../ws',
    '/%2e%2e/ws',
    '/\\evil.com',
    '/%E2%82%AC',
    '/ws?x=%zz',
    '/ws?a=//b',
    '/a//b',
  ])('H-11 takes %s', (url) => {
    expect(isOriginForm(url)).toBe(true);
    expect(statusOf(request(FIELDS, { url }))).toBe(101);
  });

  it.each([
    ['another host', '//evil.com/ws'],
    ['an absolute URL', 'http://evil.com/ws'],
    ['an absolute URL of a socket', 'ws://evil.com/ws'],
    ['a fragment', '/ws#x'],
    ['a fragment in the query', '/ws?x#y'],
    ['an escape that is none', '/%zz'],
    ['an escape cut short', '/ws%2'],
    ['an escape that is no UTF-8', '/%ff'],
    ['half a character', '/%E2%82?x=%AC'],
    ['an asterisk', '*'],
    ['a host and port', 'evil.com:443'],
    ['no slash', 'ws'],
    ['a backslash first', '\\ws'],
    ['only a query', '?x=1'],
    ['nothing', ''],
    ['undefined', undefined],
    ['16 KiB of slashes', '/'.repeat(16_384)],
  ])('H-11 refuses %s', (_name, url) => {
    expect(isOriginForm(url)).toBe(false);
    expect(statusOf(request(FIELDS, { url }))).toBe(400);
  });
});

describe('RFC 9112 §6 no body', () => {
  it.each(['1', '5', '00', '-0', '+0', '0, 0', 'x', '', '18446744073709551616'])(
    'H-12 refuses Content-Length: %j',
    (length) => {
      expect(statusOf(adding(['Content-Length', length]))).toBe(400);
    },
  );

  it.each(['chunked', 'identity', ''])('H-12 refuses Transfer-Encoding: %j', (coding) => {
    expect(statusOf(adding(['Transfer-Encoding', coding]))).toBe(400);
    expect(statusOf(adding(['Content-Length', '0'], ['transfer-encoding', coding]))).toBe(400);
  });

  it('takes Content-Length: 0, once', () => {
    expect(statusOf(adding(['Content-Length', '0']))).toBe(101);
    expect(statusOf(adding(['Content-Length', '0'], ['content-length', '0']))).toBe(400);
  });
});

describe('RFC 9110 §5.3 fields that come twice', () => {
  it.each([
    ['Host', 'server.example.com'],
    ['Host', 'evil.com'],
    ['Origin', 'http://evil.com'],
    ['Sec-WebSocket-Key', 'AAAAAAAAAAAAAAAAAAAAAA=='],
    ['Sec-WebSocket-Version', '13'],
    ['Upgrade', 'websocket'],
    ['Upgrade', 'h2c'],
  ])('H-9 refuses a second %s: %s', (name, value) => {
    expect(statusOf(adding([name, value]))).toBe(400);
    expect(statusOf(adding([name.toUpperCase(), value]))).toBe(400);
    expect(statusOf(request([[name.toLowerCase(), value], ...FIELDS]))).toBe(400);
  });

  it('H-9 refuses a second one although the first is empty', () => {
    expect(statusOf(request([['Origin', ''], ...FIELDS]))).toBe(400);
  });

  it('H-9 joins those that are lists', () => {
    expect(statusOf(adding(['Connection', 'keep-alive']))).toBe(101);
    expect(statusOf(request([['Connection', 'keep-alive'], ...FIELDS]))).toBe(101);
    expect(protocolsOf(adding(['sec-websocket-protocol', 'v2, v1']))).toEqual([
      'chat',
      'superchat',
      'v2',
      'v1',
    ]);
    const extension = ['Sec-WebSocket-Extensions', 'foo; a=1'] as const;
    expect(statusOf(adding(extension, extension))).toBe(101);
    expect(statusOf(adding(extension, ['Sec-WebSocket-Extensions', 'foo bar']))).toBe(400);
  });

  it('is no matter for fields that are not of the handshake', () => {
    expect(statusOf(adding(['Cookie', 'a=1'], ['Cookie', 'b=2']))).toBe(101);
  });
});

describe('§10.4 the number of fields', () => {
  const padded = (count: number): HandshakeRequest => {
    const padding = Array.from({ length: count - FIELDS.length }, () => ['a', ''] as const);
    return request([...padding, ...FIELDS]);
  };

  it('H-1 may be 128, and is refused aloud above', () => {
    expect(statusOf(padded(128))).toBe(101);
    expect(statusOf(padded(129))).toBe(431);
    expect(statusOf(padded(2100))).toBe(431);
  });

  it('H-1 may have been cut by Node: what is missing is refused, nothing throws', () => {
    expect(statusOf(request([]))).toBe(400);
    for (let count = 0; count < FIELDS.length; count++) {
      expect([400, 426]).toContain(statusOf(request(FIELDS.slice(0, count))));
    }
  });
});

describe('§4.2.2 sub-protocols', () => {
  it('are told in the order of the client', () => {
    expect(protocolsOf(having('Sec-WebSocket-Protocol', 'b,a , c'))).toEqual(['b', 'a', 'c']);
  });

  it('keep their case', () => {
    expect(protocolsOf(having('Sec-WebSocket-Protocol', 'Chat, chat'))).toEqual(['Chat', 'chat']);
  });

  it('H-7 are refused with octets above ASCII', () => {
    expect(statusOf(having('Sec-WebSocket-Protocol', '\u00e9\u00ff'))).toBe(400);
    expect(statusOf(having('Sec-WebSocket-Protocol', 'chat, \u00e9'))).toBe(400);
  });

  it('H-2 are refused with 16 KiB of spaces between two words', () => {
    expect(statusOf(having('Sec-WebSocket-Protocol', `b${' '.repeat(16_384)}x`))).toBe(400);
  });

  it.each(['a, a', 'a, b, a', 'a b', 'a/b', '"a"', 'a;b', 'a, (b)'])(
    '§4.1 item 10: are refused when malformed or told twice: %s',
    (value) => {
      expect(statusOf(having('Sec-WebSocket-Protocol', value))).toBe(400);
    },
  );

  it('§4.1 item 10: are refused when told twice over two fields', () => {
    expect(statusOf(adding(['Sec-WebSocket-Protocol', 'chat']))).toBe(400);
  });

  it.each(['\r', '\n', '\0', '\r\nSet-Cookie: a=b', '\u0100', '\u{1f600}'])(
    'H-18 cannot bring %j into the answer',
    (text) => {
      expect(statusOf(having('Sec-WebSocket-Protocol', `chat${text}`))).toBe(400);
    },
  );

  it.each([
    [['v2', 'v1'], ['v1', 'v2'], 'v2'],
    [['v2', 'v1'], ['v1'], 'v1'],
    [['v1'], ['v2', 'v1'], 'v1'],
  ])('are chosen by our preference: of ours %j and theirs %j, %s', (ours, theirs, chosen) => {
    expect(selectProtocol(ours, theirs)).toBe(chosen);
  });

  it.each([
    [['v1'], ['v2']],
    [['v1'], []],
    [[], ['v1']],
    [[], []],
    [['chat'], ['Chat']],
  ])('H-18 are never chosen unless both know them: ours %j, theirs %j', (ours, theirs) => {
    expect(selectProtocol(ours, theirs)).toBeUndefined();
  });
});

describe('§9.1 extensions', () => {
  it.each([
    [
      'permessage-deflate; client_max_window_bits',
      [{ name: 'permessage-deflate', parameters: [['client_max_window_bits', true]] }],
    ],
    [
      'foo; a="1", bar',
      [
        { name: 'foo', parameters: [['a', '"1"']] },
        { name: 'bar', parameters: [] },
      ],
    ],
    ['', []],
    [' , ', []],
  ])('are told in the order of the offers: %s', (value, extensions) => {
    expect(readHandshake(having('Sec-WebSocket-Extensions', value))).toEqual({
      accept: ACCEPT,
      protocols: ['chat', 'superchat'],
      extensions,
      origin: 'http://example.com',
    });
  });

  it.each(['foo bar', 'foo;', 'foo; a=', 'foo; a="', 'foo; a="b c"', '=1', 'f\u00f6o'])(
    'are refused when malformed: %s',
    (value) => {
      expect(statusOf(having('Sec-WebSocket-Extensions', value))).toBe(400);
    },
  );

  it('H-3 are refused with 16 KiB of escapes in a string that never ends', () => {
    const value = `a; b="${'\\c'.repeat(8192)}`;
    expect(statusOf(having('Sec-WebSocket-Extensions', value))).toBe(400);
  });
});

describe('names that every object has', () => {
  it.each(UNSAFE_NAMES)('H-4 %s is a word like any other, wherever it comes', (name) => {
    expect(protocolsOf(having('Sec-WebSocket-Protocol', name))).toEqual([name]);
    expect(selectProtocol(['chat'], [name])).toBeUndefined();
    expect(statusOf(having('Sec-WebSocket-Extensions', name))).toBe(101);
    expect(statusOf(having('Sec-WebSocket-Extensions', `foo; ${name}`))).toBe(101);
    expect(statusOf(having('Sec-WebSocket-Extensions', `foo; ${name}=x`))).toBe(101);
    expect(statusOf(adding([name, 'x'], [name, 'y']))).toBe(101);
    expect(statusOf(having('Upgrade', name))).toBe(400);
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });
});

describe('a refusal', () => {
  it('is data: status, headers, body', () => {
    expect(refusal(503, 'busy', { 'Retry-After': '1' })).toEqual({
      status: 503,
      headers: { 'Retry-After': '1' },
      body: 'busy',
    });
    expect(refusal(400, 'no')).toEqual({ status: 400, headers: {}, body: 'no' });
  });

  const twice = 'a header field that must be single came twice';
  const many = Array.from({ length: 129 }, (): [string, string] => ['a', 'b']);

  it.each([
    ['many fields', adding(...many), 'more than 128 header fields'],
    ['two keys', adding(['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ==']), twice],
    ['two lengths', adding(['Content-Length', '0'], ['content-length', '0']), twice],
    ['another method', request(FIELDS, { method: 'PUT' }), 'a WebSocket is opened with GET'],
    ['HTTP/1.0', request(FIELDS, { httpVersionMinor: 0 }), 'a WebSocket is opened with HTTP/1.1'],
    ['a URL', request(FIELDS, { url: 'http://a/' }), 'malformed request target'],
    ['no host', having('Host', undefined), 'missing Host'],
    ['a body', adding(['Content-Length', '1']), 'an opening handshake has no body'],
    ['another upgrade', having('Upgrade', 'h2c'), 'Upgrade is not websocket'],
    ['no upgrade', having('Connection', 'close'), 'Connection does not name Upgrade'],
    [
      'half a key',
      having('Sec-WebSocket-Key', 'dGhlIHNh'),
      'Sec-WebSocket-Key is not 16 bytes of base64',
    ],
    ['a draft', having('Sec-WebSocket-Version', '8'), 'Sec-WebSocket-Version is not 13'],
    [
      'protocols that are none',
      having('Sec-WebSocket-Protocol', 'a b'),
      'malformed Sec-WebSocket-Protocol',
    ],
    [
      'extensions that are none',
      having('Sec-WebSocket-Extensions', ';'),
      'malformed Sec-WebSocket-Extensions',
    ],
  ])('says what is wrong: %s', (_name, asked, body) => {
    expect(readHandshake(asked)).toMatchObject({ body });
  });

  it('H-18 repeats nothing that the peer sent', () => {
    const evil = 'EVIL\r\nSet-Cookie: a=b';
    const asked = [
      ...FIELDS.map(([name]) => having(name, evil)),
      ...FIELDS.map(([name]) => adding([name, evil])),
      having('Sec-WebSocket-Extensions', evil),
      adding(['Content-Length', evil]),
      request(FIELDS, { method: evil }),
      request(FIELDS, { url: evil }),
    ];
    const answers = asked.map((each) => readHandshake(each));
    const said = JSON.stringify(answers.filter((answer) => 'status' in answer));
    expect(said).not.toContain('EVIL');
    expect(said).not.toContain('Cookie');
  });

  it('is all that any request can cause: no bytes make it throw', () => {
    const name = fc.oneof(
      fc.constantFrom(...FIELDS.map(([each]) => each), 'Sec-WebSocket-Extensions', ...UNSAFE_NAMES),
      fc.string(),
    );
    const value = fc.oneof(
      fc.constantFrom(...FIELDS.map(([, each]) => each)),
      fc.string({ unit: fc.constantFrom(...Array.from('a,;=" \\\t\0é')) }),
    );
    const lines = fc.record({ url: fc.string(), method: fc.constantFrom('GET', 'POST') });
    const fields = fc.array(fc.tuple(name, value), { maxLength: 10 });
    const extra = fc.record({ fields, line: fc.option(lines, { nil: undefined }) });
    fc.assert(
      fc.property(extra, fc.boolean(), (odd, isAlone) => {
        const all = isAlone ? odd.fields : [...FIELDS, ...odd.fields];
        expect([101, 400, 405, 426, 431]).toContain(statusOf(request(all, odd.line)));
      }),
      { numRuns: 500 },
    );
  });
});
