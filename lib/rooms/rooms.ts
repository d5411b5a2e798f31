import { rangeError, typeError } from '../protocol/errors';
import type { Audience, RoomDirectory } from '../socket/room-directory';
import type { MessageCodec } from '../socket/settings';
import type { Socket } from '../socket/socket';
import { broadcast } from './broadcast';

/** What one socket may join. */
export interface RoomLimits {
  readonly maxRooms: number;
  /** UTF-16 code units. */
  readonly maxRoomNameLength: number;
}

const NONE: ReadonlySet<string> = new Set();
const NOBODY: ReadonlySet<Socket> = new Set();

/**
 * The rooms of one route, in this process: name → members, and back.
 *
 * Invariants: a socket is among the members of a room exactly while the room is among its rooms;
 * neither map holds an empty set, nor a socket whose connection is gone.
 */
export class Rooms implements RoomDirectory {
  readonly #members = new Map<string, Set<Socket>>();
  readonly #rooms = new Map<Socket, Set<string>>();
  readonly #limits: RoomLimits;
  readonly #codec: MessageCodec;

  constructor(limits: RoomLimits, codec: MessageCodec) {
    this.#limits = limits;
    this.#codec = codec;
  }

  /** Rooms with members. */
  get size(): number {
    return this.#members.size;
  }

  join(socket: Socket, room: string): void {
    this.#checkName(room);
    if (socket.readyState === socket.CLOSED) return;
    const rooms = this.#rooms.get(socket) ?? new Set();
    if (rooms.has(room)) return;
    const { maxRooms } = this.#limits;
    if (rooms.size >= maxRooms) throw rangeError(`a socket may be in ${maxRooms} rooms (maxRooms)`);
    const members = this.#members.get(room) ?? new Set();
    this.#rooms.set(socket, rooms.add(room));
    this.#members.set(room, members.add(socket));
  }

  leave(socket: Socket, room: string): void {
    const rooms = this.#rooms.get(socket);
    if (rooms?.delete(room) !== true) return;
    if (rooms.size === 0) this.#rooms.delete(socket);
    this.#removeMember(socket, room);
  }

  /** Takes a socket out of everything; its connection is gone. */
  release(socket: Socket): void {
    for (const room of this.roomsOf(socket)) this.#removeMember(socket, room);
    this.#rooms.delete(socket);
  }

  roomsOf(socket: Socket): ReadonlySet<string> {
    return this.#rooms.get(socket) ?? NONE;
  }

  /** Who is in a room. */
  membersOf(room: string): ReadonlySet<Socket> {
    return this.#members.get(room) ?? NOBODY;
  }

  to(room: string): Audience {
    return new Members(() => this.membersOf(room), this.#codec, NOBODY);
  }

  #removeMember(socket: Socket, room: string): void {
    const members = this.#members.get(room);
    members?.delete(socket);
    if (members?.size === 0) this.#members.delete(room);
  }

  #checkName(room: string): void {
    if (typeof room !== 'string' || room === '') {
      throw typeError('a room name is a string that is not empty', 'ERR_WS_INVALID_ARGUMENT');
    }
    const { maxRoomNameLength } = this.#limits;
    if (room.length > maxRoomNameLength) {
      throw rangeError(
        `a room name has at most ${maxRoomNameLength} characters (maxRoomNameLength), got ${room.length}`,
      );
    }
  }
}

/** Some sockets of one route. */
export class Members implements Audience {
  readonly #sockets: () => Iterable<Socket>;
  readonly #codec: MessageCodec;
  readonly #left: ReadonlySet<Socket>;

  constructor(sockets: () => Iterable<Socket>, codec: MessageCodec, left: ReadonlySet<Socket>) {
    this.#sockets = sockets;
    this.#codec = codec;
    this.#left = left;
  }

  except(...sockets: readonly Socket[]): Audience {
    return new Members(this.#sockets, this.#codec, new Set([...this.#left, ...sockets]));
  }

  send(data: unknown): number {
    const sockets = this.#sockets();
    return broadcast(this.#left.size === 0 ? sockets : this.#others(sockets), this.#codec, data);
  }

  *#others(sockets: Iterable<Socket>): Iterable<Socket> {
    for (const socket of sockets) if (!this.#left.has(socket)) yield socket;
  }
}
