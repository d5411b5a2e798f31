import type { AttachOptions } from '../../../lib';
import { readMessage } from '../../rfc6455/support/messages';
import { echoTarget, Link, type Fields, type Target } from '../../rfc6455/support/target';
import type { WayOptions } from '../../rfc6455/support/ways';
import { inflateAlone, inflateInContext } from './zlib';

/** The offer of a browser. */
export const BROWSER = 'permessage-deflate; client_max_window_bits';

/** A handshake with this offer. */
export const offering = (offer: string): Fields => ({ 'Sec-WebSocket-Extensions': offer });

/** For vectors on connections where no message refers to another. */
export const COMPRESSED: WayOptions = { fields: offering(BROWSER), inflate: () => inflateAlone };

/** For vectors on connections with a context each way. */
export const IN_CONTEXT: WayOptions = {
  fields: offering('permessage-deflate'),
  inflate: () => inflateInContext(),
};

/** An echo that compresses all it can. */
export function deflateTarget(options: AttachOptions['perMessageDeflate'] = {}): Promise<Target> {
  const given = typeof options === 'object' ? options : {};
  return echoTarget({ perMessageDeflate: { threshold: 0, ...given } });
}

/** What was echoed: whether it came compressed, and the payload as it came. */
export async function readEcho(link: Link): Promise<{ isCompressed: boolean; payload: Buffer }> {
  const { first, payload } = await readMessage(link);
  return { isCompressed: (first & 0x40) !== 0, payload };
}
