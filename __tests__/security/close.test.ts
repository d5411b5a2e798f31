import { once } from 'node:events';
import { connect } from 'node:net';
import type { AttachOptions } from '../../lib';
import { clientFrame, hex } from '../support/bytes';
import { Child } from '../scenarios/support/child';
import { handshake, Peer } from '../scenarios/support/peer';
import { afterTest, deferred, stopAll, until } from '../scenarios/support/server';
import {
  connectionsOf,
  isEchoing,
  itDefends,
  serveOn,
  settle,
  buildWithout,
  without,
  type Lib,
  type Patience,
  type Served,
} from './children/control-support';

afterEach(async () => {
  await stopAll();
  jest.restoreAllMocks();
});

const BYE = hex('88 82 00000000 03e8');
const TEXT = (payload: string): Buffer => clientFrame({ first: 0x81, payload });

/** What became of one connection. */
interface Told {
  opened: number;
  readonly closes: number[];
  readonly messages: string[];
}

interface Watched extends Served {
  readonly told: Told;
}

/** A server that writes down what it is told; 'close …' from the client has it close with that. */
async function watch(lib: Lib, options: AttachOptions = {}): Promise<Watched> {
  const told: Told = { opened: 0, closes: [], messages: [] };
  const watched = lib.route('/w', {
    open() {
      told.opened++;
    },
    message(socket, data) {
      told.messages.push(String(data));
      for (const code of String(data).match(/\d+/g) ?? []) socket.close(Number(code));
    },
    close(_socket, code) {
      told.closes.push(code);
    },
  });
  const echo = lib.route('/echo', { message: (socket, data) => void socket.send(data) });
  return { ...(await serveOn(lib, [watched, echo], options)), told };
}

/** What the server sends until it ends the connection, as hex. */
async function answerTo(lib: Lib, ...bytes: readonly Buffer[]): Promise<[string, Told]> {
  const { port, told } = await watch(lib);
  const peer = await Peer.open(port, '/w', Buffer.concat(bytes));
  const answer = await peer.readToEnd();
  await settle(port);
  return [answer.toString('hex'), told];
}

/** Data is a message still, when it comes behind a close. */
const dataAfterClose = without(
  [
    'protocol/decoder.ts',
    'this.finish();\n      this.#sink.onClose(close);',
    'this.#sink.onClose(close);',
  ],
  [
    'socket/connection.ts',
    'if (this.#closing === undefined) this.#owner.onMessage',
    'this.#owner.onMessage',
  ],
);

describe('C-1 close codes', () => {
  const valid = [
    1000, 1001, 1002, 1003, 1007, 1008, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
  ];
  const refused = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535];
  const anyCode = without([
    'protocol/close.ts',
    'if (code >= 3000) return code <= 4999;',
    'if (code >= 0) return true;',
  ]);

  const receive =
    (codes: readonly number[]) =>
    async (lib: Lib): Promise<[answer: number, told: number][]> => {
      const { port, told } = await watch(lib);
      const answers: number[] = [];
      for (const code of codes) {
        const payload = Buffer.from([code >> 8, code & 0xff]);
        const peer = await Peer.open(port, '/w', clientFrame({ first: 0x88, payload }));
        const { payload: answer } = await peer.readFrame();
        answers.push(answer.length === 0 ? 0 : answer.readUInt16BE());
        await peer.readToEnd();
        await until(() => told.closes.length === answers.length);
      }
      return answers.map((answer, at) => [answer, told.closes[at]!]);
    };

  itDefends('that may be sent are answered with themselves', {
    attack: receive(valid),
    holds: valid.map((code) => [code, code]),
    without: without(['protocol/close.ts', 'if (code >= 3000) return code <= 4999;', '']),
    breaks: valid.map((code) => (code < 3000 ? [code, code] : [1002, 1002])),
  });

  itDefends('that must not be sent are a fault, and told as 1002', {
    attack: receive(refused),
    holds: refused.map(() => [1002, 1002]),
    without: anyCode,
    // 1005 is also what stands for no code at all: its answer is empty.
    breaks: refused.map((code) => [code === 1005 ? 0 : code, code]),
  });

  itDefends('that must not be sent are not sent', {
    async attack(lib) {
      const errors: unknown[] = [];
      const { port } = await serveOn(lib, [
        lib.route('/c', (socket) => {
          for (const code of refused) {
            try {
              socket.close(code);
            } catch (error) {
              errors.push((error as { code?: string }).code);
            }
          }
          socket.close(4999);
        }),
      ]);
      const peer = await Peer.open(port, '/c');
      return [errors.length, (await peer.readFrame()).payload.readUInt16BE()];
    },
    holds: [refused.length, 4999],
    without: anyCode,
    breaks: [0, 0],
  });

  itDefends('of one byte are a fault', {
    attack: (lib) => answerTo(lib, hex('88 81 00000000 03')),
    holds: ['880203ea', { opened: 1, closes: [1002], messages: [] }],
    without: without(['protocol/close.ts', 'body.length === 1', 'body.length < 0']),
    breaks: ['880203f3', { opened: 1, closes: [1011], messages: [] }],
  });

  itDefends('may be left out: the answer is empty, and 1005 is told', {
    attack: (lib) => answerTo(lib, hex('88 80 00000000')),
    holds: ['8800', { opened: 1, closes: [1005], messages: [] }],
    without: without([
      'socket/connection.ts',
      'close.code === CloseCode.NoStatus ? EMPTY : serializeClose(close.code',
      'close.code < 0 ? EMPTY : serializeClose(close.code === 1005 ? 1000 : close.code',
    ]),
    breaks: ['880203e8', { opened: 1, closes: [1005], messages: [] }],
  });
});

describe('C-2 closes that cross something', () => {
  itDefends('what comes behind a close frame is no message', {
    attack: (lib) => answerTo(lib, BYE, TEXT('a')),
    holds: ['880203e8', { opened: 1, closes: [1000], messages: [] }],
    without: dataAfterClose,
    breaks: ['880203e8', { opened: 1, closes: [1000], messages: ['a'] }],
  });

  itDefends('what comes after our own close is no message, and is not waited for', {
    attack: (lib) => answerTo(lib, TEXT('4000'), TEXT('late'), BYE),
    holds: ['88020fa0', { opened: 1, closes: [1000], messages: ['4000'] }],
    without: dataAfterClose,
    breaks: ['88020fa0', { opened: 1, closes: [1000], messages: ['4000', 'late'] }],
  });

  itDefends('closing twice sends one close frame', {
    attack: (lib) => answerTo(lib, TEXT('4000 4001'), BYE),
    holds: ['88020fa0', { opened: 1, closes: [1000], messages: ['4000 4001'] }],
    without: without([
      'socket/connection.ts',
      'if (this.#closing !== undefined) return;',
      'this.#closing = undefined;',
    ]),
    breaks: ['88020fa088020fa1', { opened: 1, closes: [1000], messages: ['4000 4001'] }],
  });

  itDefends('two closes that cross are one close frame each', {
    async attack(lib) {
      const { port, told } = await watch(lib);
      const peer = await Peer.open(port, '/w', TEXT('4000'));
      const ours = await peer.readFrame();
      peer.write(clientFrame({ first: 0x88, payload: hex('0fa1') }));
      const rest = await peer.readToEnd();
      await until(() => told.closes.length > 0);
      return [ours.payload.toString('hex') + rest.toString('hex'), told.closes];
    },
    holds: ['0fa0', [4001]],
    without: without(['socket/closing.ts', "if (this.#phase !== 'closing') return;", '']),
    breaks: ['0fa088020fa1', [4001]],
  });

  itDefends('a FIN without a close frame is 1006, at once', {
    async attack(lib, patience) {
      const { port, told } = await watch(lib);
      const peer = await Peer.open(port, '/w', hex('01 81 00000000 61'));
      peer.socket.end();
      await Promise.race([peer.closed, patience()]);
      await settle(port);
      return told.closes;
    },
    holds: [1006],
    without: without([
      'socket/connection.ts',
      'if (this.#isReading()) this.#beginClosing().end();',
      '',
    ]),
    breaks: [],
  });
});

describe('C-2 closes in the middle of a large message', () => {
  const MIB = 1_048_576;

  itDefends('of ours: what was taken for sending leaves first, whole', {
    async attack(lib) {
      const { port } = await serveOn(
        lib,
        [
          lib.route('/big', (socket) => {
            for (let at = 0; at < 12; at++) socket.send(Buffer.alloc(MIB, at));
            socket.close(4000);
          }),
        ],
        { maxBackpressure: Infinity },
      );
      const peer = await Peer.connect(port);
      peer.socket.pause();
      peer.write(handshake('/big'));
      await settleOn(lib);
      peer.socket.resume();
      await peer.readHead();
      peer.write(BYE);
      const rest = await peer.readToEnd();
      return [rest.length, rest.subarray(-4).toString('hex')];
    },
    holds: [12 * (MIB + 10) + 4, '88020fa0'],
    without: without([
      'socket/connection.ts',
      'whenSent(() => closing.send(body));',
      'whenSent(() => closing.send(body)); this.#transport.destroy();',
    ]),
    breaks: [expect.any(Number) as number, expect.not.stringMatching('88020fa0') as string],
  });

  itDefends('of the peer: half a message is none', {
    attack: (lib) => answerTo(lib, hex('01 82 00000000 6162'), BYE, hex('80 81 00000000 63')),
    holds: ['880203e8', { opened: 1, closes: [1000], messages: [] }],
    without: dataAfterClose,
    breaks: ['880203e8', { opened: 1, closes: [1000], messages: ['abc'] }],
  });

  itDefends('of ours while it is paused: the answer is read all the same', {
    async attack(lib, patience) {
      const closed = deferred<number>();
      const { port } = await serveOn(
        lib,
        [
          lib.route('/paused', {
            open(socket) {
              socket.pause();
              socket.close(4000);
            },
            close: (_socket, code) => closed.resolve(code),
          }),
        ],
        { closeTimeout: 60_000 },
      );
      const peer = await Peer.open(port, '/paused');
      peer.write(clientFrame({ first: 0x88, payload: hex('0fa1') }));
      return Promise.race([closed.promise, patience()]);
    },
    holds: 4001,
    without: without([
      'socket/session.ts',
      'onClosing(): void {\n    this.#madeInbox?.discard();',
      'onClosing(): void {',
    ]),
    breaks: undefined,
  });
});

/** Time for a server of this build to do all that it can. */
async function settleOn(lib: Lib): Promise<void> {
  const { port } = await watch(lib);
  await settle(port);
}

describe('C-2 resets', () => {
  const ROUNDS = 3;
  const states: [what: string, bytes: Buffer, answer: number][] = [
    ['open', Buffer.alloc(0), 0],
    ['half a header', hex('81'), 0],
    ['half a message', hex('01 81 00000000 61 80 85 000000'), 0],
    ['our close is sent', TEXT('4000'), 4],
    ['their close is sent', BYE, 0],
    ['both closes are sent', Buffer.concat([TEXT('4000'), BYE]), 4],
    ['a message is being sent', TEXT('much'), 1000],
  ];

  /** Resets in each state, of a process that has no handlers; how it ended, and what it was told. */
  async function reset(dir?: string): Promise<{ code: number | null; told: string | undefined }> {
    const script = '../../security/children/control-resets.mjs';
    const child = new Child(script, dir === undefined ? [] : [dir]);
    const port = await child.says<number>('port');
    // Without the defence it may be gone when it is told to.
    child.process.stdin?.on('error', () => undefined);
    for (let round = 0; round < ROUNDS && child.isRunning; round++) {
      // Without the defence, there is nobody to connect to any more.
      await resetAll(port).catch(() => undefined);
    }
    child.tell('stop');
    const { code, stdout } = await child.ended;
    return { code, told: stdout.split('\n').find((line) => line.startsWith('told')) };
  }

  async function resetAll(port: number): Promise<void> {
    for (const [, bytes, answer] of states) {
      const peer = await Peer.open(port, '/w', bytes);
      await peer.read(answer);
      peer.reset();
    }
    const handshaking = await Peer.connect(port);
    handshaking.write(handshake('/auth'));
    await isEchoing(port);
    handshaking.reset();
  }

  it(`while ${states.map(([what]) => what).join(', ')}: one close for each open`, async () => {
    const count = ROUNDS * states.length;
    expect(await reset()).toEqual({
      code: 0,
      told: `told ${JSON.stringify({ opened: count, closed: count, left: 0, asked: ROUNDS, aborted: ROUNDS })}`,
    });
  }, 30_000);

  it('end the process where nobody listens for errors', async () => {
    const deaf = buildWithout(['socket/transport.ts', ".on('error', onError)", '']);
    expect((await reset(deaf)).code).not.toBe(0);
  }, 30_000);

  itDefends('close is told once, although the end has several signs', {
    async attack(lib) {
      const { port, told } = await watch(lib);
      const peer = await Peer.open(port, '/w', BYE);
      peer.socket.end();
      await peer.closed;
      await until(() => told.closes.length > 0);
      await settle(port);
      return told;
    },
    holds: { opened: 1, closes: [1000], messages: [] },
    without: without(
      [
        'socket/connection.ts',
        'readOut(): void {',
        'readOut() { this.#owner.onClosed(this.#closing.verdict);',
      ],
      ['socket/inbox.ts', "if (typeof this.#end === 'string') return;", ''],
      [
        'socket/inbox.ts',
        'const { callback } = this.#end;',
        'const { callback } = this.#end; if (callback === undefined) return;',
      ],
    ),
    breaks: { opened: 1, closes: [1000, 1000], messages: [] },
  });
});

describe('C-3 a peer that does not play its part', () => {
  type Part = 'never answers' | 'never reads' | 'never ends';

  const ignore =
    (part: Part) =>
    async (lib: Lib, patience: Patience): Promise<unknown> => {
      const closed = deferred<number>();
      const fill = part === 'never reads' ? 16 : 0;
      const stuck = lib.route('/stuck', {
        open(socket) {
          for (let at = 0; at < fill; at++) socket.send(Buffer.alloc(1_048_576));
          socket.close(4000);
        },
        close: (_socket, code) => closed.resolve(code),
      });
      const options = { closeTimeout: 100, maxBackpressure: Infinity };
      const served = await serveOn(lib, [stuck], options);
      const socket = connect({ port: served.port, host: '127.0.0.1', allowHalfOpen: true });
      afterTest(() => socket.destroy());
      socket.on('error', () => undefined).write(handshake('/stuck'));
      if (part === 'never reads') socket.pause();
      else socket.resume();
      if (part === 'never ends') socket.write(BYE);
      const code = await Promise.race([closed.promise, patience()]);
      return { code, connections: await connectionsOf(served) };
    };

  const patient = without([
    'socket/closing.ts',
    'if (!this.isSet) clock.set(this, this.#owner.settings.closeTimeout);',
    '',
  ]);
  const whenSent = without([
    'socket/closing.ts',
    'if (!this.isSet) clock.set',
    'if (!this.isSet && this.#owner.outbox.buffered === 0) clock.set',
  ]);

  itDefends('and never answers: gone after closeTimeout', {
    attack: ignore('never answers'),
    holds: { code: 1006, connections: 0 },
    without: patient,
    breaks: { code: undefined, connections: 1 },
  });

  itDefends('and never reads: the timer runs although the close frame has not left', {
    attack: ignore('never reads'),
    holds: { code: 1006, connections: 0 },
    without: whenSent,
    breaks: { code: undefined, connections: 1 },
  });

  itDefends('and never ends its side of the connection', {
    attack: ignore('never ends'),
    holds: { code: 1000, connections: 0 },
    without: patient,
    breaks: { code: undefined, connections: 1 },
  });

  itDefends('we end first, when both have closed', {
    async attack(lib, patience) {
      const { port } = await watch(lib, { closeTimeout: 60_000 });
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
      afterTest(() => socket.destroy());
      socket.resume().write(Buffer.concat([Buffer.from(handshake('/w')), BYE]));
      const ended = once(socket, 'end').then(() => 'FIN');
      return Promise.race([ended, patience()]);
    },
    holds: 'FIN',
    without: without([
      'socket/outbox.ts',
      'if (isDone) transport.destroy();\n    else transport.end();',
      'void isDone;',
    ]),
    breaks: undefined,
  });
});

describe('C-4 a fault of the peer', () => {
  itDefends('is told with the code that we sent, and why', {
    async attack(lib) {
      const errors: unknown[] = [];
      const closes: unknown[] = [];
      const { port } = await serveOn(lib, [
        lib.route('/w', {
          open: (socket) => void socket.on('error', (error) => errors.push(error.message)),
          close: (_socket, code, reason) => closes.push([code, reason]),
        }),
      ]);
      const peer = await Peer.open(port, '/w', hex('83 80 00000000'));
      await peer.readToEnd();
      await until(() => closes.length > 0);
      return { errors, closes };
    },
    holds: {
      errors: ['reserved opcode 0x3 (§5.2)'],
      closes: [[1002, 'reserved opcode 0x3 (§5.2)']],
    },
    without: without([
      'socket/connection.ts',
      'closing.verdict = { code, reason: error.message, wasClean: false };',
      '',
    ]),
    breaks: { errors: ['reserved opcode 0x3 (§5.2)'], closes: [[1006, '']] },
  });
});

describe('C-5 a reason with control characters', () => {
  itDefends('forges no line of the log', {
    async attack(lib) {
      const lines: string[] = [];
      jest.spyOn(process.stderr, 'write').mockImplementation((text) => {
        lines.push(String(text).split(' (at ', 1)[0]!);
        return true;
      });
      const { port } = await serveOn(lib, [
        lib.route('/w', {
          close(_socket, _code, reason) {
            throw new Error(reason);
          },
        }),
      ]);
      const reason = hex('03e8 610d0a62 1b5b316d c285');
      const peer = await Peer.open(port, '/w', clientFrame({ first: 0x88, payload: reason }));
      await peer.readToEnd();
      await until(() => lines.length > 0);
      return lines;
    },
    holds: ['attach-websocket: error in /w: Error: a b [1m '],
    without: without(['express/report.ts', "line.replaceAll(CONTROLS, ' ')", 'line']),
    breaks: ['attach-websocket: error in /w: Error: a\r\nb\u001b[1m\u0085'],
  });
});
