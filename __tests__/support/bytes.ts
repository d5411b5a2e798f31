/** Bytes as the RFC prints them: `hex('81 85 37fa213d 7f9f4d5158')`. */
export function hex(text: string): Buffer {
  const digits = text.replaceAll(/\s/g, '');
  if (digits.length % 2 !== 0 || /[^0-9a-f]/i.test(digits)) throw new Error(`not hex: ${text}`);
  return Buffer.from(digits, 'hex');
}

/** The same bytes, so many times. */
export function repeat(bytes: string | Buffer, times: number): Buffer {
  const once = typeof bytes === 'string' ? hex(bytes) : bytes;
  return Buffer.alloc(once.length * times, once);
}

/** What a client frame needs; written from RFC 6455 §5.2, apart from the library's encoder. */
export interface ClientFrame {
  readonly first: number;
  readonly payload?: Buffer | string;
  readonly key?: string;
}

/** A masked frame, built without the code under test. */
export function clientFrame({ first, payload = '', key = '00000000' }: ClientFrame): Buffer {
  const body = Buffer.from(payload as string);
  const mask = hex(key);
  const masked = Buffer.from(body);
  for (let i = 0; i < masked.length; i++) masked[i] = masked[i]! ^ mask[i % 4]!;
  return Buffer.concat([clientLength(first, body.length), mask, masked]);
}

function clientLength(first: number, length: number): Buffer {
  if (length < 126) return Buffer.from([first, 0x80 | length]);
  if (length <= 0xffff) return Buffer.from([first, 0xfe, length >> 8, length & 0xff]);
  const header = Buffer.alloc(10);
  header[0] = first;
  header[1] = 0xff;
  header.writeBigUInt64BE(BigInt(length), 2);
  return header;
}
