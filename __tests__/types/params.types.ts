import { route } from '../../lib';
import { exactly } from './exactly';

declare function keyOf<T>(value: T): keyof T;

/*
 * `socket.params` and `req.params` come from the path, as the types of Express read it.
 */

route('/chat/:room', (socket, req) => {
  exactly<{ room: string }>()(socket.params);
  exactly<string>()(req.params.room);
  // @ts-expect-error -- the path has no such parameter
  String(socket.params.rom);
});

route('/teams/:team/rooms/:room', (socket) => {
  exactly<{ team: string; room: string }>()(socket.params);
});

route('/flights/:from-:to', (socket) => {
  exactly<{ from: string; to: string }>()(socket.params);
});

route('/echo', (socket) => {
  exactly<never>()(keyOf(socket.params));
  // @ts-expect-error -- the path has no parameters
  String(socket.params.room);
});

route('/logs{/:level}', (socket) => {
  exactly<string | undefined>()(socket.params.level);
});

route('/teams/:team{/:room}', (socket) => {
  exactly<string>()(socket.params.team);
  exactly<string | undefined>()(socket.params.room);
});

route('/files/*path', (socket) => {
  exactly<{ path: string[] }>()(socket.params);
});

route(/^\/v(\d+)$/, (socket) => {
  exactly<string | undefined>()(socket.params['0']);
});

route(['/a/:id', '/b/:name'], (socket) => {
  exactly<string | string[] | undefined>()(socket.params['id']);
});

declare const path: string;

route(path, (socket) => {
  exactly<string | string[] | undefined>()(socket.params['anything']);
});

route(
  '/chat/:room',
  {
    auth(req) {
      exactly<string>()(req.params.room);
      // @ts-expect-error -- the path has no such parameter
      String(req.params.rom);
      return { id: 1 };
    },
  },
  {
    open(socket, req) {
      exactly<{ room: string }>()(socket.params);
      exactly<string>()(req.params.room);
    },
    message(socket) {
      exactly<{ room: string }>()(socket.params);
    },
  },
);

// @ts-expect-error -- a path is no number
route(1, () => undefined);
