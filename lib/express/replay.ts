import { Buffer } from 'node:buffer';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';

/** Fields that concern an upgrade only (RFC 9110 §7.8, RFC 7540 §3.2.1). */
const UPGRADE_FIELDS = new Set(['upgrade', 'http2-settings']);

/** The first Node that parses the body of an upgrade (nodejs/node#60016). */
const PARSES_BODIES = 26;

/** What Node asks about every upgrade (Node 22.21 and 24.9 on); documented as an option of the server. */
interface Asking {
  shouldUpgradeCallback?: (request: IncomingMessage) => boolean;
}

/**
 * Has the server itself serve upgrades as plain requests, where they have a body that Node parses:
 * what is parsed cannot be replayed. Of those without a body Node would lose what is pipelined behind
 * them (seen on Node 20 to 26), so these are not left to it.
 */
export function servePlain(
  server: Server & Asking,
  isPlain: (request: IncomingMessage) => boolean,
  node: string = process.versions.node,
): void {
  const decide = server.shouldUpgradeCallback;
  if (decide === undefined || Number.parseInt(node, 10) < PARSES_BODIES) return;
  server.shouldUpgradeCallback = (request) =>
    !(hasBody(request) && isPlain(request)) && decide.call(server, request);
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}

/**
 * Has the server serve an upgrade request as the plain request it also is (RFC 9110 §7.8: a server
 * may ignore Upgrade). Node hands over every upgrade once somebody listens for them; here the
 * request goes back in front of the connection, and the connection to the server.
 */
export function replay(
  server: Server,
  request: IncomingMessage,
  transport: Duplex,
  head: Buffer,
): void {
  if (head.length > 0) transport.unshift(head);
  transport.unshift(plainHead(request));
  server.emit('encrypted' in transport ? 'secureConnection' : 'connection', transport);
}

function plainHead(request: IncomingMessage): Buffer {
  const { method = 'GET', url = '/', httpVersion, rawHeaders } = request;
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    const value = rawHeaders[at + 1] ?? '';
    if (UPGRADE_FIELDS.has(name.toLowerCase())) continue;
    lines.push(`${name}: ${name.toLowerCase() === 'connection' ? withoutUpgrade(value) : value}`);
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

function withoutUpgrade(connection: string): string {
  const options = connection.split(',').map((option) => option.trim());
  return options.filter((option) => !UPGRADE_FIELDS.has(option.toLowerCase())).join(', ');
}
