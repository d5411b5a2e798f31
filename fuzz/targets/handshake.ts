import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { readHandshake, type HandshakeRequest } from '../../lib/protocol/handshake';
import { law, type Target } from '../law';
import { tokensOf } from './header';
import { HANDSHAKE_SEEDS } from './seeds';

/** An input is a request: method, target and version, then a field a line. */
function requestOf(input: Buffer): HandshakeRequest {
  const [start = '', ...lines] = input.toString('latin1').split('\n');
  const [method = '', url = '', version = ''] = start.split(' ');
  // As an HTTP parser hands them over: numbers.
  const [major, minor] = version.split('.').map((digits) => Number(digits) || 0);
  const rawHeaders = lines.flatMap((line) => {
    const colon = line.indexOf(':');
    // As an HTTP parser hands them over: no white space around the value.
    return colon < 0 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  return { method, url, httpVersionMajor: major ?? 0, httpVersionMinor: minor ?? 0, rawHeaders };
}

/** All the values of a field. */
function valuesOf({ rawHeaders }: HandshakeRequest, name: string): string[] {
  return rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === name);
}

const SINGLE = ['host', 'origin', 'upgrade', 'sec-websocket-key', 'sec-websocket-version'];

function isDecodable(target: string): boolean {
  try {
    decodeURIComponent(target.split('?')[0] ?? '');
    return true;
  } catch {
    return false;
  }
}

/** Every condition of RFC 6455 §4.2.1 and RFC 9112 §3.2.1, §6, one a line, in no order. */
function mayBeAccepted(request: HandshakeRequest): boolean {
  const one = (name: string): string => valuesOf(request, name).join();
  const list = (name: string): string[] => tokensOf(one(name)) ?? [];
  const { method, url = '', httpVersionMajor, httpVersionMinor, rawHeaders } = request;
  const protocols = tokensOf(one('sec-websocket-protocol'));
  return [
    method === 'GET',
    httpVersionMajor === 1 && httpVersionMinor >= 1,
    /^\/(?!\/)[^#]*$/s.test(url) && isDecodable(url),
    rawHeaders.length <= 256,
    SINGLE.every((name) => valuesOf(request, name).length <= 1),
    one('host') !== '',
    ['', '0'].includes(one('content-length')),
    valuesOf(request, 'content-length').length <= 1,
    valuesOf(request, 'transfer-encoding').length === 0,
    list('upgrade').some((token) => token.toLowerCase() === 'websocket'),
    list('connection').some((token) => token.toLowerCase() === 'upgrade'),
    /^[A-Za-z0-9+/]{21}[AQgw]==$/.test(one('sec-websocket-key')),
    one('sec-websocket-version') === '13',
    protocols !== undefined && new Set(protocols).size === protocols.length,
  ].every(Boolean);
}

/** The conditions leave the grammar of extensions out; the header target is about that. */
function hasPlainExtensions(request: HandshakeRequest): boolean {
  return tokensOf(valuesOf(request, 'sec-websocket-extensions').join()) !== undefined;
}

function run(input: Buffer): void {
  const request = requestOf(input);
  const answer = readHandshake(request);
  const isRight = mayBeAccepted(request);
  if ('accept' in answer) {
    law(isRight, 'what is accepted keeps every rule');
    const key = valuesOf(request, 'sec-websocket-key').join();
    const digest = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
    law(answer.accept === digest.digest('base64'), 'the answer proves that the key was read');
    return;
  }
  law(!isRight || !hasPlainExtensions(request), 'what keeps every rule is accepted');
  const { status, headers, body } = answer;
  law([400, 405, 426, 431].includes(status), 'a refusal has one of four codes');
  law(status !== 405 || headers['Allow'] === 'GET', '405 says what is allowed');
  law(status !== 426 || headers['Sec-WebSocket-Version'] === '13', '426 says the version');
  law(body.length < 100 && !body.includes('\n'), 'a refusal is one short line');
}

export const handshake: Target = {
  name: 'handshake',
  shape: 'text',
  seeds: HANDSHAKE_SEEDS,
  settings: 0,
  operations: (length) => 2000 + 60 * length,
  run,
};
