import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { startSocket } from '../../lib/socket/socket';
import { cut } from '../protocol/every-way';
import { makeWire, pass, turns, type Seen, type Wire } from '../socket/wire';
import { BAD_FRAMES, bytesOf, nameOf, type Action, type Model, type PeerItem } from './close-model';

/** The socket under test, and what its user has heard. */
export class Real {
  readonly wire: Wire;
  readonly heard: string[] = [];
  opens = 0;

  constructor() {
    const wire = makeWire({ start: false });
    this.wire = wire;
    const { socket } = wire;
    socket.on('open', () => this.opens++);
    socket.on('ping', () => this.heard.push('ping'));
    socket.on('pong', () => this.heard.push('pong'));
    socket.on('message', (text) => {
      this.heard.push(String(text));
      this.act(actionCalled(String(text)));
    });
    startSocket(socket, () => undefined, Buffer.alloc(0));
  }

  act(action: Action): void {
    const { socket } = this.wire;
    if (action.kind === 'send') socket.send('hello');
    if (action.kind === 'ping') socket.ping('beat');
    if (action.kind === 'close') socket.close(action.code);
    if (action.kind === 'terminate') socket.terminate();
    if (action.kind === 'pause') socket.pause();
    if (action.kind === 'resume') socket.resume();
    if (action.kind === 'throw') throw new Error('a listener failed');
  }

  /** The frames that came, but for the pings of the heartbeat, which have no payload. */
  get frames(): string[] {
    return this.wire.peer.frames.filter((each) => !isBeat(each)).map(describeFrame);
  }
}

const isBeat = ({ first, payload }: Seen): boolean => first === 0x89 && payload.length === 0;

function describeFrame({ first, payload }: Seen): string {
  if (first !== 0x88) return `${first.toString(16)} ${payload.toString()}`;
  return payload.length === 0 ? '88 none' : `88 ${payload.readUInt16BE(0)}`;
}

function actionCalled(text: string): Action {
  const [kind, code] = text.split(' ');
  return kind === 'close' ? { kind, code: Number(code) } : ({ kind } as Action);
}

type Command = fc.AsyncCommand<Model, Real>;

class Act implements Command {
  readonly #action: Action;
  readonly #isAlone: boolean;

  constructor(action: Action, isAlone: boolean) {
    this.#action = action;
    this.#isAlone = isAlone;
  }

  check(): boolean {
    return true;
  }

  async run(model: Model, real: Real): Promise<void> {
    model.act(this.#action);
    real.act(this.#action);
    // If not alone, what comes next happens in the same turn of the event loop.
    if (!this.#isAlone) return;
    model.settle();
    await turns();
  }

  toString(): string {
    return nameOf(this.#action) + (this.#isAlone ? '' : ' and');
  }
}

class Receive implements Command {
  readonly #items: readonly PeerItem[];
  readonly #cuts: readonly number[];

  constructor(items: readonly PeerItem[], cuts: readonly number[]) {
    this.#items = items;
    this.#cuts = cuts;
  }

  check(model: Readonly<Model>): boolean {
    return !model.hasSentFin;
  }

  async run(model: Model, { wire }: Real): Promise<void> {
    const { stream } = wire.peer;
    for (const chunk of cut(Buffer.concat(this.#items.map(bytesOf)), this.#cuts)) {
      stream.write(chunk);
    }
    if (this.#items.at(-1)?.kind === 'fin') stream.end();
    model.receive(this.#items);
    model.settle();
    await turns();
  }

  toString(): string {
    const items = this.#items.map((item) => {
      if (item.kind === 'text') return `text that does ${nameOf(item.action)}`;
      return `${item.kind} ${'code' in item ? String(item.code) : ''}`.trim();
    });
    return `peer: ${items.join(', ')} cut at ${this.#cuts.join(' ')}`;
  }
}

class Reset implements Command {
  check(): boolean {
    return true;
  }

  async run(model: Model, { wire }: Real): Promise<void> {
    // Either is right: to hear what was held back before the reset, or not to.
    if (model.isBehind) {
      model.settle();
      await turns();
    }
    wire.transport.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
    model.reset();
    model.settle();
    await turns();
  }

  toString(): string {
    return 'reset';
  }
}

/** Above every timeout of a socket together, or far below all of them. */
class Wait implements Command {
  readonly #ms: 60_000 | 50;

  constructor(ms: 60_000 | 50) {
    this.#ms = ms;
  }

  // While it is paused its pings go on, and drift by a tick each.
  check(model: Readonly<Model>): boolean {
    return this.#ms === 50 || model.longWaits < 2;
  }

  async run(model: Model): Promise<void> {
    model.settle();
    if (this.#ms > 50) model.wait();
    await pass(this.#ms);
  }

  toString(): string {
    return `wait ${this.#ms} ms`;
  }
}

const simple = (...kinds: Exclude<Action['kind'], 'close'>[]): fc.Arbitrary<Action> =>
  fc.constantFrom(...kinds).map((kind) => ({ kind }));

const close: fc.Arbitrary<Action> = fc
  .constantFrom(1000, 1001, 3000, 4999)
  .map((code) => ({ kind: 'close', code }));

const inListener: fc.Arbitrary<Action> = fc.oneof(
  { arbitrary: simple('nothing', 'send', 'pause'), weight: 4 },
  { arbitrary: simple('terminate', 'throw', 'resume', 'ping'), weight: 2 },
  { arbitrary: close, weight: 1 },
);

const item: fc.Arbitrary<PeerItem> = fc.oneof(
  { arbitrary: fc.record({ kind: fc.constant('text'), action: inListener }), weight: 5 },
  { arbitrary: fc.constantFrom<PeerItem>({ kind: 'ping' }, { kind: 'pong' }), weight: 3 },
  {
    arbitrary: fc.constantFrom<PeerItem>(
      { kind: 'close', code: 1000, reason: 'bye' },
      { kind: 'close', code: 4321, reason: '' },
      { kind: 'close', code: undefined, reason: '' },
    ),
    weight: 1,
  },
  { arbitrary: fc.constantFrom<PeerItem>(...BAD_FRAMES), weight: 1 },
);

const items: fc.Arbitrary<PeerItem[]> = fc
  .record({ some: fc.array(item, { minLength: 1, maxLength: 5 }), isLast: fc.nat({ max: 5 }) })
  .map(({ some, isLast }) => (isLast === 0 ? [...some, { kind: 'fin' }] : some));

const act = (action: fc.Arbitrary<Action>): fc.Arbitrary<Command> =>
  fc.tuple(action, fc.boolean()).map(([each, isAlone]) => new Act(each, isAlone));

const received: fc.Arbitrary<Command> = fc
  .tuple(items, fc.array(fc.nat({ max: 40 }), { maxLength: 4 }))
  .map(([each, cuts]) => new Receive(each, cuts));

/** Most of what happens leaves the socket open, or there would be nothing to interleave. */
export const commands: fc.Arbitrary<Iterable<Command>> = fc.commands(
  [
    act(simple('send', 'ping', 'pause', 'resume')),
    act(simple('send', 'ping', 'pause', 'resume')),
    act(simple('resume')),
    received,
    received,
    received,
    received,
    act(fc.oneof(close, simple('terminate'))),
    fc.oneof(
      fc.constant<Command>(new Reset()),
      fc.constant(50 as const).map((ms) => new Wait(ms)),
      fc.constant(60_000 as const).map((ms) => new Wait(ms)),
    ),
  ],
  { maxCommands: 16 },
);
