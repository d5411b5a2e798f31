import type { Buffer } from 'node:buffer';
import type { Writable } from 'node:stream';
import WebSocket from 'ws';
import type { Verdict } from './verdict';

/*
 * The receiver of the `ws` package, which reads the same bytes by other code. Its parts are exported
 * and not typed.
 */

interface Deflate {
  accept(configurations: readonly object[]): object;
  compress(data: Buffer, fin: boolean, done: (error: Error | null, data: Buffer) => void): void;
  cleanup(): void;
}

interface FrameOptions {
  readonly fin: boolean;
  readonly opcode: number;
  readonly mask: boolean;
  readonly readOnly: boolean;
  readonly rsv1: boolean;
  readonly generateMask?: (mask: Buffer) => void;
}

interface WsParts {
  readonly Receiver: new (options: object) => Writable;
  readonly Sender: { frame(data: Buffer, options: FrameOptions): (Buffer | string)[] };
  readonly PerMessageDeflate: new (options: object) => Deflate;
}

/** As exported since ws 8.0. */
export const { Receiver, Sender, PerMessageDeflate } = WebSocket as unknown as WsParts;

/** What both sides have agreed on; `undefined` is no compression. */
export interface Agreed {
  readonly clientTakeover: boolean;
  readonly serverTakeover: boolean;
  readonly clientWindowBits: number;
  readonly serverWindowBits: number;
}

/** The extension as `ws` holds it after such a handshake. */
export function deflateOf(agreed: Agreed, role: 'server' | 'client', maxPayload: number): Deflate {
  const extension = new PerMessageDeflate({
    isServer: role === 'server',
    maxPayload,
    threshold: 0,
    clientMaxWindowBits: agreed.clientWindowBits,
    serverMaxWindowBits: agreed.serverWindowBits,
    clientNoContextTakeover: !agreed.clientTakeover,
    serverNoContextTakeover: !agreed.serverTakeover,
  });
  extension.accept([
    {
      client_max_window_bits: [String(agreed.clientWindowBits)],
      server_max_window_bits: [String(agreed.serverWindowBits)],
      ...(agreed.clientTakeover ? {} : { client_no_context_takeover: [true] }),
      ...(agreed.serverTakeover ? {} : { server_no_context_takeover: [true] }),
    },
  ]);
  return extension;
}

export interface ReceiverOptions {
  /** Whose bytes they are. */
  readonly role: 'server' | 'client';
  readonly maxPayload: number;
  readonly agreed: Agreed | undefined;
}

/** What these bytes mean to it. */
export async function receiveWithWs(
  chunks: Iterable<Buffer>,
  { role, maxPayload, agreed }: ReceiverOptions,
): Promise<Verdict> {
  const heard: string[] = [];
  const deflate = agreed === undefined ? undefined : deflateOf(agreed, role, maxPayload);
  const extensions = deflate === undefined ? {} : { 'permessage-deflate': deflate };
  const receiver = new Receiver({ isServer: role === 'server', maxPayload, extensions });
  listen(receiver, heard);
  let fault: number | undefined;
  receiver.on('error', () => undefined);
  for (const chunk of chunks) {
    if (receiver.writableEnded) break;
    const error = await new Promise<object | undefined | null>((resolve) => {
      receiver.write(chunk, resolve);
    });
    if (error) fault = statusOf(error);
    if (fault !== undefined) break;
  }
  deflate?.cleanup();
  return { heard, fault, why: '' };
}

function listen(receiver: Writable, heard: string[]): void {
  receiver.on('message', (data: Buffer, isBinary: boolean) => {
    heard.push(isBinary ? `binary ${data.toString('hex')}` : `text ${data.toString()}`);
  });
  receiver.on('ping', (data: Buffer) => heard.push(`ping ${data.toString('hex')}`));
  receiver.on('pong', (data: Buffer) => heard.push(`pong ${data.toString('hex')}`));
  receiver.on('conclude', (code: number, reason: Buffer) => {
    heard.push(`close ${code} ${reason.toString()}`);
  });
}

/** Its errors carry the close code under a symbol that it keeps to itself. */
function statusOf(error: object): number {
  const symbol = Object.getOwnPropertySymbols(error).find(
    ({ description }) => description === 'status-code',
  );
  if (symbol === undefined) throw new Error('ws failed without a code', { cause: error });
  return Number((error as Record<symbol, unknown>)[symbol]);
}
