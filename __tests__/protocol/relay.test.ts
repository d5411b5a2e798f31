import { ProtocolError } from '../../lib/protocol/errors';
import { applyMask, type MaskedBytes } from '../../lib/protocol/mask';
import { copyUnmasked } from '../../lib/protocol/read-image';
import { bytesOfText, tellDecoded, tellText, writeText } from '../../lib/protocol/relay';
import { loadWith } from './with-mask-memory';

const KEY = 0x37fa213d;

/** Bytes in memory that is so much larger than they are. */
function received(text: string, times: number): Buffer {
  const length = Buffer.byteLength(text);
  const memory = Buffer.allocUnsafeSlow(length * times);
  memory.write(text, 0);
  return memory.subarray(0, length);
}

/** What is sent for `passedOn` while `text` is told of. */
function whileTold(text: string, bytes: Buffer, passedOn: string): Buffer {
  let sent: Buffer = Buffer.alloc(0);
  const onMessage = (): void => {
    sent = bytesOfText(passedOn);
  };
  tellDecoded({ onMessage }, text, bytes);
  return sent;
}

const TEXT = 'ü'.repeat(4096);

it('tells of the text', () => {
  const heard: unknown[] = [];
  const onMessage = (...all: unknown[]): unknown => heard.push(all);
  tellDecoded({ onMessage }, TEXT, received(TEXT, 1));
  expect(heard).toEqual([[TEXT, false]]);
});

it.each([15, 16, 8191, 8192])('decodes a text of %i bytes and tells of it', (length) => {
  const heard: unknown[] = [];
  const text = 'a'.repeat(length);
  const onMessage = (...all: unknown[]): unknown => heard.push(all);
  const source = Buffer.from(`..${text}..`);
  applyMask(source, 2, 2 + length, KEY);
  tellText({ onMessage }, { source, start: 2, end: 2 + length, key: KEY });
  expect(heard).toEqual([[text, false]]);
});

it.each([15, 16, 8191, 8192])('refuses %i bytes that are not UTF-8', (length) => {
  const masked = { source: Buffer.alloc(length, 0xff), start: 0, end: length, key: 0 };
  const tell = (): void => tellText({ onMessage: jest.fn() }, masked);
  expect(tell).toThrow(ProtocolError);
});

it.each([
  [8191, false],
  [8192, true],
])('of a text of %i bytes, those it came as go out again: %j', (length, areTheSame) => {
  const memory = Buffer.alloc(100 + length, 'a');
  let sent: Buffer | undefined;
  const onMessage = (text: string): void => {
    sent = bytesOfText(text);
  };
  applyMask(memory, 100, 100 + length, KEY);
  tellText({ onMessage }, { source: memory, start: 100, end: 100 + length, key: KEY });
  expect(sent?.equals(Buffer.alloc(length, 'a'))).toBe(true);
  expect(sent?.buffer === memory.buffer).toBe(areTheSame);
});

describe('a text that is passed on while it is told of', () => {
  it('goes out as the bytes it came as', () => {
    const bytes = received(TEXT, 2);
    const sent = whileTold(TEXT, bytes, TEXT);
    expect(sent.toString()).toBe(TEXT);
    expect(sent.buffer).toBe(bytes.buffer);
  });

  it('is known by what it says', () => {
    const bytes = received(TEXT, 2);
    expect(whileTold(TEXT, bytes, Buffer.from(TEXT).toString()).buffer).toBe(bytes.buffer);
  });

  it('goes out as a copy where the bytes hold much more memory than they are', () => {
    const bytes = received(TEXT, 5);
    const sent = whileTold(TEXT, bytes, TEXT);
    expect(sent.toString()).toBe(TEXT);
    expect(sent.buffer).not.toBe(bytes.buffer);
  });
});

describe('any other text', () => {
  it('is encoded, even when it is as long', () => {
    const other = `${TEXT.slice(1)}ö`;
    expect(whileTold(TEXT, received(TEXT, 1), other).toString()).toBe(other);
  });

  it('is encoded when nothing is told of', () => {
    expect(bytesOfText('Hellö').toString('hex')).toBe('48656c6cc3b6');
  });

  it('is encoded when it was told of before', () => {
    const bytes = received(TEXT, 1);
    whileTold(TEXT, bytes, TEXT);
    expect(bytesOfText(TEXT).toString()).toBe(TEXT);
    expect(bytesOfText(TEXT).buffer).not.toBe(bytes.buffer);
  });
});

interface BufferText {
  utf8Write(text: string, at: number): number;
}

/** Where a text lies, masked, in the middle of a read. */
function masked(text: string): MaskedBytes {
  const end = 7 + Buffer.byteLength(text);
  const source = Buffer.from(`another${text}, and more`);
  applyMask(source, 7, end, KEY);
  return { source, start: 7, end, key: KEY };
}

/** What is written for `text`, in the middle of other bytes. */
function written(text: string): string {
  const target = Buffer.alloc(3 * text.length + 2, 0x2e);
  const end = 1 + writeText(target, text, 1);
  expect(target.toString('latin1', 0, 1)).toBe('.');
  expect(target.toString('latin1', end)).toBe('.'.repeat(target.length - end));
  return target.toString('utf8', 1, end);
}

describe('a text that is written while it is told of', () => {
  it.each(['', 'a', 'ü', 'a'.repeat(15), 'ü'.repeat(7), 'a'.repeat(16), 'ü'.repeat(8), TEXT])(
    'is the same text: %j',
    (text) => {
      const heard: string[] = [];
      const onMessage = (said: string): unknown => heard.push(said, written(said));
      tellText({ onMessage }, masked(text));
      expect(heard).toEqual([text, text]);
    },
  );

  it('is written as the bytes it came as', () => {
    let wrote = '';
    const onMessage = (text: string): void => {
      wrote = written(text);
    };
    // Not what it was decoded from, to tell the two apart.
    tellDecoded({ onMessage }, 'ü'.repeat(40), Buffer.from('ö'.repeat(40)));
    expect(wrote).toBe('ö'.repeat(40));
  });

  it.each([
    ['with WebAssembly', { tellText, writeText }],
    ['without it', loadWith('relay', undefined)],
  ])('is not encoded again from 16 bytes on, %s', (_where, module) => {
    const encode = jest.spyOn(Buffer.prototype as unknown as BufferText, 'utf8Write');
    const timesEncoded = [15, 16, 17, 100, 8191, 8192].map((length) => {
      const message = masked('ü'.repeat(length >> 1).padEnd(length - (length >> 1), '.'));
      const target = Buffer.alloc(8192);
      encode.mockClear();
      module.tellText({ onMessage: (text) => module.writeText(target, text, 0) }, message);
      return encode.mock.calls.length;
    });
    encode.mockRestore();
    expect(timesEncoded).toEqual([1, 0, 0, 0, 0, 0]);
  });

  it('may be any other', () => {
    const others = ['', 'ö'.repeat(40), 'ü'.repeat(41), 'u'.repeat(80), '€'.repeat(40)];
    const heard: string[] = [];
    const onMessage = (): unknown => heard.push(...others.map(written));
    tellText({ onMessage }, masked('ü'.repeat(40)));
    expect(heard).toEqual(others);
  });

  it.each(['a text', 'ö'.repeat(40), 'b'.repeat(100), TEXT])(
    'is written as well when %j of another read was told of meanwhile',
    (other) => {
      const text = 'ü'.repeat(40);
      const heard: string[] = [];
      const onMessage = (): void => {
        tellText({ onMessage: (said) => heard.push(written(said)) }, masked(other));
        heard.push(written(text));
      };
      tellText({ onMessage }, masked(text));
      expect(heard).toEqual([other, text]);
    },
  );

  it.each([Buffer.alloc(20, 'b'), Buffer.alloc(9000, 'b')])(
    'is written as well when bytes of another read were copied meanwhile',
    (source) => {
      const text = 'ü'.repeat(40);
      let wrote = '';
      const onMessage = (): void => {
        copyUnmasked({ source, start: 0, end: source.length, key: KEY }, Buffer.alloc(9000), 0);
        wrote = written(text);
      };
      tellText({ onMessage }, masked(text));
      expect(wrote).toBe(text);
    },
  );

  it('is written as well when a bad text of another read came meanwhile', () => {
    const text = 'ü'.repeat(40);
    const bad = { source: Buffer.alloc(100, 0xff), start: 0, end: 100, key: 0 };
    let wrote = '';
    const onMessage = (): void => {
      expect(() => tellText({ onMessage: jest.fn() }, bad)).toThrow(ProtocolError);
      wrote = written(text);
    };
    tellText({ onMessage }, masked(text));
    expect(wrote).toBe(text);
  });

  it('is encoded when the memory it came in was given to somebody else', () => {
    const heard: string[] = [];
    const bytes = received(TEXT, 1);
    const onMessage = (text: string): void => {
      structuredClone(bytes.buffer, { transfer: [bytes.buffer as ArrayBuffer] });
      heard.push(written(text), bytesOfText(text).toString());
    };
    tellDecoded({ onMessage }, TEXT, bytes);
    expect(heard).toEqual([TEXT, TEXT]);
  });
});
