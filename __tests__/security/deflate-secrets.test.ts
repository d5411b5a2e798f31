import type { AttachOptions } from '../../lib';
import { handshake, Peer } from '../scenarios/support/peer';
import { stopAll } from '../scenarios/support/server';
import { watch } from './frame-attack';
import { weakened, type Weakening } from './weakened';

afterEach(stopAll);

describe('D-10 a secret beside the text of an attacker', () => {
  async function offer(options: AttachOptions, ...without: Weakening[]): Promise<string> {
    const { port } = await watch(weakened(...without), options);
    const peer = await Peer.connect(port);
    peer.write(handshake('/', { 'Sec-WebSocket-Extensions': 'permessage-deflate' }));
    return peer.readHead();
  }

  /** The first byte of a message that its sender does not want compressed. */
  async function sendPlainly(...without: Weakening[]): Promise<number> {
    const lib = weakened(...without);
    const options = { perMessageDeflate: { threshold: 0 } };
    const { port, sockets } = await watch(lib, options);
    const peer = await Peer.connect(port);
    peer.write(handshake('/', { 'Sec-WebSocket-Extensions': 'permessage-deflate' }));
    expect(await peer.readHead()).toContain('Sec-WebSocket-Extensions: permessage-deflate');
    for (const socket of sockets.clients) socket.send('a secret '.repeat(20), { compress: false });
    return (await peer.readFrame()).first;
  }

  it('D-10 is not compressed unless it is asked for', async () => {
    expect(await offer({})).not.toContain('permessage-deflate');
    expect(await offer({ perMessageDeflate: true })).toContain(
      'permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n',
    );
  });

  it('D-10 is compressed where that is the default', async () => {
    const onByDefault: Weakening = {
      file: 'express/compression.ts',
      replace: '| undefined = false,',
      by: '| undefined = true,',
    };
    expect(await offer({}, onByDefault)).toContain('permessage-deflate');
  });

  it('D-10 goes as it is with compress: false', async () => {
    expect(await sendPlainly()).toBe(0x81);
  });

  it('D-10 does not where that is not heard', async () => {
    const unheard: Weakening = {
      file: 'socket/compressor.ts',
      replace: 'if (compress === false || payload.length === 0) return false;',
      by: '',
    };
    expect(await sendPlainly(unheard)).toBe(0xc1);
  });
});
