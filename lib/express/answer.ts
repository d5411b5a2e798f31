import { Buffer } from 'node:buffer';
import { STATUS_CODES } from 'node:http';
import type { Response } from 'express';
import type { Refusal } from '../protocol/handshake';

/** Header fields, in the order they are written in. */
export type Fields = readonly (readonly [name: string, value: string])[];

/** Of what middleware may have set, the headers that do not belong on a 101 (RFC 9110 §8.6, §15.2). */
const NOT_ON_101 = [
  'content-length',
  'content-type',
  'content-encoding',
  'transfer-encoding',
  'etag',
  'trailer',
  'keep-alive',
  'sec-websocket-accept',
  'sec-websocket-protocol',
  'sec-websocket-extensions',
];

/** In place of what throws once the headers are out. */
const LATE = {
  setHeader: ignoreHeader,
  setHeaders: ignoreHeader,
  appendHeader: ignoreHeader,
  removeHeader: ignoreHeader,
  writeHead: ignoreHeader,
};

function ignoreHeader<T>(this: T): T {
  return this;
}

/** What middleware or `reject` may have said of another body, or of the connection: it is ours to say. */
const NOT_ON_REFUSAL = ['content-encoding', 'etag', 'keep-alive', 'trailer', 'transfer-encoding'];

/** Answers 101 on a response, with what middleware has put onto it. */
export function end101(response: Response, fields: Fields): void {
  for (const name of NOT_ON_101) response.removeHeader(name);
  for (const [name, value] of fields) response.setHeader(name, value);
  response.writeHead(101);
  response.end();
}

/** Answers with a refusal, and what middleware has put onto the response. */
export function endWithRefusal(response: Response, { status, headers, body }: Refusal): void {
  const text = body === '' ? (STATUS_CODES[status] ?? '') : body;
  response.statusCode = status;
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.setHeader('X-Content-Type-Options', 'nosniff');
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  for (const name of NOT_ON_REFUSAL) response.removeHeader(name);
  response.setHeader('Connection', 'close');
  response.setHeader('Content-Length', Buffer.byteLength(text));
  response.once('finish', () => ignoreLateHeaders(response));
  response.end(text);
}

/**
 * Middleware that is slow may answer when we have: what it writes then is dropped, but a header would
 * throw, in a callback of its own where nobody catches.
 */
export function ignoreLateHeaders(response: Response): void {
  Object.assign(response, LATE);
}

/** A 101 where no response is needed. */
export function headOf101(fields: Fields): string {
  let head = 'HTTP/1.1 101 Switching Protocols\r\n';
  for (const [name, value] of fields) head += `${name}: ${value}\r\n`;
  return `${head}\r\n`;
}
