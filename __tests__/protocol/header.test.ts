import fc from 'fast-check';
import { isToken, parseExtensions, parseTokenList } from '../../lib/protocol/header';

/** `tchar` as RFC 9110 §5.6.2 prints it. */
const TCHAR = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]$/;

const CHARACTERS = Array.from({ length: 0x120 }, (_, code) => String.fromCharCode(code));

const UNSAFE_NAMES = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf'];

/**
 * How often a parser looks at its text: a stand-in for the string, which counts each look and
 * offers nothing that looks at more than one character, but for the slice of a token.
 */
function looksAt(value: string, parse: (text: string) => unknown): number {
  let looks = 0;
  const counted = new Proxy(Object(value) as object, {
    get: (_target, property) => {
      looks++;
      if (property === 'length') return value.length;
      if (property === 'charCodeAt') return (at: number) => value.charCodeAt(at);
      if (property === 'slice') {
        return (start: number, end: number) => {
          looks += end - start;
          return value.slice(start, end);
        };
      }
      if (typeof property === 'string' && /^\d+$/.test(property)) return value[Number(property)];
      throw new Error(`looked at ${String(property)}`);
    },
  });
  // The stand-in is no string, which is the point of it.
  parse(counted as unknown as string);
  return looks;
}

describe('RFC 9110 §5.6.2 tokens', () => {
  it('are made of tchar and nothing else', () => {
    expect(CHARACTERS.filter(isToken)).toEqual(CHARACTERS.filter((char) => TCHAR.test(char)));
  });

  it('are not empty, and are tokens in every character', () => {
    expect(isToken('')).toBe(false);
    expect(isToken('permessage-deflate')).toBe(true);
    expect(CHARACTERS.filter((char) => isToken(`a${char}b`))).toEqual(CHARACTERS.filter(isToken));
  });

  it.each(['\r', '\n', '\0', '\r\nSet-Cookie: a=b', '\u0100', '\u212a', '😀'])(
    'H-18 cannot carry %j into an answer',
    (text) => {
      expect(isToken(text)).toBe(false);
      expect(isToken(`chat${text}`)).toBe(false);
      expect(parseTokenList(`chat${text}`)).toBeUndefined();
    },
  );
});

describe('RFC 9110 §5.6.1 lists', () => {
  it.each([
    ['', []],
    [' \t ', []],
    ['chat', ['chat']],
    ['chat, superchat', ['chat', 'superchat']],
    ['chat,superchat', ['chat', 'superchat']],
    ['  chat \t,\t superchat  ', ['chat', 'superchat']],
    ['keep-alive, Upgrade', ['keep-alive', 'Upgrade']],
    ['a, a', ['a', 'a']],
    ["!#$%&'*+-.^_`|~", ["!#$%&'*+-.^_`|~"]],
  ])('%j is %j', (value, tokens) => {
    expect(parseTokenList(value)).toEqual(tokens);
  });

  it.each([',', ', ,', ',chat', 'chat,', ', ,chat ,, ,'])(
    '§5.6.1.2: empty elements are ignored in %j',
    (value) => {
      expect(parseTokenList(value)).toEqual(value.includes('chat') ? ['chat'] : []);
    },
  );

  it.each([
    'a b',
    'chat superchat, x',
    'a/b',
    'websocket/13',
    'a;b',
    'a=b',
    '"a"',
    'a, b c',
    'a,(b)',
    'a\u00a0',
    'a\u000b,b',
    'a\0',
  ])('%j is no list of tokens', (value) => {
    expect(parseTokenList(value)).toBeUndefined();
  });

  it('H-7 refuses octets above ASCII', () => {
    expect(parseTokenList('\u00e9\u00ff')).toBeUndefined();
    expect(parseTokenList('chat, caf\u00e9')).toBeUndefined();
  });

  it.each(UNSAFE_NAMES)('H-4 takes %s for a word like any other', (name) => {
    expect(parseTokenList(`${name}, a`)).toEqual([name, 'a']);
  });

  it('reads back any tokens, with any white space and empty elements between', () => {
    const tokens = CHARACTERS.filter(isToken).join('');
    const token = fc.string({
      unit: fc.constantFrom(...Array.from(tokens)),
      minLength: 1,
      maxLength: 8,
    });
    const comma = fc.constantFrom(',', ', ', ' ,', '\t,\t', ',,', ', ,');
    fc.assert(
      fc.property(fc.array(fc.tuple(token, comma)), (parts) => {
        const value = parts.map(([word, separator]) => word + separator).join('');
        expect(parseTokenList(value)).toEqual(parts.map(([word]) => word));
      }),
    );
  });
});

describe('§9.1 extensions', () => {
  it.each([
    ['', []],
    ['foo', [{ name: 'foo', parameters: [] }]],
    ['bar; baz=2', [{ name: 'bar', parameters: [['baz', '2']] }]],
    [
      'foo, bar; baz=2',
      [
        { name: 'foo', parameters: [] },
        { name: 'bar', parameters: [['baz', '2']] },
      ],
    ],
    [
      'mux; max-channels=4; flow-control',
      [
        {
          name: 'mux',
          parameters: [
            ['max-channels', '4'],
            ['flow-control', true],
          ],
        },
      ],
    ],
    ['private-extension', [{ name: 'private-extension', parameters: [] }]],
    ['foo; a="2"', [{ name: 'foo', parameters: [['a', '"2"']] }]],
    ['foo; a="\\b\\c"', [{ name: 'foo', parameters: [['a', '"\\b\\c"']] }]],
    [
      'foo;a=1;a=2',
      [
        {
          name: 'foo',
          parameters: [
            ['a', '1'],
            ['a', '2'],
          ],
        },
      ],
    ],
    [
      ' foo\t; a = 1 ; b ,, bar ',
      [
        {
          name: 'foo',
          parameters: [
            ['a', '1'],
            ['b', true],
          ],
        },
        { name: 'bar', parameters: [] },
      ],
    ],
    [
      'permessage-deflate; client_max_window_bits',
      [{ name: 'permessage-deflate', parameters: [['client_max_window_bits', true]] }],
    ],
  ])('reads %j', (value, offers) => {
    expect(parseExtensions(value)).toEqual(offers);
  });

  it.each([
    'foo bar',
    'foo;',
    'foo; ;a',
    'foo; =1',
    'foo; a=',
    'foo; a= ,',
    'foo; a="',
    'foo; a="\\',
    'foo; a="1',
    'foo; a=""',
    'foo; a="1 2"',
    'foo; a="1"2',
    'foo; a=1 2',
    'foo; a==1',
    'foo; "a"=1',
    '; a',
    '=',
    'foo/1',
    'foo, (bar)',
    'f\u00f6o',
    'foo; a=\u00e9',
    'foo; a="\u00e9"',
    'foo\r\nbar',
  ])('refuses %j', (value) => {
    expect(parseExtensions(value)).toBeUndefined();
  });

  it.each(UNSAFE_NAMES)('H-4 takes %s as a name for a word like any other', (name) => {
    expect(parseExtensions(name)).toEqual([{ name, parameters: [] }]);
    expect(parseExtensions(`foo; ${name}`)).toEqual([{ name: 'foo', parameters: [[name, true]] }]);
    expect(parseExtensions(`foo; ${name}=1`)).toEqual([{ name: 'foo', parameters: [[name, '1']] }]);
    expect(parseExtensions(`foo; ${name}="x"`)).toEqual([
      { name: 'foo', parameters: [[name, '"x"']] },
    ]);
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });

  it('makes of any text offers or nothing, and never throws', () => {
    const grammar = fc.string({ unit: fc.constantFrom(...Array.from('a1-,;= \t"\\/é\0')) });
    fc.assert(
      fc.property(fc.oneof(grammar, fc.string()), (value) => {
        for (const offer of parseExtensions(value) ?? []) {
          expect(isToken(offer.name)).toBe(true);
          for (const [name, content] of offer.parameters) {
            expect([isToken(name), content === true || isToken(content)]).toEqual([true, true]);
          }
        }
        for (const token of parseTokenList(value) ?? []) expect(isToken(token)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

describe('§10.4 work in proportion to the length of the field', () => {
  it.each([
    ['H-2 a gap of spaces', parseTokenList, (n: number) => `b${' '.repeat(n)}x`],
    ['H-2 many gaps', parseTokenList, (n: number) => 'a , '.repeat(n / 4)],
    ['empty elements', parseTokenList, (n: number) => ','.repeat(n)],
    ['one long token', parseTokenList, (n: number) => 'x'.repeat(n)],
    [
      'H-3 an unclosed string of escapes',
      parseExtensions,
      (n: number) => `a; b="${'\\c'.repeat(n / 2)}`,
    ],
    ['H-3 an unclosed string', parseExtensions, (n: number) => `a; b="${'c'.repeat(n)}`],
    ['many parameters', parseExtensions, (n: number) => `a${';b=1'.repeat(n / 4)}`],
    ['many offers', parseExtensions, (n: number) => 'a;b, '.repeat(n / 5)],
    [
      'spaces in an extension',
      parseExtensions,
      (n: number) => `a${' '.repeat(n)};${' '.repeat(n)}b c`,
    ],
  ])('%s', (_name, parse, text) => {
    const [once, twice] = [looksAt(text(16_000), parse), looksAt(text(32_000), parse)];
    expect(once).toBeGreaterThan(16_000);
    expect(once).toBeLessThan(10 * text(16_000).length);
    expect(twice).toBeLessThan(2.1 * once);
  });

  it('H-2, H-3 refuse what they are tried with', () => {
    expect(parseTokenList(`b${' '.repeat(32_000)}x`)).toBeUndefined();
    expect(parseExtensions(`a; b="${'\\c'.repeat(8192)}`)).toBeUndefined();
  });
});
