import type { Socket } from './socket';

/** Where a broadcast goes; declared here, built by the floor above. */
export interface Audience<Out = unknown> {
  /** Leaves these sockets out. */
  except(...sockets: readonly Socket[]): Audience<Out>;
  /**
   * Encodes the message once and sends it to every member; returns how many took it. Members that
   * are closing do not count.
   *
   * @throws TypeError `ERR_WS_INVALID_DATA` for a type that cannot be sent, `ERR_WS_INVALID_MESSAGE`
   *   when it does not fit the route's `send` schema
   */
  send(data: Out): number;
}

/** Who is in which room; declared here, built by the floor above. */
export interface RoomDirectory {
  join(socket: Socket, room: string): void;
  leave(socket: Socket, room: string): void;
  roomsOf(socket: Socket): ReadonlySet<string>;
  to(room: string): Audience;
}
