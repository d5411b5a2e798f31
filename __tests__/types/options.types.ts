import express from 'express';
import { createServer } from 'node:http';
import {
  attachWebSocket,
  route,
  type AttachOptions,
  type PerMessageDeflateOptions,
  type RouteOptions,
} from '../../lib';
import { exactly } from './exactly';

/*
 * Options of a route and of an attach: what is known, what is not, and `undefined` for any of it.
 */

declare const limit: number | undefined;

route('/limits', { maxPayload: limit, idleTimeout: Infinity, messageRate: { messages: 5 } }, {});

route('/compressed', { perMessageDeflate: true }, {});
route('/compressed', { perMessageDeflate: { threshold: 0, contextTakeover: true } }, (socket) => {
  exactly<string>()(socket.extensions);
});
route('/compressed', { perMessageDeflate: { level: limit, windowBits: 9, memLevel: 1 } }, {});

// @ts-expect-error -- not what `ws` calls it
route('/wrong', { perMessageDeflate: { serverNoContextTakeover: true } }, () => undefined);

// @ts-expect-error -- a switch, or how
route('/wrong', { perMessageDeflate: 15 }, () => undefined);

route('/origins', { origins: (origin, req) => origin === req.headers.host }, {});
route('/origins', { origins: ['https://example.com'] }, {});

route(
  '/middleware',
  {
    use: [
      express.json(),
      [
        (req, res, next) => {
          exactly<string>()(req.path);
          res.setHeader('X-Served-By', 'node-1');
          next();
        },
      ],
    ],
  },
  {},
);

route('/undefined', { use: undefined, auth: undefined, protocols: undefined }, (socket) => {
  exactly<undefined>()(socket.context);
});

// @ts-expect-error -- unknown option
route('/wrong', { maxPaylod: 1 }, () => undefined);

// @ts-expect-error -- a number of bytes
route('/wrong', { maxPayload: '1mb' }, () => undefined);

// @ts-expect-error -- 'close' or 'drop'
route('/wrong', { onBackpressure: 'wait' }, () => undefined);

// @ts-expect-error -- unknown hook
route('/wrong', { mesage: () => undefined });

// @ts-expect-error -- a hook is a function
route('/wrong', { message: 'hello' });

// @ts-expect-error -- a handler has to be there
route('/wrong');

const app = express();
const server = createServer(app);

attachWebSocket(app, server, [], {
  use: express.json(),
  unmatched: 'app',
  exclusive: true,
  maxPendingHandshakes: limit,
  maxConnections: 100,
  onError(error, { route: where, socket, req }) {
    exactly<unknown>()(error);
    exactly<string | undefined>()(socket?.url);
    exactly<string | undefined>()(req?.url);
    exactly<typeof where.path>()(where.path);
  },
});

attachWebSocket((_req, res) => res.end(), server, []);

// @ts-expect-error -- unknown option
attachWebSocket(app, server, [], { maxPaylod: 1 });

// @ts-expect-error -- one of three
attachWebSocket(app, server, [], { unmatched: 'close' });

// @ts-expect-error -- the server goes second
attachWebSocket(server, app, []); // eslint-disable-line @typescript-eslint/no-unsafe-class-instance-assignment -- that is the point

// @ts-expect-error -- an app is no server
attachWebSocket(app, app, []); // eslint-disable-line @typescript-eslint/no-unsafe-class-instance-assignment -- that is the point

// @ts-expect-error -- a handler is no route
attachWebSocket(app, server, [() => undefined]);

attachWebSocket(app, server, [], { perMessageDeflate: true });

// @ts-expect-error -- a number
attachWebSocket(app, server, [], { perMessageDeflate: { level: 'best' } });

export const compression: PerMessageDeflateOptions = { threshold: undefined };

export const shared: AttachOptions & RouteOptions = { maxPayload: 1 };
