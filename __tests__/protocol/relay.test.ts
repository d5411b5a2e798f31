import { ProtocolError } from '../../lib/protocol/errors';
import { applyMask } from '../../lib/protocol/mask';
import { bytesOfText, tellLongText, tellText } from '../../lib/protocol/relay';

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
  tellLongText({ onMessage }, text, bytes);
  return sent;
}

const TEXT = 'ü'.repeat(4096);

it('tells of the text', () => {
  const heard: unknown[] = [];
  const onMessage = (...all: unknown[]): unknown => heard.push(all);
  tellLongText({ onMessage }, TEXT, received(TEXT, 1));
  expect(heard).toEqual([[TEXT, false]]);
});

it.each([8191, 8192])('decodes a text of %i bytes and tells of it', (length) => {
  const heard: unknown[] = [];
  const text = 'a'.repeat(length);
  const onMessage = (...all: unknown[]): unknown => heard.push(all);
  const source = Buffer.from(`..${text}..`);
  applyMask(source, 2, 2 + length, KEY);
  tellText({ onMessage }, { source, start: 2, end: 2 + length, key: KEY });
  expect(heard).toEqual([[text, false]]);
});

it.each([8191, 8192])('refuses %i bytes that are not UTF-8', (length) => {
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
