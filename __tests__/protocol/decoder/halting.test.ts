import fc from 'fast-check';
import { Decoder } from '../../../lib/protocol/decoder';
import { ProtocolError } from '../../../lib/protocol/errors';
import { hex } from '../../support/bytes';
import { allocationsOf, sum } from '../allocations';
import { anyBytes, offsets } from '../arbitraries';
import { cut, decode, faultOf, LIMITS, listener, M, ping, text } from '../every-way';

describe('halting', () => {
  /** Halts at each event. */
  const halting = (limits = LIMITS): { heard: string[]; decoder: Decoder } => {
    const heard: string[] = [];
    const inner = listener(heard);
    const decoder: Decoder = new Decoder(limits, {
      ...inner,
      onMessage: (data, isBinary) => (inner.onMessage(data, isBinary), decoder.halt()),
      onPing: (payload) => (inner.onPing(payload), decoder.halt()),
      onPong: (payload) => (inner.onPong(payload), decoder.halt()),
      onClose: (close) => (inner.onClose(close), decoder.halt()),
    });
    return { heard, decoder };
  };

  const three = `81 81 ${M} 61 81 81 ${M} 62 89 80 ${M}`;

  it('tells nothing more until it is resumed', () => {
    const { heard, decoder } = halting();
    decoder.push(hex(three));
    expect(heard).toEqual([text('a')]);
    decoder.resume();
    expect(heard).toEqual([text('a'), text('b')]);
    decoder.resume();
    expect(heard).toEqual([text('a'), text('b'), ping()]);
    decoder.resume();
    expect(heard).toHaveLength(3);
  });

  it('keeps what is pushed meanwhile, in order', () => {
    const { heard, decoder } = halting();
    for (const chunk of cut(hex(three), [7, 9, 14, 16])) decoder.push(chunk);
    expect(heard).toEqual([text('a')]);
    decoder.resume();
    decoder.push(hex(`81 81 ${M} 63`));
    decoder.resume();
    decoder.resume();
    expect(heard).toEqual([text('a'), text('b'), ping(), text('c')]);
  });

  it('finds a fault only when it gets there', () => {
    const { heard, decoder } = halting();
    decoder.push(hex(`81 81 ${M} 61 83 80 ${M}`));
    expect(heard).toEqual([text('a')]);
    expect(() => decoder.resume()).toThrow(ProtocolError);
  });

  it('loses nothing when it is halted within a frame', () => {
    const heard: string[] = [];
    const decoder = new Decoder(LIMITS, listener(heard));
    const [start, middle, end] = cut(hex('81 85 37fa213d 7f9f4d5158'), [3, 8]);
    decoder.push(start!);
    decoder.halt();
    decoder.push(middle!);
    decoder.resume();
    decoder.halt();
    decoder.push(end!);
    expect(heard).toEqual([]);
    decoder.resume();
    expect(heard).toEqual([text('Hello')]);
  });

  it('goes straight on when it is resumed within the event', () => {
    const heard: string[] = [];
    const inner = listener(heard);
    const decoder: Decoder = new Decoder(LIMITS, {
      ...inner,
      onMessage: (data, isBinary) => {
        inner.onMessage(data, isBinary);
        decoder.halt();
        decoder.resume();
      },
    });
    decoder.push(hex(three));
    expect(heard).toEqual([text('a'), text('b'), ping()]);
  });

  it('is no matter to a decoder that runs', () => {
    const heard: string[] = [];
    const decoder = new Decoder(LIMITS, listener(heard));
    decoder.resume();
    decoder.push(hex(three));
    decoder.resume();
    expect(heard).toEqual([text('a'), text('b'), ping()]);
  });

  it('tells the same events in the same order wherever it is halted', () => {
    fc.assert(
      fc.property(anyBytes, offsets(400), (stream, at) => {
        const { heard, decoder } = halting({ maxPayload: 200, maxFragments: 40 });
        try {
          for (const chunk of cut(stream, at)) decoder.push(chunk);
          for (let before = -1; before < heard.length; decoder.resume()) before = heard.length;
        } catch (error) {
          heard.push(faultOf(error));
        }
        const expected = decode(cut(stream, []), { maxPayload: 200, maxFragments: 40 });
        expect(heard).toEqual(expected);
      }),
    );
  });
});

it('says whether it was halted', () => {
  const decoder = new Decoder(LIMITS, listener([]));
  expect(decoder.isHalted).toBe(false);
  decoder.halt();
  expect(decoder.isHalted).toBe(true);
  decoder.resume();
  expect(decoder.isHalted).toBe(false);
  decoder.halt();
  decoder.finish();
  expect(decoder.isHalted).toBe(false);
});

describe('the credit of frames', () => {
  const four = `81 81 ${M} 61 01 81 ${M} 62 89 80 ${M} 80 81 ${M} 63`;

  it.each([
    [1, ['spent', text('a')], [ping(), text('bc')]],
    [2, [text('a'), 'spent'], [ping(), text('bc')]],
    [3, [text('a'), 'spent', ping()], [text('bc')]],
    [4, [text('a'), ping(), 'spent', text('bc')], []],
    [5, [text('a'), ping(), text('bc')], []],
  ])('of %i halts behind the last of them, fragments and pings counted', (frames, first, rest) => {
    const heard: string[] = [];
    const decoder = new Decoder(LIMITS, listener(heard));
    decoder.credit = frames;
    decoder.push(hex(four));
    expect([decoder.isHalted, heard]).toEqual([frames < 5, first]);
    decoder.credit = Infinity;
    decoder.resume();
    expect(heard).toEqual([...first, ...rest]);
  });
});

describe('a push from inside of the sink', () => {
  /** Pushes these, one by one, from inside of the first ping. */
  const nesting = (
    inside: readonly string[],
    before: (decoder: Decoder) => void = () => undefined,
  ): { heard: string[]; decoder: Decoder } => {
    const heard: string[] = [];
    const inner = listener(heard);
    const left = [...inside];
    const decoder: Decoder = new Decoder(LIMITS, {
      ...inner,
      onPing: (payload) => {
        inner.onPing(payload);
        before(decoder);
        for (const bytes of left.splice(0)) decoder.push(hex(bytes));
      },
    });
    return { heard, decoder };
  };

  const around = `81 81 ${M} 61 89 80 ${M} 81 81 ${M} 62`;

  it('comes after the rest of the read, in order', () => {
    const { heard, decoder } = nesting([`81 81 ${M} 63`, `81 81 ${M} 64 81`, `81 ${M} 65`]);
    decoder.push(hex(around));
    expect(heard).toEqual([text('a'), ping(), text('b'), text('c'), text('d'), text('e')]);
    decoder.push(hex(`81 81 ${M} 66`));
    expect(heard.at(-1)).toBe(text('f'));
  });

  it('may lead to another one', () => {
    const heard: string[] = [];
    const inner = listener(heard);
    const next = ['63', '64', '65'];
    const decoder: Decoder = new Decoder(LIMITS, {
      ...inner,
      onMessage: (data, isBinary) => {
        inner.onMessage(data, isBinary);
        const payload = next.shift();
        if (payload !== undefined) decoder.push(hex(`81 81 ${M} ${payload}`));
      },
    });
    decoder.push(hex(`81 81 ${M} 61 81 81 ${M} 62`));
    expect(heard).toEqual(['a', 'b', 'c', 'd', 'e'].map(text));
  });

  it('is kept behind the rest of the read when the sink halts', () => {
    const { heard, decoder } = nesting([`81 81 ${M} 63`, `81 81 ${M} 64`], (it) => it.halt());
    decoder.push(hex(around));
    decoder.push(hex(`81 81 ${M} 65`));
    expect(heard).toEqual([text('a'), ping()]);
    decoder.resume();
    expect(heard).toEqual([text('a'), ping(), text('b'), text('c'), text('d'), text('e')]);
  });

  it('goes on when the sink resumes what it has halted', () => {
    const { heard, decoder } = nesting([`81 81 ${M} 63`], (it) => (it.halt(), it.resume()));
    decoder.push(hex(around));
    expect(heard).toEqual([text('a'), ping(), text('b'), text('c')]);
  });

  it('is a fault of the read that it came in', () => {
    const { heard, decoder } = nesting([`83 80 ${M}`]);
    expect(() => decoder.push(hex(around))).toThrow(ProtocolError);
    expect(heard).toEqual([text('a'), ping(), text('b')]);
  });

  it('is ignored, and not kept, once the sink has finished it (§1.4)', () => {
    const inside = [`81 81 ${M} 63`, `81 81 ${M} 64`];
    const open = nesting(inside);
    expect(sum(allocationsOf(() => open.decoder.push(hex(around))))).toBeGreaterThan(0);
    const finished = nesting(inside, (it) => it.finish());
    expect(allocationsOf(() => finished.decoder.push(hex(around)))).toEqual([]);
    expect(finished.heard).toEqual([text('a'), ping()]);
  });
});
