import { typeError } from '../protocol/errors';
import { whileShared } from '../socket/outbox';
import { isBlob, toOutgoing } from '../socket/outgoing';
import type { MessageCodec } from '../socket/settings';
import { SharedMessage } from '../socket/shared-message';
import { sendShared, type Socket } from '../socket/socket';

/**
 * Encodes a message once and sends it to all of these sockets; returns how many took it.
 *
 * @throws TypeError as `Audience.send`
 */
export function broadcast(sockets: Iterable<Socket>, codec: MessageCodec, data: unknown): number {
  if (isBlob(data)) {
    throw typeError(
      'a Blob cannot be sent to a room: read it with arrayBuffer() first',
      'ERR_WS_INVALID_DATA',
    );
  }
  const message = codec.encode === undefined ? data : codec.encode(data);
  const shared = new SharedMessage(toOutgoing(message, undefined));
  return whileShared(() => {
    let taken = 0;
    for (const socket of sockets) if (sendShared(socket, shared)) taken++;
    return taken;
  });
}
