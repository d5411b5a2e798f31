/*
 * RFC 9110 §5.6: lists of tokens and of extensions in header fields. One pass over the characters,
 * no regular expressions, no plain objects keyed by what a peer sent.
 */

/** A name with its parameters, as `Sec-WebSocket-Extensions` carries them (RFC 6455 §9.1). */
export interface ExtensionOffer {
  readonly name: string;
  /** In the order sent, a quoted value with its quotes; `true` for a parameter without a value. */
  readonly parameters: readonly (readonly [name: string, value: string | true])[];
}

const SPACE = 0x20;
const TAB = 0x09;

/** `tchar` of RFC 9110 §5.6.2, by character code. */
const TOKEN_CHARS = new Uint8Array(128);
for (const char of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
  TOKEN_CHARS[char.charCodeAt(0)] = 1;
}

/** Whether the text is one token (RFC 9110 §5.6.2). */
export function isToken(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (TOKEN_CHARS[text.charCodeAt(at)] !== 1) return false;
  return text.length > 0;
}

/**
 * The tokens of a comma-separated list (RFC 9110 §5.6.1), empty elements ignored as §5.6.1.2 asks;
 * `undefined` when an element is no token.
 */
export function parseTokenList(value: string): string[] | undefined {
  const scanner = new Scanner(value);
  const tokens: string[] = [];
  while (!scanner.atEnd()) {
    if (scanner.accept(',')) continue;
    const token = scanner.token();
    if (token === undefined || !scanner.atElementEnd()) return undefined;
    tokens.push(token);
  }
  return tokens;
}

/**
 * The offers of a `Sec-WebSocket-Extensions` value (RFC 6455 §9.1); `undefined` when it breaks the
 * grammar.
 */
export function parseExtensions(value: string): ExtensionOffer[] | undefined {
  const scanner = new Scanner(value);
  const offers: ExtensionOffer[] = [];
  while (!scanner.atEnd()) {
    if (scanner.accept(',')) continue;
    const offer = parseOffer(scanner);
    if (offer === undefined) return undefined;
    offers.push(offer);
  }
  return offers;
}

function parseOffer(scanner: Scanner): ExtensionOffer | undefined {
  const name = scanner.token();
  if (name === undefined) return undefined;
  const parameters: (readonly [string, string | true])[] = [];
  while (scanner.accept(';')) {
    const parameter = scanner.token();
    if (parameter === undefined) return undefined;
    const value = scanner.accept('=') ? scanner.tokenOrQuoted() : true;
    if (value === undefined) return undefined;
    parameters.push([parameter, value]);
  }
  return scanner.atElementEnd() ? { name, parameters } : undefined;
}

/** Reads a header value from left to right; every character is looked at once. */
class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  atEnd(): boolean {
    this.#skipSpace();
    return this.#at >= this.#text.length;
  }

  /** At the end of the value, or before a comma. */
  atElementEnd(): boolean {
    return this.atEnd() || this.#text[this.#at] === ',';
  }

  /** Takes this separator if it comes next, with the white space around it. */
  accept(separator: ',' | ';' | '='): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== separator) return false;
    this.#at++;
    this.#skipSpace();
    return true;
  }

  token(): string | undefined {
    const start = this.#at;
    while (TOKEN_CHARS[this.#text.charCodeAt(this.#at)] === 1) this.#at++;
    return this.#at > start ? this.#text.slice(start, this.#at) : undefined;
  }

  /** RFC 6455 §9.1: a quoted value must be a token once unquoted. */
  tokenOrQuoted(): string | undefined {
    if (this.#text[this.#at] !== '"') return this.token();
    const start = this.#at;
    let value = '';
    for (this.#at++; this.#at < this.#text.length; this.#at++) {
      const char = this.#text[this.#at];
      if (char === '"') {
        this.#at++;
        return isToken(value) ? this.#text.slice(start, this.#at) : undefined;
      }
      if (char === '\\') this.#at++;
      value += this.#text[this.#at] ?? '';
    }
    return undefined;
  }

  #skipSpace(): void {
    for (; this.#at < this.#text.length; this.#at++) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== SPACE && code !== TAB) return;
    }
  }
}
