import {
  negotiateDeflate,
  type DeflateOptions,
  type DeflateTerms,
} from '../../lib/protocol/deflate';
import { parseExtensions } from '../../lib/protocol/header';

const OPTIONS: DeflateOptions = {
  threshold: 1024,
  level: -1,
  windowBits: 15,
  memLevel: 8,
  contextTakeover: false,
};

/** The answer to a value of `Sec-WebSocket-Extensions`. */
function negotiate(value: string, options: Partial<DeflateOptions> = {}): DeflateTerms | undefined {
  const offers = parseExtensions(value);
  if (offers === undefined) throw new Error(`breaks the grammar: ${value}`);
  return negotiateDeflate(offers, { ...OPTIONS, ...options });
}

/** As one line: `response | who may refer to earlier messages | bits of server and client`. */
function line(terms: DeflateTerms | undefined): string {
  if (terms === undefined) return 'declined';
  const { response, serverTakeover, clientTakeover, serverWindowBits, clientWindowBits } = terms;
  const whose = [serverTakeover && 'server', clientTakeover && 'client'].filter(Boolean).join(' ');
  return `${response.replaceAll('permessage-deflate', 'pmd')} | ${whose || 'nobody'} | ${serverWindowBits} ${clientWindowBits}`;
}

const NONE = 'pmd; server_no_context_takeover; client_no_context_takeover | nobody';

describe('RFC 7692 §7.1 without contextTakeover', () => {
  it.each([
    ['', `${NONE} | 15 15`],
    ['; server_no_context_takeover', `${NONE} | 15 15`],
    ['; client_no_context_takeover', `${NONE} | 15 15`],
    ['; client_no_context_takeover; server_no_context_takeover', `${NONE} | 15 15`],
    ['; client_max_window_bits', `${NONE} | 15 15`],
    // The window of messages that start anew is theirs to choose; we only know that it is no larger.
    ['; client_max_window_bits=10', `${NONE} | 15 10`],
    ['; client_max_window_bits=8', `${NONE} | 15 8`],
    [
      '; server_max_window_bits=10',
      'pmd; server_no_context_takeover; server_max_window_bits=10; client_no_context_takeover | nobody | 10 15',
    ],
  ])('nobody refers to earlier messages: %s', (parameters, expected) => {
    expect(line(negotiate(`permessage-deflate${parameters}`))).toBe(expected);
  });

  it('our window is no larger than windowBits', () => {
    const smaller = { windowBits: 11 };
    expect(line(negotiate('permessage-deflate', smaller))).toBe(`${NONE} | 11 15`);
    expect(line(negotiate('permessage-deflate; server_max_window_bits=12', smaller))).toBe(
      'pmd; server_no_context_takeover; server_max_window_bits=11; client_no_context_takeover | nobody | 11 15',
    );
  });
});

describe('RFC 7692 §7.1 with contextTakeover', () => {
  it.each([
    ['', 15, 'pmd | server client | 15 15'],
    ['; server_no_context_takeover', 15, 'pmd; server_no_context_takeover | client | 15 15'],
    ['; client_no_context_takeover', 15, 'pmd; client_no_context_takeover | server | 15 15'],
    [
      '; server_no_context_takeover; client_no_context_takeover',
      15,
      'pmd; server_no_context_takeover; client_no_context_takeover | nobody | 15 15',
    ],
    ['; server_max_window_bits=9', 15, 'pmd; server_max_window_bits=9 | server client | 9 15'],
    [
      '; server_max_window_bits=15',
      12,
      'pmd; server_max_window_bits=12; client_no_context_takeover | server | 12 15',
    ],
    ['; client_max_window_bits', 15, 'pmd | server client | 15 15'],
    ['; client_max_window_bits', 12, 'pmd; client_max_window_bits=12 | server client | 12 12'],
    ['; client_max_window_bits=15', 12, 'pmd; client_max_window_bits=12 | server client | 12 12'],
    ['; client_max_window_bits=12', 12, 'pmd | server client | 12 12'],
    ['; client_max_window_bits=9', 12, 'pmd | server client | 12 9'],
    ['; client_max_window_bits=8', 9, 'pmd | server client | 9 8'],
    // §7.1.2.2: a client that did not offer a smaller window must not be asked for one.
    ['', 12, 'pmd; client_no_context_takeover | server | 12 15'],
    [
      '; client_no_context_takeover; client_max_window_bits=10',
      12,
      'pmd; client_no_context_takeover | server | 12 10',
    ],
  ])('%s and windowBits %i', (parameters, windowBits, expected) => {
    const options = { contextTakeover: true, windowBits };
    expect(line(negotiate(`permessage-deflate${parameters}`, options))).toBe(expected);
  });
});

describe('RFC 7692 §7.1.3 the examples', () => {
  it.each([
    ['permessage-deflate', 'pmd | server client | 15 15'],
    [
      'permessage-deflate; client_max_window_bits; server_max_window_bits=10',
      'pmd; server_max_window_bits=10 | server client | 10 15',
    ],
    [
      'permessage-deflate; client_max_window_bits; server_max_window_bits=10, permessage-deflate; client_max_window_bits',
      'pmd; server_max_window_bits=10 | server client | 10 15',
    ],
  ])('%s', (value, expected) => {
    expect(line(negotiate(value, { contextTakeover: true }))).toBe(expected);
  });
});

describe('the values of a parameter', () => {
  const BITS = ['9', '10', '11', '12', '13', '14', '15'];

  it.each(BITS)('server_max_window_bits may be %s', (bits) => {
    const terms = negotiate(`permessage-deflate; server_max_window_bits=${bits}`);
    expect(terms?.serverWindowBits).toBe(Number(bits));
    expect(terms?.response).toContain(`; server_max_window_bits=${bits};`);
  });

  it.each(['8', ...BITS])('client_max_window_bits may be %s', (bits) => {
    const terms = negotiate(`permessage-deflate; client_max_window_bits=${bits}`);
    expect(terms?.clientWindowBits).toBe(Number(bits));
  });

  const WRONG = [
    '7',
    '16',
    '08',
    '015',
    '8.0',
    '+9',
    '-9',
    '"9"',
    '1000',
    '9x',
    '1e1',
    '0xf',
    '99',
    '0',
  ];

  it.each(
    WRONG.flatMap((value) => [
      `server_max_window_bits=${value}`,
      `client_max_window_bits=${value}`,
    ]),
  )('H-19 %s declines the offer', (parameter) => {
    expect(negotiate(`permessage-deflate; ${parameter}`)).toBeUndefined();
  });

  it.each([
    ['our window without a value', 'server_max_window_bits'],
    ['8 bits for us, with which zlib cannot compress', 'server_max_window_bits=8'],
    ['a flag with a value', 'server_no_context_takeover=1'],
    ['a flag with a value', 'client_no_context_takeover=true'],
    ['a flag with a quoted value', 'server_no_context_takeover="1"'],
    ['an unknown parameter', 'max_window_bits'],
    ['an unknown parameter with a value', 'mux=4'],
    ['a parameter in capitals', 'Client_max_window_bits'],
    ['a parameter that comes twice', 'client_max_window_bits; client_max_window_bits'],
    ['a flag that comes twice', 'server_no_context_takeover; server_no_context_takeover'],
    ['two different values', 'server_max_window_bits=10; server_max_window_bits=11'],
    ['a good parameter and a bad one', 'client_no_context_takeover; server_max_window_bits=7'],
    ['H-4 a name that every object has', 'constructor'],
    ['H-4 a name that every object has, with a value', '__proto__=9'],
  ])('H-19 %s declines the offer: %s', (_name, parameters) => {
    expect(negotiate(`permessage-deflate; ${parameters}`)).toBeUndefined();
  });

  it('an empty value declines the offer', () => {
    const offer = {
      name: 'permessage-deflate',
      parameters: [['server_max_window_bits', '']],
    } as const;
    expect(negotiateDeflate([offer], OPTIONS)).toBeUndefined();
  });
});

describe('§5 several offers', () => {
  it.each([
    '',
    'permessage-bzip2',
    'x-webkit-deflate-frame, mux; a=1',
    'Permessage-Deflate',
    'constructor',
  ])('without one for us are declined: %j', (value) => {
    expect(negotiate(value)).toBeUndefined();
  });

  it.each([
    'permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=9',
    'permessage-deflate; mux, foo; bar, permessage-deflate; server_max_window_bits=9, permessage-deflate',
    'foo, permessage-deflate; client_max_window_bits="9", permessage-deflate; server_max_window_bits=9',
  ])('are tried in their order: %s', (value) => {
    expect(negotiate(value)?.serverWindowBits).toBe(9);
  });

  it('are answered with one object where the same is agreed on, whatever was said for it', () => {
    const terms = negotiate('permessage-deflate');
    expect(negotiate('foo, permessage-deflate; client_max_window_bits')).toBe(terms);
    const other = negotiate('permessage-deflate; client_max_window_bits=10');
    // The responses are alike; what is known of the client's window is not.
    expect(other?.response).toBe(terms?.response);
    expect(other).not.toBe(terms);
  });

  it('H-19 may be a hundred of which none is any good, or the last', () => {
    const bad = Array.from({ length: 100 }, (_, i) => `permessage-deflate; x${i}`).join(', ');
    expect(negotiate(bad)).toBeUndefined();
    expect(line(negotiate(`${bad}, permessage-deflate`))).toBe(`${NONE} | 15 15`);
  });
});
