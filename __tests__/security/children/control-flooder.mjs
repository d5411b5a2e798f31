// Floods `/flood` of a server with these frames, in hex, as fast as it takes them, until killed.
import { connect } from 'node:net';

const [port, opening, frames] = process.argv.slice(2);
const batch = Buffer.from(frames.repeat(Math.ceil(131_072 / frames.length)), 'hex');
const socket = connect(Number(port), '127.0.0.1');
socket.write(
  'GET /flood HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n' +
    'Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n',
);
socket.once('data', () => {
  console.log('flooding true');
  socket.write(Buffer.from(opening, 'hex'));
  const write = () => {
    while (socket.write(batch));
  };
  socket.on('drain', write).resume();
  write();
});
