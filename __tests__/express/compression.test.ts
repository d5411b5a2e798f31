import { route } from '../../lib/express/route';
import { resolveDeflate, type PerMessageDeflateOptions } from '../../lib/express/compression';
import { shown } from '../../lib/protocol/errors';
import { deflateAlone, inflateAlone } from '../rfc7692/support/zlib';
import { clientFrame } from '../support/bytes';
import { open, start, thrownBy } from './harness';

const DEFAULTS = {
  threshold: 1024,
  level: -1,
  windowBits: 15,
  memLevel: 8,
  contextTakeover: false,
};

/** Name, least and greatest value. */
const NUMBERS = [
  ['threshold', 0, Number.MAX_SAFE_INTEGER, true],
  ['level', -1, 9, false],
  ['windowBits', 9, 15, false],
  ['memLevel', 1, 9, false],
] as const;

describe('perMessageDeflate', () => {
  it.each([undefined, false])('is off with %p', (value) => {
    expect(resolveDeflate(value)).toBeUndefined();
  });

  it.each([true, {}, { level: undefined, contextTakeover: undefined }])(
    'has its defaults with %j',
    (value) => {
      expect(resolveDeflate(value)).toEqual(DEFAULTS);
    },
  );

  it('takes every value that is given', () => {
    const given = { threshold: 0, level: 1, windowBits: 9, memLevel: 2, contextTakeover: true };
    expect(resolveDeflate(given)).toEqual(given);
    expect(resolveDeflate({ threshold: Infinity })).toEqual({ ...DEFAULTS, threshold: Infinity });
  });

  describe.each(NUMBERS)('.%s', (name, min, max, mayBeInfinite) => {
    const resolve = (value: unknown): unknown => resolveDeflate({ [name]: value });

    it.each([min, max])('may be %p', (value) => {
      expect(resolve(value)).toEqual({ ...DEFAULTS, [name]: value });
    });

    const wrong = [min - 1, max + 1, NaN, 1.5, -Infinity, '10', true, null, {}];
    it.each<unknown>(mayBeInfinite ? wrong : [...wrong, Infinity])('may not be %p', (value) => {
      const error = thrownBy(() => resolve(value));
      expect(error).toBeInstanceOf(RangeError);
      expect([error.code, error.message]).toEqual([
        'ERR_WS_OUT_OF_RANGE',
        `perMessageDeflate.${name} must be an integer from ${min} to ${max}` +
          `${mayBeInfinite ? ', or Infinity' : ''}, got ${shown(value)}`,
      ]);
    });
  });

  it.each<unknown>([0, 1, 'yes', null])('.contextTakeover may not be %p', (contextTakeover) => {
    const options = { contextTakeover } as PerMessageDeflateOptions;
    const error = thrownBy(() => resolveDeflate(options));
    expect([error.name, error.code, error.message]).toEqual([
      'TypeError',
      'ERR_WS_INVALID_ARGUMENT',
      `perMessageDeflate.contextTakeover must be true or false, got ${shown(contextTakeover)}`,
    ]);
  });

  it.each<[unknown, string]>([
    [null, 'null'],
    ['true', "'true'"],
    [1, '1'],
    [{ treshold: 1 }, "'treshold'"],
    [{ serverNoContextTakeover: true }, "'serverNoContextTakeover'"],
    [['level'], "'0'"],
  ])('may not be %j', (value, got) => {
    const error = thrownBy(() => resolveDeflate(value as never));
    expect([error.name, error.code, error.message]).toEqual([
      'TypeError',
      'ERR_WS_INVALID_ARGUMENT',
      `perMessageDeflate must be an object of threshold, level, windowBits, memLevel, contextTakeover, got ${got}`,
    ]);
  });
});

describe('the answer to an offer', () => {
  const EXTENSIONS = 'sec-websocket-extensions';
  const headers = { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' };
  const agreed = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';

  it('is on the 101 and on the socket, and messages are compressed both ways', async () => {
    const seen: unknown[] = [];
    const running = await start([
      route('/ws', { perMessageDeflate: { threshold: 10 } }, (socket) => {
        socket.on('message', (data) => {
          seen.push(socket.extensions, data);
          socket.send(String(data).repeat(20));
        });
      }),
    ]);
    const client = await open(running, { headers });
    expect(client.upgraded.headers[EXTENSIONS]).toBe(agreed);
    client.write(clientFrame({ first: 0xc1, payload: deflateAlone('Hello Hello') }));
    const { first, payload } = await client.frame();
    expect(seen).toEqual([agreed, 'Hello Hello']);
    expect([first, inflateAlone(payload).toString()]).toEqual([0xc1, 'Hello Hello'.repeat(20)]);
    expect(payload.length).toBeLessThan(50);
  });

  it.each([
    ['off by default', undefined, undefined, headers],
    ['off for the route, on for the attach', false, true, headers],
    ['on, and not offered', true, undefined, {}],
    [
      'on, and another extension offered',
      true,
      undefined,
      { 'Sec-WebSocket-Extensions': 'foo; a=1' },
    ],
    [
      'on, and offered with what cannot be',
      true,
      undefined,
      { 'Sec-WebSocket-Extensions': 'permessage-deflate; server_max_window_bits=8' },
    ],
  ])('is none where it is %s; RSV1 is 1002 then', async (_name, own, shared, offered) => {
    const extensions: string[] = [];
    const running = await start(
      [route('/ws', { perMessageDeflate: own }, (socket) => extensions.push(socket.extensions))],
      { perMessageDeflate: shared },
    );
    const client = await open(running, { headers: offered });
    expect([client.upgraded.headers[EXTENSIONS], extensions]).toEqual([undefined, ['']]);
    client.write(clientFrame({ first: 0xc1, payload: deflateAlone('Hello') }));
    expect(await client.closeCode()).toBe(1002);
  });

  it.each([
    ['on for the route', true, false],
    ['on for the attach', undefined, true],
  ])('is given where it is %s', async (_name, own, shared) => {
    const running = await start([route('/ws', { perMessageDeflate: own }, {})], {
      perMessageDeflate: shared,
    });
    const { upgraded } = await open(running, { headers });
    expect(upgraded.headers[EXTENSIONS]).toBe(agreed);
  });

  it('takes the first offer that can be accepted, over several fields', async () => {
    const running = await start([
      route('/ws', { perMessageDeflate: { contextTakeover: true } }, {}),
    ]);
    const offers = [
      'foo, permessage-deflate; server_max_window_bits=7',
      headers['Sec-WebSocket-Extensions'],
    ];
    const { upgraded } = await open(running, { headers: { 'Sec-WebSocket-Extensions': offers } });
    expect(upgraded.headers[EXTENSIONS]).toBe('permessage-deflate');
  });

  it.each([{ level: 10 }, { unknown: 1 }, 5])(
    'a wrong option is told at attach: %j',
    async (value) => {
      const wrong = route('/ws', { perMessageDeflate: value as never }, {});
      await expect(start([wrong])).rejects.toThrow('perMessageDeflate');
    },
  );
});
