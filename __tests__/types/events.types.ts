import { z } from 'zod';
import { CloseCode, route } from '../../lib';
import { exactly } from './exactly';

/*
 * The payloads of Node's events and of the WHATWG ones, and what the socket itself shows.
 */

route('/node', (socket) => {
  socket.on('message', (data, isBinary) => {
    exactly<string | Buffer>()(data);
    exactly<boolean>()(isBinary);
  });
  socket.once('close', (code, reason) => {
    exactly<number>()(code);
    exactly<string>()(reason);
  });
  socket.on('error', (error) => exactly<Error>()(error));
  socket.on('ping', (payload) => exactly<Buffer>()(payload));
  socket.on('pong', (payload) => exactly<Buffer>()(payload));
  socket.on('drain', () => undefined);
  // @ts-expect-error -- no reason is a number
  socket.on('close', (_code: number, reason: number) => reason);
  // @ts-expect-error -- a drain brings nothing
  socket.on('drain', (bytes: number) => bytes);
});

route('/whatwg', { receive: z.object({ text: z.string() }) }, (socket) => {
  socket.addEventListener('message', ({ data }) => exactly<{ text: string }>()(data));
  socket.addEventListener('close', ({ code, reason, wasClean }) => {
    exactly<number>()(code);
    exactly<string>()(reason);
    exactly<boolean>()(wasClean);
  });
  socket.addEventListener('error', { handleEvent: ({ error }) => exactly<Error>()(error) });
  socket.addEventListener('open', ({ type }) => exactly<string>()(type), { once: true });
  socket.onmessage = ({ data }) => exactly<string>()(data.text);
  socket.onclose = ({ code }) => exactly<number>()(code);
  socket.onerror = null;
  // @ts-expect-error -- no such event
  socket.addEventListener('mesage', () => undefined);
  // @ts-expect-error -- no such option
  socket.addEventListener('message', () => undefined, { often: true });
});

route('/members', (socket) => {
  exactly<string>()(socket.url);
  exactly<string>()(socket.extensions);
  exactly<number>()(socket.bufferedAmount);
  exactly<0 | 1 | 2 | 3>()(socket.readyState);
  exactly<boolean>()(socket.isPaused);
  exactly<boolean>()(socket.wasClean);
  exactly<ReadonlySet<string>>()(socket.rooms);
  socket.binaryType = 'arraybuffer';
  socket.ping('text');
  socket.pong(Buffer.alloc(1));
  socket.close(CloseCode.PolicyViolation, 'enough');
  exactly<Promise<void>>()(socket[Symbol.asyncDispose]());
  // @ts-expect-error -- no such type of binary
  socket.binaryType = 'fragments';
  // @ts-expect-error -- a code is a number
  socket.close('1000');
  // @ts-expect-error -- params are not to be changed
  socket.params = {};
  // @ts-expect-error -- a room has a name
  socket.join(1);
});
