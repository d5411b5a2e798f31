import { WebSocket } from 'undici';
import { afterTest } from './server';

type EventMap = {
  [K in 'open' | 'message' | 'error' | 'close']: Parameters<NonNullable<WebSocket[`on${K}`]>>[0];
};

/** What a page would note of an event: its type, and where the socket stood then. */
type Noted = readonly [type: keyof EventMap, readyState: number];

/** A WHATWG WebSocket, as a page has it, with its four handlers set. */
export class WhatwgClient {
  readonly socket: WebSocket;
  readonly noted: Noted[] = [];
  readonly #events: { [K in keyof EventMap]: EventMap[K][] } = {
    open: [],
    message: [],
    error: [],
    close: [],
  };
  #waiting: (() => void)[] = [];

  constructor(url: string, protocols: string[] = []) {
    this.socket = new WebSocket(url, protocols);
    this.socket.onopen = (event) => this.#note('open', event);
    this.socket.onmessage = (event) => this.#note('message', event);
    this.socket.onerror = (event) => this.#note('error', event);
    this.socket.onclose = (event) => this.#note('close', event);
    afterTest(() => this.socket.close());
  }

  static async open(url: string, protocols: string[] = []): Promise<WhatwgClient> {
    const client = new WhatwgClient(url, protocols);
    await client.next('open');
    return client;
  }

  /** The types of all events, in order. */
  get types(): string[] {
    return this.noted.map(([type]) => type);
  }

  /** The next event of this type that was not taken yet. */
  async next<K extends keyof EventMap>(type: K): Promise<EventMap[K]> {
    for (;;) {
      const event = this.#events[type].shift();
      if (event !== undefined) return event;
      if (this.types.includes('close')) throw new Error(`closed, and no ${type} event`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** How the connection ended. */
  async ending(): Promise<{ code: number; reason: string; wasClean: boolean }> {
    const { code, reason, wasClean } = await this.next('close');
    return { code, reason, wasClean };
  }

  #note<K extends keyof EventMap>(type: K, event: EventMap[K]): void {
    this.noted.push([type, this.socket.readyState]);
    this.#events[type].push(event);
    for (const resume of this.#waiting.splice(0)) resume();
  }
}
