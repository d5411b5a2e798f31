import { Buffer } from 'node:buffer';
import * as every from '../protocol/every-way';
import { stopAll } from '../scenarios/support/server';
import { clientFrame, hex } from '../support/bytes';
import {
  binary,
  binaryPart,
  close,
  fragments,
  last,
  ofOpcode,
  part,
  text,
  textPart,
} from './support/frames';
import { echoTarget, Link, targetOf } from './support/target';
import { readFrames, transcript } from './support/transcript';
import { expectEarly, expectEveryWay } from './support/ways';

/* RFC 6455 §5.1 to §5.3 and §5.6 to §5.8: the frame, the mask, and data. */

afterEach(stopAll);

const FAILED = every.closed(1002);

type Row = readonly [what: string, bytes: string, heard: readonly string[]];

async function expectHeard(frames: readonly Buffer[], heard: readonly string[]): Promise<void> {
  await expectEveryWay(await echoTarget(), { frames, heard });
}

describe('§5.1 the mask', () => {
  it.each<Row>([
    ['a text', '81 05 48656c6c6f', [FAILED]],
    ['a text without payload', '81 00', [FAILED]],
    ['a binary message', '82 01 00', [FAILED]],
    ['a first fragment', '01 01 61', [FAILED]],
    ['a ping', '89 00', [FAILED]],
    ['a pong', '8a 01 61', [FAILED]],
    ['a close', '88 02 03e8', [FAILED]],
    ['16 bits of length', '81 7e 007e', [FAILED]],
    ['64 bits of length', '81 7f 0000000000010000', [FAILED]],
  ])('must be on every frame of a client: %s without it fails', (_what, bytes, heard) =>
    expectHeard([hex(bytes)], heard),
  );

  it('must be on every frame: a masked one before excuses none', () =>
    expectHeard([text('ok'), hex('81 05 48656c6c6f')], [every.text('ok'), FAILED]));

  it('fails at the second byte of a frame without it, and waits for no more', async () =>
    expectEarly(await echoTarget(), { sent: [hex('81 7f')], heard: [FAILED] }));

  it('is on no frame of the server, whatever it sends', async () => {
    const server = await targetOf((socket) => {
      socket.ping('p');
      socket.pong();
      for (const size of [0, 125, 126, 65_535, 65_536]) socket.send('a'.repeat(size));
      socket.send(Buffer.alloc(70_000));
      socket.send('a', { fin: false });
      socket.send('b');
    });
    const link = await Link.open(server);
    await link.send(close(1000));
    // Takes nothing but frames without a mask.
    expect(readFrames(await link.peer.readToEnd())).toHaveLength(11);
  });
});

describe('§5.2 RSV1, RSV2, RSV3', () => {
  const bits = [1, 2, 3, 4, 5, 6, 7];
  const starts: [what: string, first: number][] = [
    ['a text', 0x81],
    ['a binary message', 0x82],
    ['a first fragment', 0x01],
    ['a ping', 0x89],
    ['a pong', 0x8a],
    ['a close', 0x88],
  ];

  it.each(starts)(
    'must be 0 without an extension: any of them on %s fails',
    async (_what, first) => {
      const server = await echoTarget();
      for (const each of bits) {
        const frames = [clientFrame({ first: first | (each << 4) })];
        await expectEveryWay(server, { frames, heard: [FAILED] });
      }
    },
  );

  it('must be 0 on continuations too', async () => {
    const server = await echoTarget();
    for (const each of bits) {
      const frames = [textPart('a'), clientFrame({ first: 0x80 | (each << 4) })];
      await expectEveryWay(server, { frames, heard: [FAILED] });
    }
  });
});

describe('§5.2 the opcode', () => {
  it.each([3, 4, 5, 6, 7, 11, 12, 13, 14, 15])('%i is reserved, and fails', (opcode) =>
    expectHeard([ofOpcode(opcode), text('not read')], [FAILED]),
  );

  it.each([3, 11])('%i is reserved inside of a message too', (opcode) =>
    expectHeard([textPart('a'), ofOpcode(opcode), last('b')], [FAILED]),
  );
});

describe('§5.2 the length', () => {
  const sizes = [0, 1, 2, 3, 4, 5, 124, 125, 126, 127, 65_535, 65_536];

  it.each(sizes)('of %i is read, and written in its shortest form', (size) =>
    expectHeard([binary(Buffer.alloc(size, 7))], [every.binary('07'.repeat(size))]),
  );

  it.each<Row>([
    ['0 in 16 bits', '82 fe 0000 00000000', [FAILED]],
    ['125 in 16 bits', '82 fe 007d 00000000', [FAILED]],
    ['0 in 64 bits', '82 ff 0000000000000000 00000000', [FAILED]],
    ['125 in 64 bits', '82 ff 000000000000007d 00000000', [FAILED]],
    ['65535 in 64 bits', '82 ff 000000000000ffff 00000000', [FAILED]],
  ])('must be in its shortest form: %s fails', (_what, bytes, heard) =>
    expectHeard([hex(bytes)], heard),
  );

  it.each<Row>([
    ['8000000000000000', '82 ff 8000000000000000 00000000', [every.closed(1009)]],
    ['8000000000000001', '81 ff 8000000000000001 00000000', [every.closed(1009)]],
    ['ffffffffffffffff', '82 ff ffffffffffffffff 00000000', [every.closed(1009)]],
  ])('must not have its top bit set: %s is more than anybody takes', (_what, bytes, heard) =>
    expectHeard([hex(bytes)], heard),
  );
});

describe('§5.3 the masking key', () => {
  const keys = ['00000000', 'ffffffff', '37fa213d', '80000000', '00000001', '01020304', 'ff00ff00'];

  it.each(keys)('may be any: %s', async (key) => {
    const server = await echoTarget();
    const sizes = Array.from({ length: 10 }, (_, size) => size);
    const frames = sizes.map((size) =>
      clientFrame({ first: 0x82, payload: Buffer.from('0123456789').subarray(0, size), key }),
    );
    const heard = sizes.map(
      (size) => `binary ${Buffer.from('0123456789').toString('hex', 0, size)}`,
    );
    await expectEveryWay(server, { frames, heard });
  });

  it('is one of its own for each frame', () =>
    expectHeard(
      [
        clientFrame({ first: 0x01, payload: 'Hel', key: '37fa213d' }),
        clientFrame({ first: 0x89, payload: 'Hi', key: '01020304' }),
        clientFrame({ first: 0x80, payload: 'lo', key: 'deadbeef' }),
      ],
      [every.pong('4869'), every.text('Hello')],
    ));
});

describe('§5.6 and §8.1 data', () => {
  it('a text is UTF-8 as a whole; its fragments need not be', () =>
    expectHeard([textPart(hex('f0')), part(hex('9f98')), last(hex('80'))], [every.text('😀')]));

  it.each<Row>([
    ['a byte that never occurs', '81 81 00000000 ff', [every.closed(1007)]],
    ['an end inside of a character', '81 82 00000000 e282', [every.closed(1007)]],
    ['a character that is too long', '81 82 00000000 c0af', [every.closed(1007)]],
    ['a surrogate', '81 83 00000000 eda080', [every.closed(1007)]],
  ])('a text that is not UTF-8 fails with 1007: %s', (_what, bytes, heard) =>
    expectHeard([hex(bytes), text('not read')], heard),
  );

  it('an end inside of a character fails when it is in the last of the fragments too', () =>
    expectHeard([textPart(hex('61 e2')), last(hex('82'))], [every.closed(1007)]));

  it('a text keeps its BOM, its NULs, and what is no character', () =>
    expectHeard([text(hex('efbbbf 00 efbfbe efbfbd'))], [every.text('\ufeff\u0000\ufffe\ufffd')]));

  it('binary is any bytes', async () => {
    const all = Buffer.from(Uint8Array.from({ length: 256 }, (_, i) => i));
    await expectHeard(
      [binary(all), binaryPart(hex('c3')), last(hex('28'))],
      [every.binary(all.toString('hex')), every.binary('c328')],
    );
  });
});

describe('§5.7 the examples', () => {
  it.each<Row>([
    ['a masked text', '81 85 37fa213d 7f9f4d5158', [every.text('Hello')]],
    ['a masked pong', '8a 85 37fa213d 7f9f4d5158', []],
    ['a ping, masked', '89 85 37fa213d 7f9f4d5158', [every.pong('48656c6c6f')]],
    ['an unmasked text', '81 05 48656c6c6f', [FAILED]],
    ['an unmasked text in fragments', '01 03 48656c 80 02 6c6f', [FAILED]],
    ['an unmasked ping', '89 05 48656c6c6f', [FAILED]],
  ])('%s', (_what, bytes, heard) => expectHeard([hex(bytes)], heard));

  it('a text in two fragments, masked', () =>
    expectHeard([hex('01 83 37fa213d 7f9f4d'), hex('80 82 37fa213d 5b95')], [every.text('Hello')]));

  it.each([
    [256, '82 7e 0100'],
    [65_536, '82 7f 0000000000010000'],
  ])('%i bytes of binary in one frame come back as they are printed', async (size, header) => {
    const link = await Link.open(await echoTarget());
    const payload = Buffer.alloc(size, 0x5a);
    link.peer.write(...fragments(0x2, payload));
    const printed = hex(header);
    expect(await link.peer.read(printed.length)).toEqual(printed);
    expect((await link.peer.read(size)).equals(payload)).toBe(true);
  });

  it('an unmasked text, ping and pong are what the server sends', async () => {
    const server = await targetOf((socket) => {
      socket.send('Hello');
      socket.send('Hel', { fin: false });
      socket.send('lo');
      socket.ping('Hello');
      socket.pong('Hello');
    });
    const link = await Link.open(server);
    const printed = hex('8105 48656c6c6f 0103 48656c 8002 6c6f 8905 48656c6c6f 8a05 48656c6c6f');
    expect(await link.peer.read(printed.length)).toEqual(printed);
  });
});

describe('§5.8 extensions', () => {
  it('change nothing unless they were agreed on', async () => {
    const fields = { 'Sec-WebSocket-Extensions': 'x-mux, x-checksum; a=1' };
    const link = await Link.open(await echoTarget(), undefined, fields);
    link.peer.write(text('as ever'));
    expect(transcript([await link.peer.readFrame()])).toEqual([every.text('as ever')]);
    link.peer.write(clientFrame({ first: 0xc1, payload: 'x' }));
    expect(transcript([await link.peer.readFrame()])).toEqual([FAILED]);
  });
});
