import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Diagnostics } from '../../lib';
import { after } from './harness';

type Name = keyof Diagnostics;

/** What was published: the channel, the object, and how that looked then. */
export interface Published {
  readonly name: string;
  readonly message: Record<string, unknown>;
  readonly then: Record<string, unknown>;
}

/** Those of the handshake. */
export const HANDSHAKE = ['handshake:start', 'handshake:end', 'handshake:error'] as const;

/** Notes what is published on these channels until the test is over. */
export function hear(...names: readonly string[]): Published[] {
  const heard: Published[] = [];
  for (const name of names) {
    on(name, (message) => heard.push({ name, message, then: { ...message } }));
  }
  return heard;
}

/** Has this called for everything that is published on a channel, until the test is over. */
export function on(name: string, listener: (message: Record<string, unknown>) => void): void {
  const channel = `attach-websocket:${name}` as Name;
  const listen = (message: unknown): void => listener(message as Record<string, unknown>);
  subscribe(channel, listen);
  after(() => unsubscribe(channel, listen));
}

/** In the order they came in. */
export const namesOf = (heard: readonly Published[]): string[] => heard.map(({ name }) => name);
