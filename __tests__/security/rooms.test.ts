import type { Socket } from '../../lib';
import { clientFrame } from '../support/bytes';
import { handshake, Peer } from '../scenarios/support/peer';
import { deferred, stopAll, turns, until } from '../scenarios/support/server';
import { isFull, itDefends, serveOn, without, type Lib } from './children/control-support';

afterEach(stopAll);

/** Opens one socket of this build, and hands it to the test. */
async function openOne(
  lib: Lib,
  options = {},
): Promise<{ socket: Socket; peer: Peer; sendTo: (room: string) => number }> {
  const opened = deferred<Socket>();
  const w = lib.route('/w', options, (socket) => opened.resolve(socket as Socket));
  const { port, sockets } = await serveOn(lib, [w]);
  const peer = await Peer.open(port, '/w');
  return { socket: await opened.promise, peer, sendTo: (room) => sockets.to(room).send('x') };
}

/** The code of what a call throws, or 'done'. */
function codeOf(call: () => unknown): string {
  try {
    call();
    return 'done';
  } catch (error) {
    return String((error as { code?: string }).code);
  }
}

describe('R-1 rooms', () => {
  itDefends('are 128 a socket; who leaves one has room for another', {
    async attack(lib) {
      const { socket } = await openOne(lib);
      const codes = Array.from({ length: 130 }, (_, at) => codeOf(() => socket.join(`${at}`)));
      socket.leave('7');
      codes.push(
        codeOf(() => socket.join('again')),
        codeOf(() => socket.join('again')),
      );
      return [codes.lastIndexOf('ERR_WS_OUT_OF_RANGE'), socket.rooms.size, codes.slice(127)];
    },
    holds: [129, 128, ['done', 'ERR_WS_OUT_OF_RANGE', 'ERR_WS_OUT_OF_RANGE', 'done', 'done']],
    without: without(['rooms/rooms.ts', 'rooms.size >= maxRooms', 'false']),
    breaks: [-1, 130, Array(5).fill('done')],
  });

  itDefends('have names of 255 characters at most, and of one at least', {
    async attack(lib) {
      const { socket } = await openOne(lib);
      const names: unknown[] = ['', 'x'.repeat(255), 'x'.repeat(256), 5, null, ['a'], undefined];
      return names.map((name) => codeOf(() => socket.join(name as string)));
    },
    holds: [
      'ERR_WS_INVALID_ARGUMENT',
      'done',
      'ERR_WS_OUT_OF_RANGE',
      ...Array<string>(4).fill('ERR_WS_INVALID_ARGUMENT'),
    ],
    without: without(['rooms/rooms.ts', 'this.#checkName(room);', '']),
    breaks: Array<string>(7).fill('done'),
  });

  const COUNT = isFull ? 1_000_000 : 100_000;

  itDefends(`joined and left ${COUNT} times are as if nothing had been`, {
    async attack(lib) {
      const { socket, sendTo } = await openOne(lib, { maxRooms: 10 });
      for (let at = 0; at < COUNT; at++) {
        socket.join(`room ${at % 1000}`);
        socket.leave(`room ${at % 1000}`);
      }
      const isMember = Array.from({ length: 1000 }, (_, at) => sendTo(`room ${at}`));
      const codes = Array.from({ length: 11 }, (_, at) => codeOf(() => socket.join(`${at}`)));
      return [Math.max(...isMember), codes.indexOf('ERR_WS_OUT_OF_RANGE')];
    },
    holds: [0, 10],
    // The quota is not given back.
    // Only the first rooms of all are given back.
    without: without([
      'rooms/rooms.ts',
      'if (rooms.size === 0) this.#rooms.delete(socket);',
      "if (room > 'room 996') rooms.add(room);",
    ]),
    breaks: [0, 7],
  });

  itDefends('that are empty are not kept, nor sockets that have gone', {
    async attack(lib) {
      const { socket, peer, sendTo } = await openOne(lib);
      for (const room of ['a', 'b', 'c']) socket.join(room);
      socket.leave('a');
      const during = ['a', 'b'].map(sendTo);
      peer.reset();
      await until(() => socket.readyState === socket.CLOSED);
      socket.join('late');
      return [...during, ...['a', 'b', 'c', 'late'].map(sendTo), socket.rooms.size];
    },
    holds: [0, 1, 0, 0, 0, 0, 0],
    without: without(
      ['express/mount.ts', 'this.rooms.release(socket);', ''],
      ['rooms/rooms.ts', 'if (socket.readyState === socket.CLOSED) return;', ''],
    ),
    // A socket that is gone takes nothing, but the rooms still hold it.
    breaks: [0, 1, 0, 0, 0, 0, 3],
  });
});

describe('threat 20: a client that wants to be where it was not put', () => {
  const words = ['join', 'subscribe', '/w/secret', '{"join":"secret"}', '42["join","secret"]'];

  itDefends('gets into no room by anything that it sends', {
    async attack(lib) {
      const { socket, peer, sendTo } = await openOne(lib);
      socket.on('message', () => undefined);
      for (const word of words) {
        peer.write(clientFrame({ first: 0x81, payload: word }));
        peer.write(clientFrame({ first: 0x89, payload: word }));
      }
      for (let at = 0; at < words.length; at++) await peer.readFrame();
      await turns(3);
      return [sendTo('secret'), socket.rooms.size];
    },
    holds: [0, 0],
    // As a server does that lets clients choose.
    without: without([
      'socket/socket.ts',
      'super();\n    this.params',
      "super(); setImmediate(() => this.on('message', (data) => data.includes('join') && this.join('secret'))); this.params",
    ]),
    breaks: [1, 1],
  });
});

describe('A-1 authorisation that ends', () => {
  /** Closes by expiry; what is told, and how long that took. */
  const expire =
    (inMs: number, form: (time: number) => unknown) =>
    async (lib: Lib, patience: () => Promise<void>): Promise<unknown> => {
      const auth = (): object => ({ expiresAt: form(Date.now() + inMs) });
      const { port } = await serveOn(lib, [lib.route('/w', { auth }, () => undefined)]);
      const peer = await Peer.open(port, '/w');
      const frame = peer.readFrame().then(({ payload }) => payload.toString('hex'));
      return Promise.race([frame, patience()]);
    };

  const forms: [what: string, form: (time: number) => unknown][] = [
    ['a number', (time) => time],
    ['a Date', (time) => new Date(time)],
  ];

  describe.each(forms)('as %s', (_what, form) => {
    itDefends('closes the socket with 1008 when the time has come', {
      attack: expire(200, form),
      holds: Buffer.from('\x03\xf0authorisation expired', 'latin1').toString('hex'),
      without: without([
        'express/upgrade.ts',
        'if (expiresAt !== undefined) expireSocket',
        'if (false) expireSocket',
      ]),
      breaks: undefined,
    });
  });

  itDefends('that is over already lets nobody stay', {
    attack: expire(-60_000, (time) => time),
    holds: Buffer.from('\x03\xf0authorisation expired', 'latin1').toString('hex'),
    without: without([
      'socket/alarms.ts',
      'if (left > 0) clock.set(this, left);\n    else this.#socket.shut(CloseCode.PolicyViolation',
      'if (left > -1) clock.set(this, left);\n    else if (false) this.#socket.shut(CloseCode.PolicyViolation',
    ]),
    breaks: undefined,
  });

  itDefends('that is no time is no authorisation for ever', {
    async attack(lib) {
      const statuses: number[] = [];
      const onError = (): void => undefined;
      for (const expiresAt of [NaN, new Date(NaN), '2030-01-01', {}, true]) {
        const { port } = await serveOn(
          lib,
          [lib.route('/w', { auth: () => ({ expiresAt }) }, () => undefined)],
          { onError },
        );
        const peer = await Peer.connect(port);
        peer.write(handshake('/w'));
        statuses.push(Number((await peer.readHead()).split(' ')[1]));
      }
      return statuses;
    },
    holds: [500, 500, 500, 500, 500],
    without: without([
      'express/upgrade.ts',
      "if (typeof time === 'number' && !Number.isNaN(time)) return time;",
      'return time;',
    ]),
    breaks: [101, 101, 101, 101, 101],
  });

  itDefends('of one user ends all of the sockets of that user, and no others', {
    async attack(lib) {
      const w = lib.route(
        '/:user',
        { auth: (req) => ({ user: req.params.user }) },
        () => undefined,
      );
      const { port, sockets } = await serveOn(lib, [w]);
      const users = ['a', 'b', 'a', 'c', '__proto__', 'constructor'];
      for (const user of users) await Peer.open(port, `/${user}`);
      const ended = sockets.disconnect(({ context }) => (context as { user: string }).user === 'a');
      const isGone = [...sockets.clients].filter(({ readyState }) => readyState !== 1).length;
      return { ended, isGone };
    },
    holds: { ended: 2, isGone: 2 },
    without: without([
      'express/attachment.ts',
      'for (const socket of picked) shutSocket(socket, code, reason);',
      '',
    ]),
    breaks: { ended: 2, isGone: 0 },
  });
});

describe('threat 19: more connections than are wanted', () => {
  itDefends('are answered 503, and make room when they leave', {
    async attack(lib) {
      const { port, sockets } = await serveOn(lib, [lib.route('/w', () => undefined)], {
        maxConnections: 100,
      });
      const knock = async (): Promise<[Peer, number]> => {
        const peer = await Peer.connect(port);
        peer.write(handshake('/w'));
        return [peer, Number((await peer.readHead()).split(' ')[1])];
      };
      const first = await Promise.all(Array.from({ length: 101 }, knock));
      const [left] = first.find(([, status]) => status === 101)!;
      left.reset();
      await until(() => sockets.clients.size <= 100 && [...sockets.clients].length < first.length);
      const count = (status: number): number => first.filter((each) => each[1] === status).length;
      return [count(101), count(503)];
    },
    holds: [100, 1],
    without: without(['express/admission.ts', 'this.#count >= maxConnections', 'false']),
    breaks: [101, 0],
  });
});
