import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { WebSocket as WsClient, type ClientOptions } from 'ws';
import { afterTest } from './server';

/** An open connection of the `ws` client, ended after the test. */
export async function openClient(url: string, options: ClientOptions = {}): Promise<WsClient> {
  const client = new WsClient(url, options);
  await once(client, 'open');
  afterTest(() => client.terminate());
  return client;
}

/** The next message of the `ws` client, text as a string. */
export async function nextMessage(client: WsClient): Promise<string | Buffer> {
  const [data, isBinary] = (await once(client, 'message')) as [Buffer, boolean];
  return isBinary ? data : data.toString();
}

/** The HTTP answer that a `ws` client got instead of a socket. */
export async function refusalOf(client: WsClient): Promise<{ status: number; body: string }> {
  const [, response] = (await once(client, 'unexpected-response')) as [unknown, IncomingMessage];
  let body = '';
  for await (const chunk of response) body += String(chunk);
  // It says that it was given up before it was open.
  client.on('error', () => undefined).terminate();
  return { status: response.statusCode ?? 0, body };
}
