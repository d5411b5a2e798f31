import express, { type Express } from 'express';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { AttachOptions, Attachment, Route } from '../../../lib';
import { hex } from '../../support/bytes';
import { handshake, Peer } from '../../scenarios/support/peer';
import { afterTest, listen, pause, turns } from '../../scenarios/support/server';
import { weakened, weakenedDirectory, type Lib, type Weakening } from '../weakened';

export type { Lib };

/** The package as it is. */
export const whole: Lib = jest.requireActual<Lib>('../../../lib');

/** A defence taken out: this piece of this file of `lib/` becomes that. */
export type Cut = readonly [file: string, from: string, to: string];

/** The package without a defence. */
export function without(...cuts: readonly Cut[]): () => Lib {
  return () => weakened(...cuts.map(toWeakening));
}

/** As {@link without}, for a process of its own: the path of the build. */
export function buildWithout(...cuts: readonly Cut[]): string {
  return join(weakenedDirectory(...cuts.map(toWeakening)), 'index.js');
}

function toWeakening([file, replace, by]: Cut): Weakening {
  return { file, replace, by };
}

/** Whether figures are wanted at their full size, whatever time that takes. */
export const isFull: boolean = process.env['TEST_FULL'] === '1';

/** A listening server with the sockets of one of the builds. */
export interface Served {
  readonly app: Express;
  readonly server: Server;
  readonly sockets: Attachment;
  readonly port: number;
  /** What the server's listeners threw: in a process of its own, that would have ended it. */
  readonly crashes: unknown[];
}

export interface ServeOptions extends AttachOptions {
  /** Prepares app and server before the sockets are attached. */
  readonly prepare?: (app: Express, server: Server) => void;
}

/** A server of this build, on a free port, closed after the test. */
export async function serveOn(
  lib: Lib,
  routes: readonly Route[],
  { prepare, ...options }: ServeOptions = {},
): Promise<Served> {
  const app = express();
  const server = createServer(app);
  prepare?.(app, server);
  const sockets = lib.attachWebSocket(app, server, routes, options);
  const crashes = catchCrashes(server);
  const port = await listen(server);
  // What a weakened build forgets is ended here.
  afterTest(() => Promise.race([sockets.close({ timeout: 100 }), endAll(server, sockets)]));
  return { app, server, sockets, port, crashes };
}

/** How many connections the server has, whatever has become of them. */
export function connectionsOf({ server }: { readonly server: Server }): Promise<number> {
  return promisify(server.getConnections.bind(server))();
}

function catchCrashes(server: Server): unknown[] {
  const crashes: unknown[] = [];
  const emit = server.emit.bind(server);
  server.emit = (event: string | symbol, ...args: unknown[]): boolean => {
    try {
      return emit(event as string, ...args);
    } catch (error) {
      crashes.push(error);
      return true;
    }
  };
  const transports = new Set<{ destroy: () => unknown }>();
  server.on('connection', (transport) => {
    transports.add(transport);
    transport.on('close', () => transports.delete(transport));
  });
  transportsOf.set(server, transports);
  return crashes;
}

const transportsOf = new WeakMap<Server, ReadonlySet<{ destroy: () => unknown }>>();

async function endAll(server: Server, sockets: Attachment): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 150));
  for (const socket of sockets.clients) socket.terminate();
  for (const transport of transportsOf.get(server) ?? []) transport.destroy();
}

/** Opens a socket, hands over its bytes, and resolves when the server has closed the connection. */
export async function untilEnd(port: number, path: string, bytes: Buffer): Promise<Buffer> {
  const peer = await Peer.open(port, path, bytes);
  return peer.readToEnd();
}

/** Whether the server still opens sockets and echoes, at this path. */
export async function isEchoing(port: number, path = '/echo'): Promise<boolean> {
  const peer = await Peer.connect(port);
  peer.write(handshake(path), hex('81 85 37fa213d 7f9f4d5158'));
  const head = await peer.readHead();
  const { payload } = await peer.readFrame();
  return head.startsWith('HTTP/1.1 101 ') && payload.toString() === 'Hello';
}

/** Lets the server go on with what it may have to do: many turns, and many round trips. */
export async function settle(port: number): Promise<void> {
  for (let round = 0; round < 10; round++) {
    await isEchoing(port);
    await turns(10);
  }
}

/**
 * How long to wait for what the defence brings about: for ever with it, and not very long without.
 * So nothing depends on how fast the machine is.
 */
export type Patience = () => Promise<void>;

const forEver: Patience = () => new Promise(() => undefined);
const notLong: Patience = () => pause(300);

/** One attack: what comes of it where the defence is there, and what where it is not. */
export interface Defence<T> {
  readonly attack: (lib: Lib, patience: Patience) => Promise<T>;
  readonly holds: T;
  /** The build without the defence. */
  readonly without: () => Lib;
  readonly breaks: T;
}

/** Shows that the attack fails, and that it is this defence which makes it fail. */
export function itDefends<T>(name: string, defence: Defence<T>): void {
  globalThis.it(
    name,
    async () => {
      expect(await defence.attack(whole, forEver)).toEqual(defence.holds);
    },
    30_000,
  );

  globalThis.it(
    `${name}: not without the defence`,
    async () => {
      expect(defence.breaks).not.toEqual(defence.holds);
      expect(await defence.attack(defence.without(), notLong)).toEqual(defence.breaks);
    },
    30_000,
  );
}
