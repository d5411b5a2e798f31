import { Buffer } from 'node:buffer';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';

/** Fields that concern an upgrade only (RFC 9110 §7.8, RFC 7540 §3.2.1). */
const UPGRADE_FIELDS = new Set(['upgrade', 'http2-settings']);

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
