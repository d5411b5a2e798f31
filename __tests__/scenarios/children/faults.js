/** The ways in which user code fails. */
const ways = {
  throws() {
    throw new Error('secret detail');
  },
  rejects() {
    return Promise.reject(new Error('secret detail'));
  },
  'throws-undefined'() {
    throw undefined;
  },
  'rejects-undefined'() {
    return Promise.reject();
  },
  'throws-an-object-that-throws'() {
    throw {
      get message() {
        throw new Error('secret detail');
      },
      toString() {
        throw new Error('secret detail');
      },
    };
  },
};

/** A route that fails where and how its path says, and otherwise echoes. */
function faultRoute(route, hooks) {
  const failAt =
    (place) =>
    ({ params }) =>
      params.place === place ? ways[params.way]() : undefined;
  const at = Object.fromEntries(
    [
      'use',
      'auth',
      'open',
      'message',
      'listener',
      'async-listener',
      'event-listener',
      'onmessage',
      'ping-listener',
      'send-callback',
      'close',
      'close-listener',
      'error-listener',
    ].map((place) => [place, failAt(place)]),
  );
  return route(
    '/:place/:way',
    {
      use(req, _res, next) {
        const result = at.use(req);
        if (result === undefined) next();
        return result;
      },
      auth: (req) => at.auth(req) ?? {},
      maxPayload: 1000,
    },
    {
      open(socket) {
        socket.on('message', () => at.listener(socket));
        socket.on('message', async () => {
          await null;
          await at['async-listener'](socket);
        });
        socket.addEventListener('message', { handleEvent: () => at['event-listener'](socket) });
        socket.onmessage = () => at.onmessage(socket);
        socket.on('ping', () => at['ping-listener'](socket));
        socket.on('close', () => at['close-listener'](socket));
        // Only where it is asked for: nobody needs one.
        if (socket.params.place === 'error-listener') {
          socket.on('error', () => at['error-listener'](socket));
        }
        return at.open(socket);
      },
      message(socket, data) {
        const result = at.message(socket);
        if (result === undefined) socket.send(data, () => at['send-callback'](socket));
        return result;
      },
      close: at.close,
      ...hooks,
    },
  );
}

module.exports = { faultRoute };
