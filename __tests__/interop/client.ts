import type { Running } from '../scenarios/support/server';

export type Message = string | Buffer;

export type Closed = readonly [code: number, reason: string];

/** What not every client lets its user do. */
export type Ability = 'send fragments' | 'send pings' | 'see pings';

/** One open connection of a client. */
export interface Client {
  /** What was agreed on, `''` when nothing was. */
  readonly protocol: string;
  send(message: Message): unknown;
  /** The next message that comes. */
  receive(): Promise<Message>;
  /** Starts the closing handshake. */
  close(code: number, reason: string): unknown;
  /** How the connection ended. */
  closed(): Promise<Closed>;
  /** Sends one message in a frame for each part. */
  sendFragments?(parts: readonly Message[]): unknown;
  /** Sends a ping, and waits for its pong. */
  ping?(payload: Buffer): Promise<unknown>;
  /** The payload of the next ping that comes. */
  pinged?(): Promise<Buffer>;
}

/** A client library. */
export interface ClientLibrary {
  readonly can: readonly Ability[];
  /** Opens a connection; rejects when the server refuses. */
  connect(running: Running, path: string, protocols: string[]): Promise<Client>;
}
