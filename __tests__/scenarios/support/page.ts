import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { runInNewContext } from 'node:vm';
import { WebSocket as WsClient } from 'ws';
import { afterTest } from './server';

/** What a server answers to a plain GET, on a connection of its own. */
export async function load(url: string): Promise<{ status: number; body: string }> {
  const [response] = (await once(get(url, { agent: false }), 'response')) as [IncomingMessage];
  let body = '';
  for await (const chunk of response) body += String(chunk);
  return { status: response.statusCode ?? 0, body };
}

/** A page whose script opens a socket and says hello on it. */
export function pageThatConnects(target: string): string {
  return (
    '<!doctype html><title>Chat</title><script>\n' +
    `const socket = new WebSocket(${target});\n` +
    "socket.addEventListener('open', () => socket.send('hello of ' + location.origin));\n" +
    '</script>'
  );
}

/**
 * Loads a page and runs its script as a browser does: with its own `location`, and with a WebSocket
 * that says where the page is from, whatever the script wants. Hands back the socket it opened.
 */
export async function visit(url: string): Promise<WsClient> {
  const { body } = await load(url);
  const script = /<script>(.*)<\/script>/s.exec(body)?.[1];
  if (script === undefined) throw new Error(`no script in ${url}: ${body}`);
  const location = new URL(url);
  const opened: WsClient[] = [];
  class PageSocket extends WsClient {
    constructor(target: string) {
      super(target, { origin: location.origin });
      opened.push(this);
    }
  }
  runInNewContext(script, { location, WebSocket: PageSocket, URLSearchParams });
  const [socket] = opened;
  if (socket === undefined) throw new Error(`the script of ${url} opened no socket`);
  afterTest(() => socket.terminate());
  return socket;
}
