import { Buffer } from 'node:buffer';
import { Decoder } from '../../../lib/protocol/decoder';
import { clientFrame, hex, repeat } from '../../support/bytes';
import { allocationsOf, sum } from '../allocations';
import {
  binary,
  closed,
  cut,
  decode,
  expectEveryWay,
  fault,
  LIMITS,
  listener,
  M,
  ping,
  pong,
  text,
  zeros,
} from '../every-way';

describe('§5.5 control frames', () => {
  it.each([0, 1, 124, 125])('tells a ping, a pong and a close with %i bytes', (length) => {
    const payload = Buffer.alloc(length, 0x5a);
    const digits = payload.toString('hex');
    expectEveryWay(clientFrame({ first: 0x89, payload }), [ping(digits)]);
    expectEveryWay(clientFrame({ first: 0x8a, payload }), [pong(digits)]);
  });

  it.each([
    ['a close that is not final', `08 80 ${M}`],
    ['a ping that is not final', `09 80 ${M}`],
    ['a pong that is not final', `0a 80 ${M}`],
    ['a close that is neither final nor without RSV1', `48 80 ${M}`],
    ['a ping of 126 bytes', `89 fe 007e ${M} ${zeros(126)}`],
    ['a close of 126 bytes', `88 fe 007e ${M}`],
    ['a pong of 126 bytes', `8a fe 007e ${M}`],
    ['a ping of 126 bytes in 64 bits', `89 ff 000000000000007e ${M}`],
    ['a pong of 2^63 bytes', `8a ff 8000000000000000 ${M}`],
  ])('L-8 refuses %s', (_name, bytes) => {
    expectEveryWay(hex(bytes), [fault(1002)]);
    expectEveryWay(hex(bytes).subarray(0, 2), [fault(1002)]);
    expectEveryWay(hex(`01 81 ${M} 61 ${bytes}`), [fault(1002)]);
  });

  it.each([8, 504, 65_000])('may begin %i bytes into a read, and end in the next', (ahead) => {
    const pings = repeat(`89 82 ${M} 6162`, ahead / 8);
    const bytes = Buffer.concat([pings, hex('8a 85 37fa213d 7f9f4d5158')]);
    const heard = [...Array<string>(ahead / 8).fill(ping('6162')), pong('48656c6c6f')];
    for (const at of [7, 8, 10]) expect(decode(cut(bytes, [ahead + at]))).toEqual(heard);
  });

  it('P-3 tells a pong as it is: unsolicited, wrong or doubled', () => {
    const bytes = hex(`8a 80 ${M} 89 81 ${M} 61 8a 81 ${M} 62 8a 81 ${M} 61 8a 81 ${M} 61`);
    expectEveryWay(bytes, [pong(), ping('61'), pong('62'), pong('61'), pong('61')]);
  });
});

describe('§5.5.1 close', () => {
  const withCode = (code: number): Buffer =>
    hex(`88 82 ${M} ${code.toString(16).padStart(4, '0')}`);

  it.each([
    1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
  ])('C-1 tells code %i', (code) => {
    expectEveryWay(withCode(code), [closed(code)]);
  });

  it.each([0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535])(
    'C-1 refuses code %i',
    (code) => {
      expectEveryWay(withCode(code), [fault(1002)]);
    },
  );

  it('C-1 refuses a body of one byte and takes an empty one as "no code"', () => {
    expectEveryWay(hex(`88 81 ${M} 03`), [fault(1002)]);
    expectEveryWay(hex(`88 80 ${M}`), [closed(1005)]);
  });

  it('tells the reason, up to 123 bytes of UTF-8', () => {
    const reason = '€'.repeat(41);
    const payload = Buffer.concat([hex('0fa0'), Buffer.from(reason)]);
    expectEveryWay(clientFrame({ first: 0x88, payload }), [closed(4000, reason)]);
  });

  it('U-5 refuses a reason that is not UTF-8', () => {
    expectEveryWay(hex(`88 83 ${M} 03e8 ce`), [fault(1007)]);
    expectEveryWay(hex(`88 85 ${M} 03e8 eda080`), [fault(1007)]);
  });

  it('C-2 ignores everything behind a close', () => {
    const close = `88 82 ${M} 03e8`;
    expectEveryWay(hex(`${close} 81 81 ${M} 61`), [closed(1000)]);
    expectEveryWay(hex(`${close} ${close}`), [closed(1000)]);
    expectEveryWay(hex(`${close} ff ff ff`), [closed(1000)]);
  });
});

describe('§7.1.7 a fault', () => {
  it('L-12 is told once, and nothing behind it is', () => {
    const bad = Buffer.concat([hex(`81 81 ${M} 61`), repeat(`83 80 ${M}`, 11)]);
    expectEveryWay(Buffer.concat([bad, hex(`81 81 ${M} 62`)]), [text('a'), fault(1002)]);
  });

  it('leaves what was told before it', () => {
    const bytes = hex(`89 81 ${M} 61 82 81 ${M} 01 81 81 ${M} 62 81 81 ${M} ff`);
    expectEveryWay(bytes, [ping('61'), binary('01'), text('b'), fault(1007)]);
  });
});

describe('§1.4 after the close', () => {
  it('ignores what is pushed after finish()', () => {
    const heard: string[] = [];
    const decoder = new Decoder(LIMITS, listener(heard));
    decoder.finish();
    decoder.push(hex(`81 81 ${M} 61 83 80 ${M}`));
    expect(heard).toEqual([]);
  });

  it('ignores the rest of a read when it is finished within an event', () => {
    const heard: string[] = [];
    const decoder: Decoder = new Decoder(LIMITS, {
      ...listener(heard),
      onPing: () => decoder.finish(),
    });
    decoder.push(hex(`81 81 ${M} 61 89 80 ${M} 81 81 ${M} 62 ff ff`));
    expect(heard).toEqual([text('a')]);
  });

  it('forgets what was kept, and a message that was open', () => {
    const heard: string[] = [];
    const decoder: Decoder = new Decoder(LIMITS, {
      ...listener(heard),
      onPing: () => decoder.halt(),
    });
    decoder.push(hex(`01 81 ${M} 61 89 80 ${M} 80 81 ${M} 62`));
    decoder.finish();
    decoder.halt();
    decoder.resume();
    decoder.push(hex(`80 81 ${M} 62`));
    expect(heard).toEqual([]);
  });

  it('keeps nothing of what comes after, also when it was halted', () => {
    const flood = (stop: (decoder: Decoder) => void): number[] => {
      const decoder: Decoder = new Decoder(LIMITS, {
        ...listener([]),
        onPing: () => stop(decoder),
      });
      const chunk = hex(`89 80 ${M} 81 81 ${M} 62`);
      return allocationsOf(() => {
        for (let push = 0; push < 100; push++) decoder.push(chunk);
      });
    };
    const halted = flood((decoder) => decoder.halt());
    expect(sum(halted)).toBeGreaterThan(0);
    expect(flood((decoder) => decoder.finish())).toEqual([]);
    expect(flood((decoder) => (decoder.halt(), decoder.finish()))).toEqual([]);
  });

  it('copies nothing of a read that has more behind a close', () => {
    const decoder = new Decoder(LIMITS, listener([]));
    const chunk = Buffer.allocUnsafeSlow(65_536);
    const used = hex(`88 82 ${M} 03e8 81 81 ${M} 62`).copy(chunk);
    const copies = jest.spyOn(Buffer, 'from');
    decoder.push(chunk.subarray(0, used));
    const { length } = copies.mock.calls;
    copies.mockRestore();
    expect(length).toBe(0);
  });

  it('forgets what it kept while it was halted', () => {
    const decoder = new Decoder(LIMITS, listener([]));
    decoder.halt();
    decoder.push(hex(`81 81 ${M} 62`));
    decoder.finish();
    expect(allocationsOf(() => decoder.push(hex(`81 81 ${M} 62`)))).toEqual([]);
  });

  it('forgets half a control frame', () => {
    const heard: string[] = [];
    const decoder = new Decoder(LIMITS, listener(heard));
    decoder.push(hex(`89 82 ${M} 61`));
    decoder.finish();
    decoder.push(hex('62'));
    expect(heard).toEqual([]);
  });
});
