import { Buffer } from 'node:buffer';
import type * as bufferText from '../../lib/protocol/buffer-text';
import * as asItIs from '../../lib/protocol/buffer-text';

/** The module as it is where Buffers do not have these any more. */
function loadWithout(...names: string[]): typeof bufferText {
  const prototype: object = Buffer.prototype;
  const had = names.map(
    (name) => [name, Object.getOwnPropertyDescriptor(prototype, name)!] as const,
  );
  let loaded!: typeof bufferText;
  try {
    for (const name of names) Reflect.deleteProperty(prototype, name);
    jest.isolateModules(() => {
      loaded = jest.requireActual<typeof bufferText>('../../lib/protocol/buffer-text');
    });
  } finally {
    for (const [name, property] of had) Object.defineProperty(prototype, name, property);
  }
  return loaded;
}

describe.each([
  ['by the methods that are not documented', asItIs],
  ['by the documented ones', loadWithout('latin1Slice', 'latin1Write', 'utf8Write')],
])('text of a Buffer, %s', (_how, { latin1Of, writeLatin1, writeUtf8 }) => {
  it('is read as Latin-1', () => {
    expect(latin1Of(Buffer.from([0x61, 0x62, 0xe9, 0x7f, 0x63]), 1, 4)).toBe('b\xe9\x7f');
    expect(latin1Of(Buffer.from('a'), 1, 1)).toBe('');
  });

  it('is written as Latin-1', () => {
    const target = Buffer.alloc(6, 0x2e);
    expect(writeLatin1(target, 'b\xe9\x7f', 1)).toBe(3);
    expect(target.toString('latin1')).toBe('.b\xe9\x7f..');
    expect(writeLatin1(target, '', 1)).toBe(0);
  });

  it.each([
    ['', ''],
    ['aé€😀', '61c3a9e282acf09f9880'],
  ])('is written as UTF-8: %j', (text, digits) => {
    const target = Buffer.alloc(20);
    expect(writeUtf8(target, text, 3)).toBe(digits.length / 2);
    expect(target.toString('hex', 3, 3 + digits.length / 2)).toBe(digits);
    expect(target.fill(0, 3, 3 + digits.length / 2)).toEqual(Buffer.alloc(20));
  });
});
