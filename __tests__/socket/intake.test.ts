import { Buffer } from 'node:buffer';
import { PassThrough, type Duplex } from 'node:stream';
import type { DecoderLimits } from '../../lib/protocol/decoder';
import { Intake, type IntakeOwner } from '../../lib/socket/intake';
import { enqueueJob } from '../../lib/socket/jobs';
import { deflateAlone } from '../rfc7692/support/zlib';
import { clientFrame, repeat } from '../support/bytes';
import { closeFrame, compressed, frame, makeWire, turns, until } from './wire';

const MIB = 1_048_576;

/** An intake, and what is heard of it as one line an event. */
interface Fixture {
  readonly intake: Intake;
  readonly transport: Duplex;
  readonly heard: string[];
  /** Called at each event, with its line. */
  on: (line: string) => void;
}

const shown = (data: string | Buffer): string =>
  data.length > 20 ? `${data.length} bytes` : data.toString();

function makeIntake(limits: Partial<DecoderLimits> = {}): Fixture {
  const heard: string[] = [];
  const transport = new PassThrough();
  const tell = (line: string): void => {
    heard.push(line);
    fixture.on(line);
  };
  const owner: IntakeOwner = {
    onMessage: (data, isBinary) => tell(`${isBinary ? 'binary' : 'text'} ${shown(data)}`),
    onPing: (payload) => tell(`ping ${payload.toString()}`),
    onPong: (payload) => tell(`pong ${payload.toString()}`),
    onClose: ({ code }) => tell(`close ${code}`),
    onIntakeFault: (error) => {
      intake.finish();
      tell(`fault ${String(Reflect.get(error, 'closeCode'))}`);
    },
    onReadOn: () => tell('reads on'),
  };
  const all = { maxPayload: 4 * MIB, maxFragments: 65_536, ...limits };
  const intake = new Intake(transport, owner, all, compressed().deflate);
  const fixture: Fixture = { intake, transport, heard, on: () => {} };
  return fixture;
}

/** A compressed text. */
const packed = (payload: string | Buffer, first = 0xc1): Buffer =>
  clientFrame({ first, payload: deflateAlone(payload), key: '37fa213d' });

/** Above what is inflated at once. */
const large = (): Buffer => packed('x'.repeat(300_000));

const texts = (count: number): Buffer => repeat(frame.text('.'), count);

/** Takes both places among the jobs, once they are free; returns what frees them again. */
async function occupyJobs(): Promise<() => void> {
  const ends: (() => void)[] = [];
  for (let i = 0; i < 2; i++) enqueueJob((done) => ends.push(done));
  await until(() => ends.length === 2, 'two free places');
  return () => ends.forEach((end) => end());
}

describe('the frames of a turn', () => {
  it('are 512; the rest waits for the next turns, and the transport with it', async () => {
    const { intake, transport, heard } = makeIntake();
    const seen: unknown[] = [];
    intake.push(texts(1200));
    for (let i = 0; i < 3; i++) {
      seen.push([heard.length, intake.isBusy, intake.isHalted, transport.isPaused()]);
      await turns(1);
    }
    expect(seen).toEqual([
      [512, true, true, true],
      [1024, true, true, true],
      [1201, false, false, false],
    ]);
    expect(heard.at(-1)).toBe('reads on');
  });

  it('are counted over all of its reads', async () => {
    const { intake, heard } = makeIntake();
    for (let i = 0; i < 6; i++) intake.push(texts(100));
    expect(heard).toHaveLength(512);
    await turns(1);
    expect(heard).toHaveLength(601);
  });

  it('begin anew in the next', async () => {
    const { intake, heard } = makeIntake();
    for (let i = 1; i <= 3; i++) {
      intake.push(texts(511));
      expect([heard.length, intake.isBusy]).toEqual([i * 511, false]);
      await turns(1);
    }
  });

  it('may be pings and fragments as well', async () => {
    const { intake, heard } = makeIntake();
    const fragments = [1, ...Array<number>(600).fill(0), 0x80];
    intake.push(Buffer.concat(fragments.map((first) => clientFrame({ first, payload: 'x' }))));
    expect(heard).toEqual([]);
    await turns(2);
    expect(heard).toEqual(['text 602 bytes', 'reads on']);
    intake.push(repeat(frame.ping(), 600));
    expect(heard).toHaveLength(514);
    await turns(1);
    expect(heard).toHaveLength(603);
  });

  it('count a message to inflate for more', async () => {
    const { intake, heard } = makeIntake();
    intake.push(repeat(packed('x'), 60));
    const inOneTurn = heard.length;
    expect(inOneTurn).toBeGreaterThan(20);
    expect(inOneTurn).toBeLessThan(40);
    await turns(2);
    expect(heard.filter((line) => line === 'text x')).toHaveLength(60);
  });

  it('leave the other sockets theirs', () => {
    const [busy, other] = [makeIntake(), makeIntake()];
    busy.intake.push(texts(1000));
    other.intake.push(texts(10));
    expect([busy.heard.length, other.heard.length]).toEqual([512, 10]);
  });
});

describe('the bytes of a turn', () => {
  const block = (length: number): Buffer => frame.binary(Buffer.alloc(length));

  it('are 2 MiB, and what was read with it', async () => {
    const { intake, transport, heard } = makeIntake();
    // Four bytes of mask, ten of length and opcode: two MiB exactly.
    intake.push(block(2 * MIB - 14));
    expect([heard.length, intake.isBusy]).toEqual([1, false]);
    intake.push(frame.text('a'));
    expect([heard.length, intake.isBusy, transport.isPaused()]).toEqual([2, true, true]);
    intake.push(frame.text('b'));
    expect(heard).toHaveLength(2);
    await turns(1);
    expect(heard.slice(1)).toEqual(['text a', 'text b', 'reads on']);
    expect([intake.isBusy, transport.isPaused()]).toEqual([false, false]);
  });

  it('begin anew in the next', async () => {
    const { intake, heard } = makeIntake();
    for (let i = 1; i <= 3; i++) {
      intake.push(block(2 * MIB - 14));
      expect([heard.length, intake.isBusy]).toEqual([i, false]);
      await turns(1);
    }
  });

  it('may be of one message that is not whole yet', async () => {
    const { intake, heard } = makeIntake();
    const bytes = block(3 * MIB);
    for (let at = 0; at < bytes.length; at += 65_536) {
      intake.push(Buffer.from(bytes.subarray(at, at + 65_536)));
    }
    expect([heard, intake.isBusy]).toEqual([[], true]);
    await turns(1);
    expect(heard).toEqual([`binary ${3 * MIB} bytes`, 'reads on']);
  });
});

describe('a message that is inflated later', () => {
  it('keeps its place, and all that follows waits for it, a ping too', async () => {
    const { intake, transport, heard } = makeIntake();
    const small = packed('small');
    intake.push(
      Buffer.concat([
        frame.text('a'),
        small,
        large(),
        frame.ping('p'),
        frame.pong('q'),
        frame.text('b'),
        closeFrame(1000),
      ]),
    );
    expect(heard).toEqual(['text a', 'text small']);
    expect([intake.isBusy, intake.isHalted, transport.isPaused()]).toEqual([true, true, true]);
    await until(() => heard.includes('close 1000'));
    expect(heard.slice(2, 7)).toEqual([
      'text 300000 bytes',
      'ping p',
      'pong q',
      'text b',
      'close 1000',
    ]);
  });

  it('may be binary, and many', async () => {
    const { intake, heard } = makeIntake();
    const binary = packed(Buffer.alloc(400_000), 0xc2);
    intake.push(Buffer.concat([binary, large(), binary, frame.text('end')]));
    await until(() => heard.includes('reads on'));
    expect(heard).toEqual([
      'binary 400000 bytes',
      'text 300000 bytes',
      'binary 400000 bytes',
      'text end',
      'reads on',
    ]);
  });

  it('is kept when the read that it came in is used for something else', async () => {
    const { intake, heard } = makeIntake();
    const read = large();
    intake.push(read);
    read.fill(0xff);
    await until(() => heard.length > 0);
    expect(heard[0]).toBe('text 300000 bytes');
  });

  it.each([
    ['above maxPayload: 1009', packed('x'.repeat(300_001)), 'fault 1009'],
    ['not UTF-8: 1007', packed(Buffer.alloc(300_000, 0xff)), 'fault 1007'],
    [
      'not deflate: 1007',
      clientFrame({ first: 0xc1, payload: Buffer.alloc(70_000, 6) }),
      'fault 1007',
    ],
  ])('is a fault of the peer when it is %s; nothing follows', async (_name, bytes, expected) => {
    const { intake, heard } = makeIntake({ maxPayload: 300_000 });
    intake.push(Buffer.concat([bytes, frame.text('behind')]));
    expect(heard).toEqual([]);
    await until(() => heard.length > 0);
    await turns();
    expect(heard).toEqual([expected]);
  });

  it('U-6 is a fault at once when it is short', () => {
    const { intake, heard } = makeIntake();
    intake.push(Buffer.concat([packed(Buffer.from([0xc0, 0x80])), frame.text('behind')]));
    expect(heard).toEqual(['fault 1007']);
  });
});

describe('stop and start', () => {
  it('hold back what was read, until the caller has returned', async () => {
    const { intake, transport, heard } = makeIntake();
    intake.stop();
    intake.push(frame.text('a'));
    expect([heard, transport.isPaused(), intake.isHalted]).toEqual([[], true, true]);
    intake.start();
    expect(heard).toEqual([]);
    await turns(1);
    expect([heard, transport.isPaused()]).toEqual([['text a', 'reads on'], false]);
  });

  it('may be called from inside of a message, again and again', async () => {
    const fixture = makeIntake();
    fixture.on = (line) => {
      if (line === 'reads on') return;
      fixture.intake.stop();
      fixture.intake.start();
    };
    fixture.intake.push(texts(5));
    expect(fixture.heard).toHaveLength(1);
    await turns();
    expect(fixture.heard.filter((line) => line === 'text .')).toHaveLength(5);
  });

  it('in the same breath end stopped', async () => {
    const { intake, transport, heard } = makeIntake();
    intake.stop();
    intake.push(frame.text('a'));
    intake.start();
    intake.stop();
    await turns();
    expect([heard, transport.isPaused()]).toEqual([[], true]);
  });

  it('while it rests: it goes on when both agree', async () => {
    const { intake, transport, heard } = makeIntake();
    intake.push(texts(600));
    intake.stop();
    await turns();
    expect([heard.length, intake.isBusy, transport.isPaused()]).toEqual([512, false, true]);
    intake.start();
    await turns();
    expect([heard.length, transport.isPaused()]).toEqual([601, false]);
  });

  it('while it rests: started again, it does not go on before its turn', async () => {
    const { intake, heard } = makeIntake();
    intake.push(texts(600));
    intake.stop();
    intake.start();
    await new Promise((resolve) => process.nextTick(resolve, undefined));
    expect(heard).toHaveLength(512);
    await turns();
    expect(heard).toHaveLength(601);
  });

  it('while it inflates: that message is told, and nothing behind it', async () => {
    const { intake, transport, heard } = makeIntake();
    intake.push(Buffer.concat([large(), frame.text('behind')]));
    intake.stop();
    await until(() => heard.length > 0);
    await turns();
    expect([heard, transport.isPaused()]).toEqual([['text 300000 bytes'], true]);
    intake.start();
    await turns();
    expect(heard.slice(1)).toEqual(['text behind', 'reads on']);
    expect(transport.isPaused()).toBe(false);
  });

  it('while it inflates: started again, it does not overtake the message', async () => {
    const { intake, heard } = makeIntake();
    const free = await occupyJobs();
    intake.push(Buffer.concat([large(), frame.text('behind')]));
    intake.stop();
    intake.start();
    await turns();
    expect(heard).toEqual([]);
    free();
    await until(() => heard.includes('reads on'));
    expect(heard).toEqual(['text 300000 bytes', 'text behind', 'reads on']);
  });

  it('do not stop a message in the middle of the bytes of a turn', async () => {
    const fixture = makeIntake();
    fixture.on = (line) => {
      if (line.startsWith('binary')) fixture.intake.stop();
    };
    fixture.intake.push(Buffer.concat([frame.binary(Buffer.alloc(MIB)), frame.text('a')]));
    await turns();
    expect(fixture.heard).toEqual([`binary ${MIB} bytes`]);
    fixture.intake.start();
    await turns();
    expect(fixture.heard).toEqual([`binary ${MIB} bytes`, 'text a', 'reads on']);
  });
});

describe('after the end', () => {
  it('nothing is decoded', () => {
    const { intake, heard } = makeIntake();
    intake.finish();
    intake.push(frame.text('a'));
    intake.start();
    expect([heard, intake.isBusy, intake.isHalted]).toEqual([[], false, false]);
  });

  it('nothing is told of what was read and not decoded', async () => {
    const { intake, heard } = makeIntake();
    intake.push(texts(600));
    intake.finish();
    await turns();
    expect(heard).toHaveLength(512);
  });

  it('nothing is told of what is being inflated, and its place is free again', async () => {
    const { intake, heard } = makeIntake();
    intake.push(large());
    intake.finish();
    const free = await occupyJobs();
    free();
    await turns();
    expect(heard).toEqual([]);
  });

  it('nothing is inflated that waited for its turn', async () => {
    const free = await occupyJobs();
    const { intake, heard } = makeIntake();
    intake.push(large());
    intake.finish();
    free();
    const again = await occupyJobs();
    again();
    await turns();
    expect(heard).toEqual([]);
  });
});

describe('a connection that inflates', () => {
  const wire = (): ReturnType<typeof makeWire> => {
    const { settings, deflate } = compressed();
    return makeWire({ settings: { ...settings, maxPayload: 4 * MIB }, deflate });
  };

  it('answers a ping behind the message it follows', async () => {
    const { peer, socket } = wire();
    const order: string[] = [];
    socket.on('message', (data) => {
      order.push(`message of ${String((data as string).length)}`);
      socket.send('got it', { compress: false });
    });
    peer.write(large(), frame.ping('p'));
    await until(() => peer.pongs.length > 0);
    expect(order).toEqual(['message of 300000']);
    expect(peer.frames.map(({ first }) => first)).toEqual([0x81, 0x8a]);
  });

  it('hears the FIN behind it: 1006, after the message', async () => {
    const { peer, socket, closes } = wire();
    const order: unknown[] = [];
    socket.on('message', (data) => order.push((data as string).length));
    socket.on('close', (code) => order.push(code));
    const free = await occupyJobs();
    peer.write(large());
    peer.stream.end();
    await turns();
    expect([order, closes]).toEqual([[], []]);
    free();
    await until(() => closes.length > 0);
    expect(order).toEqual([300_000, 1006]);
  });

  it('hears the FIN behind a full turn: 1006, after all messages', async () => {
    const { peer, socket, closes } = wire();
    let messages = 0;
    socket.on('message', () => messages++);
    peer.write(texts(2000));
    peer.stream.end();
    await until(() => closes.length > 0);
    expect([messages, closes]).toEqual([2000, ['1006']]);
  });

  it('is told nothing any more when it was terminated meanwhile', async () => {
    const { peer, socket, closes } = wire();
    const messages: unknown[] = [];
    socket.on('message', (data) => messages.push(data));
    const free = await occupyJobs();
    peer.write(large(), frame.text('behind'));
    await turns();
    socket.terminate();
    await turns();
    free();
    await turns();
    expect([messages, closes]).toEqual([[], ['1006']]);
  });

  it('closes with the code of the fault that inflating shows', async () => {
    const { peer, closes } = wire();
    peer.write(packed('x'.repeat(5 * MIB)));
    await until(() => peer.closes.length > 0);
    peer.stream.end();
    await until(() => closes.length > 0);
    expect([peer.closes, closes.map((line) => line.slice(0, 4))]).toEqual([['1009'], ['1009']]);
  });
});
