// Not a WebSocket server: answers the handshake, then a socket's bytes come back unmasked by nobody.
// What one read and one write cost on Node, and so the floor for one outstanding echo.
import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import { serve } from '../serve.mjs';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

serve(
  createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', (head) => {
      const [, key] = /sec-websocket-key: (\S+)/i.exec(head.toString('latin1'));
      const accept = createHash('sha1')
        .update(key + GUID)
        .digest('base64');
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
          `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
      );
      socket.on('data', (chunk) => socket.write(chunk));
    });
  }),
);
