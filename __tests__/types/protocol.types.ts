import { route } from '../../lib';
import { exactly } from './exactly';

/*
 * `socket.protocol` is one of the route's, or `''`: a client may offer none.
 */

route('/none', (socket) => {
  exactly<''>()(socket.protocol);
});

route('/none', {}, (socket) => {
  exactly<''>()(socket.protocol);
});

route('/two', { protocols: ['chat.v2', 'chat.v1'] }, (socket) => {
  exactly<'chat.v2' | 'chat.v1' | ''>()(socket.protocol);
  // @ts-expect-error -- the route has no such subprotocol
  String(socket.protocol === 'chat.v3');
});

route(
  '/hooks',
  { protocols: ['json'], auth: () => ({ id: 1 }) },
  {
    message(socket) {
      exactly<'json' | ''>()(socket.protocol);
      exactly<{ id: number }>()(socket.context);
    },
  },
);

declare const protocols: string[];

route('/any', { protocols }, (socket) => {
  exactly<string>()(socket.protocol);
});

// @ts-expect-error -- a subprotocol is a string
route('/wrong', { protocols: [1] }, () => undefined);

// @ts-expect-error -- protocols are a list
route('/wrong', { protocols: 'chat' }, () => undefined);
