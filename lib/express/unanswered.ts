import { subscribe } from 'node:diagnostics_channel';
import type { Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/** What Node publishes when a server begins to answer a request (documented, Node 18 on). */
interface RequestStart {
  readonly response: ServerResponse;
  readonly socket: Duplex;
  readonly server: Server;
}

/**
 * The responses of a server that are still under way, the last of each connection.
 *
 * A client may send an upgrade behind requests that were not answered yet (RFC 9112 §9.3.2), or
 * before our end has noticed that an answer is out. Node hands the connection over all the same,
 * and writes the answers to it when they come: into the frames, if nobody waits.
 *
 * Told by Node's diagnostics channel: a neighbour may take listeners off the `request` event, or the
 * app may answer `checkContinue`.
 */
export class Unanswered {
  readonly #last = new WeakMap<Duplex, ServerResponse>();

  constructor(server: Server) {
    watched.set(server, this);
    subscribeOnce();
  }

  /** The response that must be over before anything else may be written to this connection. */
  of(transport: Duplex): ServerResponse | undefined {
    return this.#last.get(transport);
  }

  /** Node begins to answer a request. */
  onRequest(socket: Duplex, response: ServerResponse): void {
    this.#last.set(socket, response);
    response.once('close', () => {
      if (this.#last.get(socket) === response) this.#last.delete(socket);
    });
  }
}

const watched = new WeakMap<Server, Unanswered>();
let isSubscribed = false;

/** One subscriber for all servers. */
function subscribeOnce(): void {
  if (isSubscribed) return;
  isSubscribed = true;
  subscribe('http.server.request.start', (message) => {
    // What Node publishes on this channel has this shape.
    const { response, socket, server } = message as RequestStart;
    watched.get(server)?.onRequest(socket, response);
  });
}
