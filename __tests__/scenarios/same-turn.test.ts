import { get } from 'node:http';
import { route, type Socket } from '../../lib';
import { nextMessage, openClient } from './support/client';
import { deferred, serve, stopAll, type Running } from './support/server';

/*
 * A message that nobody asked for: sent when a timer runs out, or when an HTTP request comes. It does not
 * wait for a read of its socket, but leaves before the event loop turns.
 */

afterEach(stopAll);

/** How much of what was sent is still here, when it is sent and at the end of that turn. */
interface Left {
  readonly atOnce: number;
  readonly atTheEnd: number;
}

function sendAndLook(socket: Socket): Promise<Left> {
  socket.send('Hello');
  const atOnce = socket.bufferedAmount;
  // Node runs this after the poll phase of the very turn that the send was in.
  return new Promise((resolve) => {
    setImmediate(() => resolve({ atOnce, atTheEnd: socket.bufferedAmount }));
  });
}

const OCCASIONS: [string, (running: Running, send: () => void) => void][] = [
  ['a timer', (_running, send) => setTimeout(send, 5)],
  [
    'an HTTP handler',
    ({ app, port }, send) => {
      app.get('/tell', (_req, res) => {
        send();
        res.end();
      });
      get({ port, path: '/tell', agent: false }).end();
    },
  ],
  ['a promise that settles', (_running, send) => void Promise.resolve().then(send)],
];

it.each(OCCASIONS)('a message sent from %s leaves in that turn', async (_name, on) => {
  const opened = deferred<Socket>();
  const running = await serve([route('/', (socket) => opened.resolve(socket))]);
  const client = await openClient(running.url('/'));
  const socket = await opened.promise;
  const heard = nextMessage(client);
  const left = await new Promise<Left>((resolve) => {
    on(running, () => void sendAndLook(socket).then(resolve));
  });
  expect(left).toEqual({ atOnce: 7, atTheEnd: 0 });
  expect(await heard).toBe('Hello');
});
