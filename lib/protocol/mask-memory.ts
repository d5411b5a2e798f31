import { Buffer } from 'node:buffer';

/** One page of WebAssembly memory, as large as a read of Node's at the most. */
export const PAGE: number = 65_536;

/** The first page is for the read at hand, the second for what is masked a block at a time. */
export const BLOCK_AT: number = PAGE;

/** Fewer bytes than this cannot be masked at once. */
export const MIN_MASKED: number = 16;

/**
 * Sixteen bytes an instruction, put together by hand:
 *
 * ```
 * (module
 *   (memory (export "m") 2)
 *   (func (export "x") (param $at i32) (param $length i32) (param $key i32) (result i32)
 *     (local $last i32) (local $keys v128) (local $tail v128) (local $seen v128)
 *     (local $a v128) (local $b v128) (local $c v128) (local $d v128)
 *     $last = $at + $length - 16
 *     $keys = i32x4.splat($key)
 *     $tail = $seen = v128.load($last) ^ i32x4.splat(i32.rotr($key, $length << 3))
 *     (block (loop                                   ;; four times 16 bytes, then the next 64
 *       (br_if 1 (i32.gt_u ($at + 64) $last))
 *       v128.store($at, $a = v128.load($at) ^ $keys) … offset=16 $b … offset=32 $c … offset=48 $d
 *       $seen |= ($a | $b) | ($c | $d)
 *       $at += 64 (br 0)))
 *     (block (loop                                   ;; the same for 16
 *       (br_if 1 (i32.ge_u $at $last))
 *       v128.store($at, $a = v128.load($at) ^ $keys)
 *       $seen |= $a
 *       $at += 16 (br 0)))
 *     v128.store($last, $tail)                       ;; the last 16 may lie over bytes that were masked above
 *     (i8x16.bitmask $seen)))
 * ```
 */
const CODE = [
  '0061736d 01000000', // magic, version 1
  '01 08 01 60 03 7f 7f 7f 01 7f', // type 0: (i32, i32, i32) → i32
  '03 02 01 00', // function 0 has it
  '05 03 01 00 02', // a memory of two pages
  '07 09 02 01 6d 02 00 01 78 00 00', // exports "m" and "x"
  '0a e201 01 df01 02 01 7f 07 7b', // its code, and the locals
  '20 00 20 01 6a 41 10 6b 21 03', // $last
  '20 02 fd11 21 04', // $keys
  '20 03 fd000400 20 02 20 01 41 03 74 78 fd11 fd51 22 05 21 06', // $tail, $seen
  '02 40 03 40', // 64 at a time
  '20 00 41c000 6a 20 03 4b 0d 01',
  '20 00 20 00 fd000400 20 04 fd51 22 07 fd0b0400',
  '20 00 20 00 fd000410 20 04 fd51 22 08 fd0b0410',
  '20 00 20 00 fd000420 20 04 fd51 22 09 fd0b0420',
  '20 00 20 00 fd000430 20 04 fd51 22 0a fd0b0430',
  '20 06 20 07 20 08 fd50 20 09 20 0a fd50 fd50 fd50 21 06',
  '20 00 41c000 6a 21 00 0c 00',
  '0b 0b',
  '02 40 03 40', // 16 at a time
  '20 00 20 03 4f 0d 01',
  '20 00 20 00 fd000400 20 04 fd51 22 07 fd0b0400',
  '20 06 20 07 fd50 21 06',
  '20 00 41 10 6a 21 00 0c 00',
  '0b 0b',
  '20 03 20 05 fd0b0400', // $tail
  '20 06 fd64', // one bit of each octet that is not ASCII
  '0b',
].join('');

/** Memory in which bytes are masked by SIMD, faster than anywhere else even when they are copied there. */
export interface MaskMemory {
  readonly bytes: Buffer;
  /** `bytes[at..at + length)`, to be copied from: a third of what `subarray` of a Buffer takes. */
  readonly view: (at: number, length: number) => Uint8Array;
  /**
   * Applies a masking key (RFC 6455 §5.3) to `bytes[at..at + length)`.
   *
   * @param length - at least {@link MIN_MASKED}
   * @param key - read as one big-endian number
   * @returns whether all of them are ASCII now
   */
  readonly mask: (at: number, length: number, key: number) => boolean;
}

/** The part of WebAssembly that is used: the types of Node do not have it. */
interface WebAssemblyApi {
  readonly Module: new (code: Buffer) => object;
  readonly Instance: new (module: object) => {
    readonly exports: {
      readonly m: { readonly buffer: ArrayBuffer };
      readonly x: (at: number, length: number, key: number) => number;
    };
  };
}

/** `undefined` where WebAssembly is missing or must not be used. */
export function makeMaskMemory(): MaskMemory | undefined {
  const { WebAssembly: api } = globalThis as { WebAssembly?: WebAssemblyApi };
  if (api === undefined) return undefined;
  try {
    const code = Buffer.from(CODE.replaceAll(' ', ''), 'hex');
    const { m: memory, x: mask } = new api.Instance(new api.Module(code)).exports;
    const { buffer } = memory;
    return {
      bytes: Buffer.from(buffer),
      view: (at, length) => new Uint8Array(buffer, at, length),
      mask: (at, length, key) => mask(at, length, littleEndian(key)) === 0,
    };
  } catch {
    // An embedder may forbid making code, or an old processor lack SIMD.
    return undefined;
  }
}

/** WebAssembly's memory is little-endian on every machine. */
function littleEndian(key: number): number {
  return (key >>> 24) | ((key >>> 8) & 0xff00) | ((key << 8) & 0xff0000) | (key << 24);
}

/**
 * For all connections. What is in the second page is taken from there at once; who uses the first has to
 * know whose read it holds.
 */
export const maskMemory: MaskMemory | undefined = makeMaskMemory();
