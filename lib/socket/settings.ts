import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { DecoderLimits } from '../protocol/decoder';
import type { DeflateOptions } from '../protocol/deflate';
import type { HeartbeatTimes } from './heartbeat';
import type { Observer } from './observer';
import type { RoomDirectory } from './room-directory';
import type { Socket } from './socket';
import type { RateLimit } from './token-bucket';

/** What is wrong with a message, as a Standard Schema says it. */
export type Issue = StandardSchemaV1.Issue;

/** A message that went through a schema. */
export type Decoded =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'invalid'; readonly issues: readonly Issue[] }
  | { readonly kind: 'not json' };

/** What schemas make of messages; the socket does not know schemas. */
export interface MessageCodec {
  /** From the text on the wire to what `message` gets; `undefined` when everything is passed on. */
  readonly decode: ((text: string) => Decoded | Promise<Decoded>) | undefined;
  /** From what `send` got to the text on the wire; throws a `TypeError` when it is not valid. */
  readonly encode: ((value: unknown) => string) | undefined;
}

/** The hooks of a route, shared by all of its sockets: no closure and no listener a socket. */
export interface SocketHooks {
  message?(socket: Socket, data: unknown): unknown;
  close?(socket: Socket, code: number, reason: string): unknown;
  drain?(socket: Socket): unknown;
  invalid?(socket: Socket, issues: readonly Issue[]): unknown;
}

/** Everything that the sockets of one route share. */
export interface SocketSettings extends DecoderLimits, HeartbeatTimes {
  readonly highWaterMark: number;
  readonly maxBackpressure: number;
  readonly onBackpressure: 'close' | 'drop';
  readonly closeTimeout: number;
  readonly idleTimeout: number;
  readonly messageRate: RateLimit | undefined;
  /** `undefined` where compression is off. */
  readonly perMessageDeflate: DeflateOptions | undefined;
  readonly hooks: SocketHooks;
  readonly codec: MessageCodec;
  readonly rooms: RoomDirectory;
  readonly observer: Observer;
  /** Tells of an error of user code. Must not throw. */
  report(error: unknown, socket: Socket): void;
  /** The transport is gone: nothing may hold the socket any longer. */
  release(socket: Socket): void;
}
