import { clientFrame, hex } from '../support/bytes';
import { handshake, Peer } from './support/peer';
import { echo, serve, stopAll } from './support/server';

/*
 * RFC 6455 §4.2.1 and §4.2.2, as written out by hand on an http server's `upgrade` event: the eight
 * things a server has to see, and the one it has to say.
 */

afterEach(stopAll);

const keys: [key: string, accept: string][] = [
  // §1.3, and two more.
  ['dGhlIHNhbXBsZSBub25jZQ==', 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='],
  ['BcVbtgbkG+YnCD9NRv23qA==', 'RVP0IJR2K6QBsWRTqoIruP3KBdk='],
  ['sN9cRrP/n9NdMgdcy2VJFQ==', 'fFBooB7FAkLlXgRSz0BT3v4hq5s='],
];

describe('§4.2.2 what the server says', () => {
  it.each(keys)('answers the key %s with %s', async (key, accept) => {
    const { port } = await serve([echo]);
    const peer = await Peer.connect(port);
    peer.write(handshake('/echo', { 'Sec-WebSocket-Key': key }));
    const lines = (await peer.readHead()).split('\r\n');
    expect(lines[0]).toBe('HTTP/1.1 101 Switching Protocols');
    expect(lines.slice(1).filter((line) => line !== '')).toEqual(
      expect.arrayContaining([
        'Upgrade: websocket',
        'Connection: Upgrade',
        `Sec-WebSocket-Accept: ${accept}`,
      ]),
    );
  });

  it('adds no subprotocol and no extension that nobody agreed on (§4.2.2 items 5 and 6)', async () => {
    const { port } = await serve([echo]);
    const peer = await Peer.connect(port);
    const offers = {
      'Sec-WebSocket-Protocol': 'chat, superchat',
      'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits, x-unknown',
    };
    peer.write(handshake('/echo', offers));
    const head = await peer.readHead();
    expect(head).toMatch(/^HTTP\/1\.1 101 /);
    expect(head).not.toMatch(/sec-websocket-(protocol|extensions)/i);
  });

  it('echoes the Hello of §5.7, masked on the way in and in clear on the way out', async () => {
    const { port } = await serve([echo]);
    const peer = await Peer.open(port, '/echo');
    peer.write(hex('81 85 37fa213d 7f9f4d5158'));
    expect((await peer.read(7)).toString('hex')).toBe(hex('81 05 48 65 6c 6c 6f').toString('hex'));
    peer.write(clientFrame({ first: 0x88, payload: hex('03e8') }));
    expect((await peer.readToEnd()).toString('hex')).toBe('880203e8');
  });
});

describe('§4.2.1 what the server has to see, else it refuses', () => {
  const good = handshake('/echo');
  /** The eight conditions in the order of the section; what is sent instead, and what comes back. */
  const conditions: [condition: string, request: string, status: number, header?: RegExp][] = [
    ['1. the method GET', good.replace('GET ', 'POST '), 405, /^allow: GET$/im],
    ['1. HTTP/1.1 or higher', good.replace('HTTP/1.1', 'HTTP/1.0'), 400],
    ['1. a resource as in §3: no fragment', good.replace('/echo ', '/echo#part '), 400],
    ['2. a Host', handshake('/echo', { Host: undefined }), 400],
    ['3. an Upgrade that names websocket', handshake('/echo', { Upgrade: 'websocket/13' }), 404],
    [
      '4. a Connection that names Upgrade',
      handshake('/echo', { Connection: 'close, x-upgrade' }),
      404,
    ],
    ['5. a key', handshake('/echo', { 'Sec-WebSocket-Key': undefined }), 400],
    ['5. a key of 16 bytes', handshake('/echo', { 'Sec-WebSocket-Key': 'c2hvcnQ=' }), 400],
    [
      '6. the version 13',
      handshake('/echo', { 'Sec-WebSocket-Version': '8' }),
      426,
      /^sec-websocket-version: 13$/im,
    ],
    [
      '6. a version at all',
      handshake('/echo', { 'Sec-WebSocket-Version': undefined }),
      426,
      /^sec-websocket-version: 13$/im,
    ],
    ['7. an Origin of its own, if any', handshake('/echo', { Origin: 'http://evil.example' }), 403],
    [
      '8. subprotocols that are tokens',
      handshake('/echo', { 'Sec-WebSocket-Protocol': 'chat, @bad' }),
      400,
    ],
    ['9. well-formed extensions', handshake('/echo', { 'Sec-WebSocket-Extensions': 'a; =' }), 400],
  ];

  it.each(conditions)('%s', async (_condition, request, status, header = /./) => {
    const { port } = await serve([echo]);
    const peer = await Peer.connect(port);
    peer.write(request);
    const answer = await peer.readAnswer();
    expect(answer.status).toBe(status);
    expect(answer.head).toMatch(header);
    // Refused is refused: the connection is no WebSocket, and is not left open.
    peer.write(hex('81 85 37fa213d 7f9f4d5158'));
    expect((await peer.readToEnd()).toString('latin1')).not.toContain('Hello');
  });

  it('takes all eight in other letters and other order', async () => {
    const { port } = await serve([echo]);
    const peer = await Peer.connect(port);
    peer.write(
      'GET /echo?x=1 HTTP/1.1\r\nsec-websocket-version: 13\r\nCONNECTION: keep-alive, UPGRADE\r\n' +
        'sec-WebSocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nupgrade: WebSocket\r\nhOST: a.example\r\n' +
        'origin: http://a.example\r\n\r\n',
    );
    expect(await peer.readHead()).toMatch(/^HTTP\/1\.1 101 /);
    peer.write(clientFrame({ first: 0x88 }));
    expect(await peer.readFrame()).toEqual({ first: 0x88, payload: Buffer.alloc(0) });
  });
});
