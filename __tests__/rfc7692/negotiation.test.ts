import type { AttachOptions } from '../../lib';
import { handshake } from '../scenarios/support/peer';
import { stopAll } from '../scenarios/support/server';
import { hex } from '../support/bytes';
import { answerEveryWay, valuesOf } from '../rfc6455/support/answers';
import { echoTarget, Link } from '../rfc6455/support/target';
import { expectEveryWay } from '../rfc6455/support/ways';
import { offering } from './support/offers';
import { termsOf, type Terms } from './support/terms';

/* RFC 7692 §5 and §7.1: what a server says to an offer. */

afterEach(stopAll);

const TAKEOVER: AttachOptions['perMessageDeflate'] = { contextTakeover: true };
const small = (windowBits: number): AttachOptions['perMessageDeflate'] => ({
  contextTakeover: true,
  windowBits,
});

/** The values of the field in the answer. */
async function said(
  offer: string | undefined,
  perMessageDeflate: AttachOptions['perMessageDeflate'] = true,
): Promise<string[]> {
  const server = await echoTarget({ perMessageDeflate });
  const request = handshake('/echo', { 'Sec-WebSocket-Extensions': offer });
  const answer = await answerEveryWay(server, request);
  expect(answer.status).toBe(101);
  return valuesOf(answer, 'sec-websocket-extensions');
}

async function agreed(
  offer: string,
  options: AttachOptions['perMessageDeflate'] = TAKEOVER,
): Promise<Terms | undefined> {
  const server = await echoTarget({ perMessageDeflate: options });
  return termsOf((await Link.open(server, undefined, offering(offer))).head);
}

describe('§5.1 an offer and its answer', () => {
  it('answers a browser without context, unless told otherwise', async () =>
    expect(await said('permessage-deflate; client_max_window_bits')).toEqual([
      'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
    ]));

  it('agrees on nothing that was not offered', async () => {
    expect(await said(undefined)).toEqual([]);
    expect(await said('x-webkit-deflate-frame, permessage-bzip2')).toEqual([]);
  });

  it('agrees on nothing where it is not switched on', async () => {
    const link = await Link.open(await echoTarget(), undefined, offering('permessage-deflate'));
    expect(termsOf(link.head)).toBeUndefined();
    expect(await said('permessage-deflate', false)).toEqual([]);
  });

  it('takes the first offer that it can accept, in the order of the client', async () =>
    expect(
      await said('x-first, permessage-deflate; server_max_window_bits=10, permessage-deflate'),
    ).toEqual([expect.stringContaining('server_max_window_bits=10')]));

  it('takes a later offer when the first must be declined, and none of it remains', async () =>
    expect(
      await said('permessage-deflate; server_max_window_bits=11; unknown, permessage-deflate'),
    ).toEqual(['permessage-deflate; server_no_context_takeover; client_no_context_takeover']));

  it('answers one of two offers in two fields, once', async () => {
    const server = await echoTarget({ perMessageDeflate: TAKEOVER });
    const lines = 'Sec-WebSocket-Extensions: permessage-deflate; x=1\r\nSec-WebSocket-Extensions: ';
    const request = handshake('/echo').replace(
      '\r\n\r\n',
      `\r\n${lines}permessage-deflate\r\n\r\n`,
    );
    const answer = await answerEveryWay(server, request);
    expect(valuesOf(answer, 'sec-websocket-extensions')).toEqual(['permessage-deflate']);
  });
});

describe('§7.1 offers that must be declined: the connection goes on without', () => {
  const bad = [
    ...['unknown', 'unknown=1', 'max_window_bits=10'],
    ...['server_no_context_takeover=1', 'server_no_context_takeover=true'],
    ...['client_no_context_takeover=1', 'client_no_context_takeover=0'],
    ...['server_max_window_bits', 'server_max_window_bits=7', 'server_max_window_bits=16'],
    ...['server_max_window_bits=08', 'server_max_window_bits=1000', 'server_max_window_bits=10.0'],
    ...['server_max_window_bits=+9', 'server_max_window_bits=-9', 'server_max_window_bits=0x9'],
    ...['client_max_window_bits=7', 'client_max_window_bits=16', 'client_max_window_bits=09'],
    ...['client_max_window_bits=1000', 'client_max_window_bits=10.0', 'client_max_window_bits=x'],
    ...['server_no_context_takeover; server_no_context_takeover'],
    ...['client_no_context_takeover; client_no_context_takeover'],
    ...['server_max_window_bits=10; server_max_window_bits=10'],
    ...['client_max_window_bits; client_max_window_bits=10'],
  ];

  it.each(bad)('%s', async (parameters) => {
    const offer = `permessage-deflate; ${parameters}`;
    expect(await said(offer, TAKEOVER)).toEqual([]);
    const hello = { frames: [hex('81 85 37fa213d 7f9f4d5158')], heard: ['text "Hello"'] };
    const server = await echoTarget({ perMessageDeflate: true });
    await expectEveryWay(server, hello, { fields: offering(offer) });
  });

  it('a window of 8 bits for the server, which zlib cannot do', async () => {
    expect(await said('permessage-deflate; server_max_window_bits=8', TAKEOVER)).toEqual([]);
    expect(
      await agreed('permessage-deflate; server_max_window_bits=8, permessage-deflate'),
    ).toEqual({ serverTakeover: true, clientTakeover: true, serverBits: 15, clientBits: 15 });
  });
});

describe('§7.1.1.1 server_no_context_takeover', () => {
  it('is accepted by saying it', async () =>
    expect(await agreed('permessage-deflate; server_no_context_takeover')).toMatchObject({
      serverTakeover: false,
    }));

  it('is not said when neither side wants it', async () =>
    expect(await agreed('permessage-deflate')).toMatchObject({ serverTakeover: true }));

  it('may be said without being asked for', async () =>
    expect(await agreed('permessage-deflate', true)).toMatchObject({ serverTakeover: false }));
});

describe('§7.1.1.2 client_no_context_takeover', () => {
  it('may be said without being offered', async () =>
    expect(await agreed('permessage-deflate', true)).toMatchObject({ clientTakeover: false }));

  it('is said when it was offered, and no context is kept', async () =>
    expect(await agreed('permessage-deflate; client_no_context_takeover')).toMatchObject({
      clientTakeover: false,
    }));

  it('is not said when the server keeps a context', async () =>
    expect(await agreed('permessage-deflate')).toMatchObject({ clientTakeover: true }));
});

describe('§7.1.2.1 server_max_window_bits', () => {
  it.each([9, 10, 11, 12, 13, 14, 15])('%i is accepted by saying it, or less', async (bits) => {
    const offer = `permessage-deflate; server_max_window_bits=${bits}`;
    const [value] = await said(offer, TAKEOVER);
    expect(Number(/server_max_window_bits=(\d+)/.exec(value!)?.[1])).toBeLessThanOrEqual(bits);
    const [smaller] = await said(offer, small(9));
    expect(smaller).toContain('server_max_window_bits=9');
  });
});

describe('§7.1.2.2 client_max_window_bits', () => {
  const offers = [
    ...['permessage-deflate', 'permessage-deflate; server_max_window_bits=10'],
    ...['permessage-deflate; server_no_context_takeover; client_no_context_takeover'],
  ];

  it.each(offers)('is never said to a client that did not offer it: %s', async (offer) => {
    for (const options of [true, TAKEOVER, small(9)]) {
      expect((await said(offer, options)).join()).not.toContain('client_max_window_bits');
    }
  });

  it.each([9, 11, 14])('asks a client that can for %i bits', async (bits) =>
    expect(await agreed('permessage-deflate; client_max_window_bits', small(bits))).toMatchObject({
      clientTakeover: true,
      clientBits: bits,
    }),
  );

  it.each([8, 9, 12, 15])('says no more than the %i that were offered', async (bits) => {
    for (const options of [TAKEOVER, small(10), small(15)]) {
      const [value] = await said(`permessage-deflate; client_max_window_bits=${bits}`, options);
      const inAnswer = /client_max_window_bits=(\d+)/.exec(value!)?.[1];
      expect(Number(inAnswer ?? 0)).toBeLessThanOrEqual(bits);
    }
  });
});

describe('§7.1.3 the examples', () => {
  const examples = [
    'permessage-deflate',
    'permessage-deflate; client_max_window_bits; server_max_window_bits=10',
    'permessage-deflate; client_max_window_bits; server_max_window_bits=10, ' +
      'permessage-deflate; client_max_window_bits',
  ];

  it.each(examples)('%s', async (offer) => {
    const terms = await agreed(offer);
    expect(terms?.serverBits).toBe(offer.includes('=10') ? 10 : 15);
  });
});
