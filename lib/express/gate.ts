import type { Buffer } from 'node:buffer';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket as NetSocket } from 'node:net';
import type { Duplex } from 'node:stream';
import { stateError } from '../protocol/errors';
import { asksForWebSocket, isOriginForm, refusal } from '../protocol/handshake';
import { Alarm, clock } from '../socket/clock';
import type { LiveAttachment } from './attachment';
import { Exchange, ignoreError } from './exchange';
import { findInApp, type Owned } from './find-in-app';
import { describePath, type Match } from './matcher';
import type { Mount } from './mount';
import type { Exit } from './passage';
import { replay, servePlain } from './replay';
import type { AnyRoute } from './route';
import { Unanswered } from './unanswered';
import { Upgrade } from './upgrade';

/** What to do with a WebSocket upgrade that no route matches. */
export type Unmatched = 'auto' | 'app' | 'ignore';

/** An attachment, and how it gets on with its neighbours. */
export interface Entry {
  readonly attachment: LiveAttachment;
  readonly unmatched: Unmatched;
  readonly exclusive: boolean;
  /** How long an upgrade that nobody takes may stay. */
  readonly reapAfter: number;
}

/** Somebody's upgrade request. */
interface Arrival {
  readonly request: IncomingMessage;
  /** `request.socket`, or a stream in front of it until the request's body is in (seen on Node 26). */
  readonly transport: Duplex;
  readonly head: Buffer;
}

interface Found {
  readonly entry: Entry;
  readonly mount: Mount;
  readonly match: Exclude<Match, { kind: 'miss' }>;
}

const gates = new WeakMap<Server, Gate>();

/** The gate of this server; a server has one, however many attaches there are. */
export function gateOf(server: Server): Gate {
  const gate = gates.get(server) ?? new Gate(server);
  gates.set(server, gate);
  return gate;
}

/** Whether this request asks for a WebSocket, by its `Upgrade` header (RFC 6455 §4.2.1). */
export function isWebSocketUpgrade(request: IncomingMessage): boolean {
  return asksForWebSocket(request.headers.upgrade);
}

/**
 * The one `upgrade` listener of a server: finds the route, and otherwise stays out of the way.
 *
 * Invariant: every connection that Node hands over has an `error` listener from the first line on,
 * and an end: it becomes a socket, is answered, is somebody else's, or is reaped.
 */
class Gate {
  readonly #server: Server;
  #unanswered: Unanswered | undefined = undefined;
  #entries: readonly Entry[] = [];
  #isExclusive = false;

  constructor(server: Server) {
    this.#server = server;
  }

  /**
   * Lets an attachment take part.
   *
   * @throws Error `ERR_WS_PATH_TAKEN` when one of its paths is on this server already
   */
  add(entry: Entry): void {
    // What was closed has made room.
    const live = this.#entries.filter(({ attachment }) => !attachment.isClosing);
    checkFree([...live, entry].map(({ attachment }) => attachment));
    if (this.#entries.length === 0) this.#listen();
    if (entry.exclusive) this.#keepToOurselves();
    this.#entries = [...live, entry];
  }

  #listen(): void {
    this.#unanswered = new Unanswered(this.#server);
    this.#server.on('upgrade', (request: IncomingMessage, transport: Duplex, head: Buffer) => {
      this.#onUpgrade({ request, transport, head });
    });
    servePlain(this.#server, (request) => !isWebSocketUpgrade(request) && !this.#hasNeighbours());
  }

  #onUpgrade(arrival: Arrival): void {
    arrival.transport.on('error', ignoreError);
    const { socket } = arrival.request;
    const earlier = this.#unanswered?.of(socket);
    if (earlier === undefined) this.#take(arrival);
    else new Queued(socket, earlier, this.#reapAfter(), () => this.#take(arrival));
  }

  #take(arrival: Arrival): void {
    const { request } = arrival;
    if (!isWebSocketUpgrade(request)) {
      this.#onOther(arrival);
      return;
    }
    const found = this.#find(request);
    if (found === undefined) {
      this.#onUnmatched(arrival);
      return;
    }
    const { attachment } = found.entry;
    const exchange = this.#exchange(found.entry, arrival);
    const upgrade = new Upgrade(attachment, found.mount, exchange);
    if (found.match.kind === 'error') exchange.refuse(refusal(400, 'malformed path'));
    else upgrade.run();
  }

  #find(request: IncomingMessage): Found | undefined {
    for (const entry of this.#entries) {
      for (const mount of entry.attachment.mounts) {
        const match = mount.matcher?.match(request);
        if (match !== undefined && match.kind !== 'miss') return { entry, mount, match };
      }
    }
    return undefined;
  }

  /** Another protocol, such as h2c: as if we were not there. */
  #onOther(arrival: Arrival): void {
    const [first] = this.#entries;
    if (this.#hasNeighbours() || first === undefined) {
      this.#leave(arrival);
    } else if (arrival.request.headers.upgrade === undefined) {
      // Node drops header fields above `server.maxHeadersCount`, this one among them.
      this.#exchange(first, arrival).refuse(refusal(400, 'too many header fields'));
    } else {
      arrival.transport.off('error', ignoreError);
      replay(this.#server, arrival.request, arrival.transport, arrival.head);
    }
  }

  #onUnmatched(arrival: Arrival): void {
    const entry = this.#claimant(arrival.request) ?? this.#whoAnswers();
    if (entry === undefined) {
      this.#leave(arrival);
      return;
    }
    const { attachment, reapAfter } = entry;
    const exchange = this.#exchange(entry, arrival);
    if (!isOriginForm(arrival.request.url)) {
      exchange.refuse(refusal(400, 'malformed request target'));
    } else if (attachment.routers.length === 0) {
      exchange.answerByApp();
    } else {
      const find = (exit: Exit): Owned | undefined => this.#ownerOf(exit);
      findInApp(exchange, { keeper: attachment, timeout: reapAfter, find });
    }
  }

  /** Whose router has said that the path is its own. */
  #claimant(request: IncomingMessage): Entry | undefined {
    return this.#byLife().find(({ attachment }) => attachment.claims(request));
  }

  /**
   * Whose app answers what no route matches, one with routers before others; nobody's when a
   * neighbour may want it.
   */
  #whoAnswers(): Entry | undefined {
    const isAuto = !this.#hasNeighbours();
    const answering = this.#byLife().filter(
      ({ unmatched }) => unmatched === 'app' || (unmatched === 'auto' && isAuto),
    );
    return answering.find(({ attachment }) => attachment.routers.length > 0) ?? answering[0];
  }

  /** Those that are open before those that refuse. */
  #byLife(): Entry[] {
    const isClosing = ({ attachment }: Entry): number => Number(attachment.isClosing);
    return [...this.#entries].sort((one, other) => isClosing(one) - isClosing(other));
  }

  /** A route that was reached in the app, on whichever attachment of this server it is. */
  #ownerOf(exit: Exit): Owned | undefined {
    const owned = this.#entries.map(({ attachment }) => ({
      keeper: attachment,
      mount: attachment.mountOf(exit),
    }));
    return owned.find((each): each is typeof each & Owned => each.mount !== undefined);
  }

  #hasNeighbours(): boolean {
    return this.#server.listenerCount('upgrade') > 1;
  }

  #exchange({ attachment }: Entry, { request, transport, head }: Arrival): Exchange {
    return new Exchange(attachment.app, request, transport, head);
  }

  /** Left to others; if none of them wants it, nobody but us would ever end it. */
  #leave({ request, transport }: Arrival): void {
    if (this.#entries.every(({ unmatched }) => unmatched === 'ignore')) return;
    new Reaper(transport, request.socket, this.#reapAfter());
  }

  #reapAfter(): number {
    return Math.min(...this.#entries.map(({ reapAfter }) => reapAfter));
  }

  /** Node has no way to stop an event half way, so ours are taken out before it is emitted. */
  #keepToOurselves(): void {
    if (this.#isExclusive) return;
    this.#isExclusive = true;
    const server = this.#server;
    const emit = server.emit.bind(server);
    server.emit = (event: string | symbol, ...args: unknown[]): boolean => {
      const [request, transport, head] = args as [IncomingMessage, Duplex, Buffer];
      if (event !== 'upgrade' || !this.#claims(request)) return emit(event as string, ...args);
      this.#onUpgrade({ request, transport, head });
      return true;
    };
  }

  #claims(request: IncomingMessage): boolean {
    if (!isWebSocketUpgrade(request)) return false;
    const entry = this.#find(request)?.entry ?? this.#claimant(request);
    return entry?.exclusive === true;
  }
}

/** An upgrade whose turn comes when the requests before it on the connection have been answered. */
class Queued extends Alarm {
  readonly #transport: Duplex;

  constructor(transport: Duplex, earlier: ServerResponse, ms: number, take: () => void) {
    super();
    this.#transport = transport;
    // Node has taken its own listener for this off the connection.
    const onDrain = (): boolean => earlier.emit('drain');
    transport.on('drain', onDrain).once('close', () => clock.clear(this));
    earlier.once('close', () => {
      transport.off('drain', onDrain);
      clock.clear(this);
      if (!transport.writable) return;
      // Node may have stopped the reads below the stream, for all the answers that were waiting; an
      // empty push ends the read that the stream believes to be under way (documented at push).
      transport.push('');
      take();
    });
    clock.set(this, ms);
  }

  override ring(): void {
    this.#transport.destroy();
  }
}

/** Ends a connection that was left to others, when none of them has touched it. */
class Reaper extends Alarm {
  readonly #transport: Duplex;
  /** The connection itself, which counts what is written. */
  readonly #socket: NetSocket;
  readonly #written: number;

  constructor(transport: Duplex, socket: NetSocket, ms: number) {
    super();
    this.#transport = transport;
    this.#socket = socket;
    this.#written = socket.bytesWritten;
    transport.once('close', () => clock.clear(this));
    clock.set(this, ms);
  }

  override ring(): void {
    const transport = this.#transport;
    const isRead = transport.listenerCount('data') + transport.listenerCount('readable') > 0;
    if (!isRead && this.#socket.bytesWritten === this.#written) transport.destroy();
  }
}

/** A path and a router may be on a server once; where a router is mounted is up to the app. */
function checkFree(attachments: readonly LiveAttachment[]): void {
  const taken = new Set<unknown>();
  const take = (place: unknown, makeError: () => Error): void => {
    if (taken.has(place)) throw makeError();
    taken.add(place);
  };
  for (const { mounts, routers } of attachments) {
    for (const { route, matcher } of mounts) {
      if (matcher === undefined) continue;
      for (const path of pathsOf(route)) take(path, () => pathTaken(path));
    }
    for (const router of routers) take(router, routerTaken);
  }
}

function pathsOf({ path }: AnyRoute): string[] {
  return Array.isArray(path) ? path.map(describePath) : [describePath(path)];
}

function routerTaken(): Error {
  return stateError(
    'this router is on this server already, until the attachment that has it is closed',
    'ERR_WS_PATH_TAKEN',
  );
}

function pathTaken(path: string): Error {
  return stateError(
    `the path ${path} has a route on this server already: a path takes one route until the ` +
      'attachment that has it is closed',
    'ERR_WS_PATH_TAKEN',
  );
}
