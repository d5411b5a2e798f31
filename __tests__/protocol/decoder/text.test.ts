import { Buffer } from 'node:buffer';
import { Decoder } from '../../../lib/protocol/decoder';
import { bytesOfText } from '../../../lib/protocol/relay';
import { clientFrame, hex } from '../../support/bytes';
import { binary, cut, expectEveryWay, fault, LIMITS, listener, M, ping, text } from '../every-way';

describe('§8.1 text is UTF-8', () => {
  it.each([
    ['Hello', '48656c6c6f'],
    ['\u03ba\u1f79\u03c3\u03bc\u03b5', 'cebae1bdb9cf83cebcceb5'],
    ['\u0000', '00'],
    ['\u007f\u0080\u07ff\u0800\uffff', '7f c280 dfbf e0a080 efbfbf'],
    ['\ud7ff\ue000\u{10000}\u{10ffff}', 'ed9fbf ee8080 f0908080 f48fbfbf'],
    ['\ufeffa BOM stays', `efbbbf ${Buffer.from('a BOM stays').toString('hex')}`],
    ['a \ufffd that was meant', `6120efbfbd20 ${Buffer.from('that was meant').toString('hex')}`],
  ])('tells %j', (data, digits) => {
    const payload = hex(digits);
    expectEveryWay(clientFrame({ first: 0x81, payload }), [text(data)]);
    for (let at = 0; at <= payload.length; at++) {
      const frames = [
        clientFrame({ first: 0x01, payload: payload.subarray(0, at) }),
        clientFrame({ first: 0x80, payload: payload.subarray(at) }),
      ];
      expectEveryWay(Buffer.concat(frames), [text(data)]);
    }
  });

  const invalid: [string, string][] = [
    ['an over-long NUL', 'c080'],
    ['the over-long lead c1', 'c1bf'],
    ['a surrogate', 'eda080'],
    ['a code point above U+10FFFF', 'f4908080'],
    ['a continuation byte alone', '80'],
    ['a character cut at the end', 'e282'],
    ['f8', 'f8'],
    ['fe', 'fe'],
    ['ff', 'ff'],
    ['an over-long form of three bytes', 'e08080'],
    ['an over-long form of four bytes', 'f0808080'],
    ['a lead byte behind text', '6162c3'],
  ];

  it.each(invalid)('U-1 refuses %s', (_name, digits) => {
    const payload = hex(digits);
    expectEveryWay(clientFrame({ first: 0x81, payload }), [fault(1007)]);
    const two = [
      clientFrame({ first: 0x01, payload }),
      clientFrame({ first: 0x80, payload: hex('') }),
    ];
    expectEveryWay(Buffer.concat(two), [fault(1007)]);
  });

  it.each(invalid)('U-1 refuses %s behind a long text', (_name, digits) => {
    for (const length of [8, 30, 3000]) {
      const payload = Buffer.concat([Buffer.alloc(length, 'a'), hex(digits)]);
      expectEveryWay(clientFrame({ first: 0x81, payload }), [fault(1007)]);
    }
  });

  it('takes any bytes as binary data', () => {
    expectEveryWay(hex(`82 83 ${M} eda080`), [binary('eda080')]);
    expectEveryWay(hex(`02 82 ${M} e282 80 80 ${M}`), [binary('e282')]);
  });

  it('U-2 takes a character over two fragments', () => {
    expectEveryWay(hex(`01 82 ${M} e282 80 81 ${M} ac`), [text('€')]);
  });

  it('U-2 takes a character over four fragments with pings and empty fragments between', () => {
    const between = `89 80 ${M} 00 80 ${M}`;
    const bytes = hex(
      `01 81 ${M} f0 ${between} 00 81 ${M} 9f ${between} 00 81 ${M} 98 ${between} 80 81 ${M} 80`,
    );
    expectEveryWay(bytes, [ping(), ping(), ping(), text('😀')]);
  });

  it('U-3 refuses a character that goes wrong in a later fragment', () => {
    expectEveryWay(hex(`01 81 ${M} e2 80 81 ${M} 28`), [fault(1007)]);
    expectEveryWay(hex(`01 81 ${M} e2 00 80 ${M} 00 81 ${M} 28`), [fault(1007)]);
  });

  it('U-3 does not carry half a character into the next message', () => {
    expectEveryWay(hex(`81 81 ${M} e2 81 82 ${M} 82ac`), [fault(1007)]);
    expectEveryWay(hex(`01 81 ${M} e2 80 80 ${M} 81 82 ${M} 82ac`), [fault(1007)]);
  });

  it('U-4 refuses at the first impossible byte, with the rest of the message outstanding', () => {
    expectEveryWay(hex(`01 82 ${M} f490`), [fault(1007)]);
    expectEveryWay(hex(`81 8a ${M} f490`), [fault(1007)]);
    expectEveryWay(hex(`81 8a ${M} 616162c0`), [fault(1007)]);
    expectEveryWay(hex(`81 8a ${M} 61eda0`), [fault(1007)]);
  });

  it('U-4 waits while the text can still become valid', () => {
    expectEveryWay(hex(`01 82 ${M} f48f`), []);
    expectEveryWay(hex(`81 8a ${M} 61ed9f`), []);
  });
});

describe('the texts of one read', () => {
  const said = (name: string): string[] =>
    ['the first', 'the second', 'the third'].map((which) => `${which} text of ${name}`);
  const frames = (texts: readonly string[]): Buffer =>
    Buffer.concat(texts.map((payload) => clientFrame({ first: 0x81, payload })));

  function hearing(heard: unknown[], then: () => void = () => undefined): Decoder {
    const nothing = (): void => undefined;
    const onMessage = (data: unknown): void => {
      heard.push(data);
      then();
    };
    const others = { onPing: nothing, onPong: nothing, onClose: nothing, onSpent: nothing };
    return new Decoder(LIMITS, { ...others, onMessage, onCompressed: nothing });
  }

  it('stay its own where another decoder is pushed to from inside of a handler', () => {
    const [ones, others]: [unknown[], unknown[]] = [[], []];
    const other = hearing(others);
    const one = hearing(ones, () => other.push(frames(said('the other'))));
    one.push(frames(said('the one')));
    expect(ones).toEqual(said('the one'));
    expect(others).toEqual([...said('the other'), ...said('the other'), ...said('the other')]);
  });

  it('are those it holds, when memory is used for one read after the other', () => {
    const heard: unknown[] = [];
    const decoder = hearing(heard);
    const memory = frames(said('the one'));
    decoder.push(memory);
    frames(said('too')).copy(memory);
    decoder.push(memory.subarray(0, frames(said('too')).length));
    frames(said('the two')).copy(memory);
    decoder.push(memory);
    expect(heard).toEqual([...said('the one'), ...said('too'), ...said('the two')]);
  });
});

describe('§8.1 a long text that is passed on', () => {
  const said = 'Grüße. '.repeat(2048);
  const bytes = clientFrame({ first: 0x81, payload: said });

  /** Whether it is encoded for each who passes it on, or all get the same bytes. */
  function passedOn(): 'encoded' | 'as it came' {
    const [one, another] = [bytesOfText(said), bytesOfText(said)];
    expect([one.toString(), another.toString()]).toEqual([said, said]);
    // Node 26 takes both from one pool.
    const isSame = one.buffer === another.buffer && one.byteOffset === another.byteOffset;
    return isSame ? 'as it came' : 'encoded';
  }

  it.each([
    ['whole', [bytes]],
    ['cut by reads', cut(bytes, [3, 5000])],
  ])('is not encoded again while it is told of, when it came %s', (_name, pieces) => {
    let inside = '';
    const onMessage = (): void => {
      inside = passedOn();
    };
    const decoder = new Decoder(LIMITS, { ...listener([]), onMessage });
    for (const piece of pieces) decoder.push(Buffer.from(piece));
    expect([inside, passedOn()]).toEqual(['as it came', 'encoded']);
  });
});
