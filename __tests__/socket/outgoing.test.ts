import { bytesOf, isBlob, toControlPayload, toOutgoing } from '../../lib/socket/outgoing';
import { hex } from '../support/bytes';

const memory = hex('00 01 02 03 04 05 06 07');
const around = memory.buffer.slice(memory.byteOffset, memory.byteOffset + 8);
const shared = new SharedArrayBuffer(2);
new Uint8Array(shared).set([7, 8]);

describe('P-1 the bytes of a view are exactly those of the view', () => {
  it.each([
    ['Buffer', memory.subarray(2, 4), hex('0203')],
    ['Uint8Array', new Uint8Array(around, 1, 3), hex('010203')],
    ['DataView', new DataView(around, 6), hex('0607')],
    ['Float32Array', new Float32Array(around, 4, 1), hex('04050607')],
    ['ArrayBuffer', around, memory],
    ['SharedArrayBuffer', shared, hex('0708')],
    ['an empty view', new Uint8Array(0), hex('')],
  ])('%s', (_type, data, expected) => {
    expect(bytesOf(data)).toEqual(expected);
    expect(toOutgoing(data, undefined)).toEqual({ opcode: 2, payload: expected });
    expect(toControlPayload(data)).toEqual(expected);
  });

  it.each([
    [1, 'number'],
    [true, 'boolean'],
    [null, 'null'],
    [undefined, 'undefined'],
    [{}, 'Object'],
    [[1], 'Array'],
    [Symbol('x'), 'symbol'],
    [() => 1, 'function'],
    [new Map(), 'Map'],
  ])('refuses %p', (data, name) => {
    const expected = expect.objectContaining({
      code: 'ERR_WS_INVALID_DATA',
      message: `cannot send ${name}: expected a string, Buffer, ArrayBufferView, ArrayBuffer or Blob`,
    });
    for (const call of [
      () => toOutgoing(data, undefined),
      () => toControlPayload(data as string),
    ]) {
      expect(call).toThrow(TypeError);
      expect(call).toThrow(expected);
    }
  });
});

describe('toOutgoing', () => {
  it('takes strings for text and bytes for binary, unless told otherwise', () => {
    expect(toOutgoing('é', undefined)).toEqual({ opcode: 1, payload: 'é' });
    expect(toOutgoing('é', false)).toEqual({ opcode: 1, payload: 'é' });
    expect(toOutgoing('é', true)).toEqual({ opcode: 2, payload: hex('c3a9') });
    expect(toOutgoing(hex('c3a9'), true)).toEqual({ opcode: 2, payload: hex('c3a9') });
    expect(toOutgoing(hex('c3a9'), false)).toEqual({ opcode: 1, payload: hex('c3a9') });
  });

  it('does not send as text what is not UTF-8 (§5.6)', () => {
    expect(() => toOutgoing(hex('c3'), false)).toThrow(
      expect.objectContaining({ code: 'ERR_WS_INVALID_DATA' }),
    );
  });
});

describe('toControlPayload', () => {
  it('takes up to 125 bytes (§5.5)', () => {
    expect(toControlPayload('é'.repeat(62))).toHaveLength(124);
    expect(toControlPayload(Buffer.alloc(125))).toHaveLength(125);
    expect(() => toControlPayload('é'.repeat(63))).toThrow(
      new RangeError('a ping or pong carries at most 125 bytes, got 126 (RFC 6455 §5.5)'),
    );
  });
});

describe('isBlob', () => {
  it('knows a Blob', () => {
    expect([isBlob(new Blob([])), isBlob({}), isBlob('')]).toEqual([true, false, false]);
  });
});
