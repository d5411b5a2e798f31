declare module 'y-websocket/bin/utils' {
  import type { IncomingMessage } from 'node:http';
  import type { Doc } from 'yjs';

  /** Documents that are being edited, by name. */
  export const docs: Map<string, Doc>;

  /** Takes a socket of `ws`, and synchronises the document of the request's path over it. */
  export function setupWSConnection(
    socket: object,
    request: IncomingMessage,
    options?: { docName?: string; gc?: boolean },
  ): void;
}

declare module '@teamwork/websocket-json-stream' {
  import type { Duplex } from 'node:stream';

  const WebSocketJSONStream: new (socket: object) => Duplex;
  export = WebSocketJSONStream;
}
