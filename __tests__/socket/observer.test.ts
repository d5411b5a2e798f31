import { Blob, Buffer } from 'node:buffer';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Observer } from '../../lib/socket/observer';
import { makeWire } from './wire';

const CHANNELS = ['open', 'message', 'close', 'limit'] as const;

/** What is published while this runs, as `channel` and message. */
function published(run: () => void): [channel: string, message: unknown][] {
  const seen: [string, unknown][] = [];
  const listeners = CHANNELS.map((name) => {
    const listen = (message: unknown): void => void seen.push([name, message]);
    subscribe(`attach-websocket:${name}`, listen);
    return () => unsubscribe(`attach-websocket:${name}`, listen);
  });
  run();
  for (const stop of listeners) stop();
  return seen;
}

/** Everything that there is to tell, once. */
function tellAll(observer: Observer, socket: ReturnType<typeof makeWire>['socket']): void {
  observer.onOpen(socket);
  observer.onReceived(socket, 'é', false);
  observer.onSent(socket, Buffer.alloc(3), true);
  observer.onSent(socket, new Blob(['four']), true);
  observer.onLimit('maxPayload', socket);
  observer.onLimit('maxConnections', undefined);
  observer.onClosed(socket, { code: 1000, reason: 'done', wasClean: true });
}

describe('what the sockets of a route do', () => {
  it('is published when somebody subscribes', () => {
    const { socket } = makeWire();
    const path = '/chat/:room';
    expect(published(() => tellAll(new Observer(path), socket))).toEqual([
      ['open', { path, socket }],
      ['message', { path, socket, direction: 'received', bytes: 2, isBinary: false }],
      ['message', { path, socket, direction: 'sent', bytes: 3, isBinary: true }],
      ['message', { path, socket, direction: 'sent', bytes: 4, isBinary: true }],
      ['limit', { path, socket, name: 'maxPayload' }],
      ['limit', { path, socket: undefined, name: 'maxConnections' }],
      ['close', { path, socket, code: 1000, reason: 'done', wasClean: true }],
    ]);
  });

  it('is counted, whether somebody subscribes or not', () => {
    const { socket } = makeWire();
    const observer = new Observer('/');
    tellAll(observer, socket);
    published(() => tellAll(observer, socket));
    observer.onClosed(socket, { code: 1006, reason: '', wasClean: false });
    const { opened, messagesReceived, messagesSent, closes } = observer;
    expect([opened, messagesReceived, messagesSent]).toEqual([2, 2, 4]);
    expect([...closes]).toEqual([
      [1000, 2],
      [1006, 1],
    ]);
  });
});
