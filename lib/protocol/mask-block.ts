import { Buffer } from 'node:buffer';

/** Bytes that are masked at a time: one page of WebAssembly memory. */
const BLOCK = 65_536;

/**
 * Sixteen bytes an instruction, put together by hand:
 *
 * ```
 * (module
 *   (memory (export "m") 1)
 *   (func (export "x") (param $length i32) (param $key i32) (local $at i32) (local $keys v128)
 *     (local.set $keys (i32x4.splat (local.get $key)))
 *     (loop                                                ;; four times 16 bytes, then the next 64
 *       (v128.store (local.get $at) (v128.xor (v128.load (local.get $at)) (local.get $keys)))
 *       (v128.store offset=16 … ) (v128.store offset=32 … ) (v128.store offset=48 … )
 *       (br_if 0 (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 64)))
 *                          (local.get $length))))))
 * ```
 */
const CODE = [
  '0061736d 01000000', // magic, version 1
  '01 06 01 60 02 7f 7f 00', // type 0: (i32, i32) → ()
  '03 02 01 00', // function 0 has it
  '05 03 01 00 01', // a memory of one page
  '07 09 02 01 6d 02 00 01 78 00 00', // exports "m" and "x"
  '0a 5e 01 5c 02 01 7f 01 7b', // its code, and the locals
  '20 01 fd11 21 03', // $keys
  '03 40', // loop
  '20 02 20 02 fd000400 20 03 fd51 fd0b0400',
  '20 02 20 02 fd000410 20 03 fd51 fd0b0410',
  '20 02 20 02 fd000420 20 03 fd51 fd0b0420',
  '20 02 20 02 fd000430 20 03 fd51 fd0b0430',
  '20 02 41c000 6a 22 02 20 00 49 0d 00', // the next 64, while $at < $length
  '0b 0b', // end of the loop, of the function
].join('');

/** Bytes with a masking key to be applied to them. */
export interface Masked {
  readonly source: Buffer;
  readonly start: number;
  readonly end: number;
  /** The key, rotated to the first byte, as a word in the byte order of this machine. */
  readonly word: number;
}

/** Copies with the masking key applied; the target may be the source. */
export type MaskBlocks = (masked: Masked, target: Buffer, at: number) => void;

/** The part of WebAssembly that is used: the types of Node do not have it. */
interface WebAssemblyApi {
  readonly Module: new (code: Buffer) => object;
  readonly Instance: new (module: object) => {
    readonly exports: {
      readonly m: { readonly buffer: ArrayBuffer };
      readonly x: (length: number, key: number) => void;
    };
  };
}

/** Masking by WebAssembly; `undefined` where that is missing or must not be used. */
export function makeMaskBlocks(): MaskBlocks | undefined {
  const { WebAssembly: api } = globalThis as { WebAssembly?: WebAssemblyApi };
  if (api === undefined) return undefined;
  try {
    const code = Buffer.from(CODE.replaceAll(' ', ''), 'hex');
    const { m: memory, x: mask } = new api.Instance(new api.Module(code)).exports;
    const block = new Uint8Array(memory.buffer);
    return ({ source, start, end, word }, target, at) => {
      for (let from = start; from < end; from += BLOCK) {
        const count = Math.min(BLOCK, end - from);
        block.set(source.subarray(from, from + count));
        mask(count, word);
        target.set(count === BLOCK ? block : block.subarray(0, count), at + from - start);
      }
    };
  } catch {
    // An embedder may forbid making code, or an old processor lack SIMD.
    return undefined;
  }
}
