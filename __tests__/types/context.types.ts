import { reject, route } from '../../lib';
import { exactly } from './exactly';

/*
 * `socket.context` is what `auth` returned, awaited, without the ways to refuse.
 */

interface User {
  readonly name: string;
}

declare function findUser(token: string): User | undefined;
declare function fetchUser(token: string): Promise<User | undefined>;
declare const isOpen: boolean;

route('/none', (socket) => {
  exactly<undefined>()(socket.context);
});

route('/none', { maxPayload: 1 }, (socket) => {
  exactly<undefined>()(socket.context);
});

route('/sync', { auth: () => ({ id: 1, user: findUser('') }) }, (socket) => {
  exactly<{ id: number; user: User | undefined }>()(socket.context);
});

route(
  '/async',
  {
    async auth(req, { signal }) {
      exactly<AbortSignal>()(signal);
      const user = await fetchUser(req.get('Authorization') ?? '');
      return user ? { user } : reject(401, { error: 'log in first' });
    },
  },
  {
    open(socket) {
      exactly<{ user: User }>()(socket.context);
      // @ts-expect-error -- auth returned no such thing
      String(socket.context.admin);
    },
    message(socket) {
      exactly<string>()(socket.context.user.name);
    },
    close(socket) {
      exactly<{ user: User }>()(socket.context);
    },
    error(_error, socket) {
      exactly<User | undefined>()(socket?.context.user);
    },
  },
);

route('/rejection', { auth: () => (isOpen ? { id: 1 } : reject(403)) }, (socket) => {
  exactly<{ id: number }>()(socket.context);
});

route('/refusal by null', { auth: () => findUser('') ?? null }, (socket) => {
  exactly<User>()(socket.context);
});

route('/refusal by false', { auth: () => isOpen && { id: 1 } }, (socket) => {
  exactly<{ id: number }>()(socket.context);
});

route('/yes or no', { auth: () => isOpen }, (socket) => {
  exactly<true>()(socket.context);
});

route('/thrown', { auth: () => Promise.reject(new Error('nobody')) }, (socket) => {
  exactly<never>()(socket.context);
});

route('/one of two', { auth: () => (isOpen ? { id: 1 } : { guest: true }) }, (socket) => {
  const { context } = socket;
  if (context.id !== undefined) exactly<number>()(context.id);
  else exactly<boolean>()(context.guest);
});

route(
  '/expires',
  { auth: () => ({ id: 1, expiresAt: Date.now() + 1000 }) },
  {
    open(socket) {
      exactly<number>()(socket.context.expiresAt);
    },
  },
);

// @ts-expect-error -- auth is a function
route('/wrong', { auth: { user: 1 } }, () => undefined);

// @ts-expect-error -- a status is a number
reject('401');

// @ts-expect-error -- a header is a string
reject(401, '', { 'Retry-After': 5 });
