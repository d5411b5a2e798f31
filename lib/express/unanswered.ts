import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/**
 * The responses of a server that are still under way, the last of each connection.
 *
 * A client may send an upgrade behind requests that were not answered yet (RFC 9112 §9.3.2), or
 * before our end has noticed that an answer is out. Node hands the connection over all the same,
 * and writes the answers to it when they come: into the frames, if nobody waits.
 */
export class Unanswered {
  readonly #last = new WeakMap<Duplex, ServerResponse>();

  constructor(server: Server) {
    server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
      const { socket } = request;
      this.#last.set(socket, response);
      response.once('close', () => {
        if (this.#last.get(socket) === response) this.#last.delete(socket);
      });
    });
  }

  /** The response that must be over before anything else may be written to this connection. */
  of(transport: Duplex): ServerResponse | undefined {
    return this.#last.get(transport);
  }
}
