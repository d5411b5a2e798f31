import { Buffer } from 'node:buffer';
import {
  negotiateDeflate,
  type DeflateOptions,
  type DeflateTerms,
} from '../../lib/protocol/deflate';
import {
  isToken,
  parseExtensions,
  parseTokenList,
  type ExtensionOffer,
} from '../../lib/protocol/header';
import { law, type Target } from '../law';
import { HEADER_SEEDS } from './seeds';

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** RFC 9110 §5.6.1 by other means than the library's: a token holds no comma. */
export function tokensOf(value: string): string[] | undefined {
  const elements = value.split(',').map((element) => element.replace(/^[ \t]+|[ \t]+$/g, ''));
  const tokens = elements.filter((element) => element !== '');
  return tokens.every((token) => TOKEN.test(token)) ? tokens : undefined;
}

type Parameter = ExtensionOffer['parameters'][number];

const write = ([name, value]: Parameter): string => (value === true ? name : `${name}=${value}`);

const writeAll = (offers: readonly ExtensionOffer[]): string =>
  offers.map(({ name, parameters }) => [name, ...parameters.map(write)].join('; ')).join(', ');

function checkOffers(offers: readonly ExtensionOffer[]): void {
  for (const { name, parameters } of offers) {
    law(isToken(name), 'the name of an extension is a token');
    for (const [parameter, value] of parameters) {
      law(isToken(parameter), 'so is the name of a parameter');
      law(value === true || TOKEN.test(unquoted(value)), 'and its value, once unquoted');
    }
  }
  const again = parseExtensions(writeAll(offers));
  law(JSON.stringify(again) === JSON.stringify(offers), 'offers that are written are read again');
}

const unquoted = (value: string): string =>
  value.startsWith('"') ? value.slice(1, -1).replace(/\\(.)/gs, '$1') : value;

function optionsOf(choice: number): DeflateOptions {
  const windowBits = 9 + (choice % 7);
  return {
    threshold: 0,
    level: 1,
    windowBits,
    memLevel: 8,
    contextTakeover: (choice & 0x20) !== 0,
  };
}

/** RFC 7692 §7.1: what may be answered to an offer. */
function checkAnswer(offers: readonly ExtensionOffer[], options: DeflateOptions): void {
  const terms = negotiateDeflate(offers, options);
  if (terms === undefined) return;
  const answer = parseExtensions(terms.response)?.[0];
  law(answer?.name === 'permessage-deflate', 'the answer names the extension');
  const said = new Map(answer.parameters);
  law(said.size === answer.parameters.length, 'no parameter is said twice');
  const fits = offers.some((offer) => offer.name === answer.name && answers(offer, said, terms));
  law(fits, `${terms.response} answers one of the offers`);
  law(terms.serverTakeover === !said.has('server_no_context_takeover'), 'we do what we say');
  law(terms.clientTakeover === !said.has('client_no_context_takeover'), 'so may the client');
  law(terms.serverWindowBits <= options.windowBits, 'our window is no larger than wanted');
}

type Said = ReadonlyMap<string, string | true>;

function bits(said: Said, side: 'server' | 'client'): number | undefined {
  const value = said.get(`${side}_max_window_bits`);
  return value === undefined || value === true ? undefined : Number(value);
}

function answers({ parameters }: ExtensionOffer, said: Said, terms: DeflateTerms): boolean {
  const asked = new Map(parameters);
  const mayClient = bits(said, 'client') ?? bits(asked, 'client') ?? 15;
  return [
    asked.size === parameters.length,
    // §7.1.1.1, §7.1.2.1: what is asked of us is said, and done.
    !asked.has('server_no_context_takeover') || said.has('server_no_context_takeover'),
    asked.has('server_max_window_bits') === said.has('server_max_window_bits'),
    (bits(said, 'server') ?? 15) <= (bits(asked, 'server') ?? 15),
    terms.serverWindowBits >= 9 && terms.serverWindowBits <= (bits(said, 'server') ?? 15),
    // §7.1.2.2: the client is asked only if it offered, and we keep as much as it may use.
    asked.has('client_max_window_bits') || !said.has('client_max_window_bits'),
    mayClient >= 8 && mayClient <= (bits(asked, 'client') ?? 15),
    terms.clientWindowBits === mayClient,
  ].every(Boolean);
}

function run(input: Buffer): void {
  const value = input.toString('latin1', 1);
  const tokens = parseTokenList(value);
  law(JSON.stringify(tokens) === JSON.stringify(tokensOf(value)), 'a list of tokens');
  const offers = parseExtensions(value);
  if (tokens !== undefined) law(offers?.length === tokens.length, 'tokens are plain offers');
  if (offers === undefined) return;
  checkOffers(offers);
  checkAnswer(offers, optionsOf(input[0] ?? 0));
}

export const header: Target = {
  name: 'header',
  shape: 'text',
  seeds: HEADER_SEEDS,
  settings: 1,
  operations: (length) => 4000 + 250 * length,
  run,
};
