import { Buffer } from 'node:buffer';

const M = '00000000';

const hex = (digits: string): Buffer => Buffer.from(digits.replaceAll(' ', ''), 'hex');

/** RFC 6455 §5.7, RFC 7692 §7.2.3, and streams of both, behind two bytes that choose limits. */
const STREAMS: readonly string[] = [
  '81 85 37fa213d 7f9f4d5158',
  `01 83 ${M} 48656c 80 82 ${M} 6c6f`,
  `89 85 ${M} 48656c6c6f 8a 85 ${M} 48656c6c6f`,
  `82 fe 0100 37fa213d ${'5a'.repeat(256)}`,
  `82 ff 0000000000010000 ${M} ${'61'.repeat(65)}`,
  `88 85 ${M} 03e8 627965 81 81 ${M} 61`,
  `88 80 ${M}`,
  `01 82 37fa213d d578 89 80 ${M} 80 81 ${M} ac`,
  `02 80 ${M} 00 80 ${M} 80 80 ${M} 82 80 ${M}`,
  `c1 87 ${M} f248cdc9c90700`,
  `41 83 ${M} f248cd 80 84 ${M} c9c90700`,
  `c1 87 ${M} f248cdc9c90700 c1 85 ${M} f200110000`,
  `c1 8b ${M} 000500faff48656c6c6f00`,
  `c1 88 ${M} f348cdc9c9070000`,
  `c2 8d ${M} f248050000 00ffff cac9c90700 c2 80 ${M}`,
];

const SETTINGS = ['0200', '1201', '3a07', '0c03', '8102', 'f203'];

export const DECODER_SEEDS: readonly Buffer[] = STREAMS.flatMap((stream) =>
  SETTINGS.map((settings) => hex(`${settings} ${stream}`)),
);

const HEAD =
  'GET /chat?x=1 1.1\nHost: a\nUpgrade: websocket\nConnection: keep-alive, Upgrade\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13';

export const HANDSHAKE_SEEDS: readonly Buffer[] = [
  HEAD,
  `${HEAD}\nSec-WebSocket-Protocol: chat.v2, chat.v1\nOrigin: http://a`,
  `${HEAD}\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits`,
  `${HEAD}\nContent-Length: 0`,
  `${HEAD}\nTransfer-Encoding: chunked`,
  HEAD.replace('13', '8'),
  HEAD.replace('GET', 'POST'),
].map((text) => Buffer.from(text, 'latin1'));

export const HEADER_SEEDS: readonly Buffer[] = [
  '\x1fpermessage-deflate',
  '\x00permessage-deflate; client_max_window_bits',
  '\x13permessage-deflate; server_max_window_bits=10; client_max_window_bits=9',
  '\x2cpermessage-deflate; server_no_context_takeover; client_no_context_takeover',
  '\x3fpermessage-deflate; client_max_window_bits="15", permessage-deflate',
  '\x01a, b ;c=d;e="f\\g" , ,h',
].map((text) => Buffer.from(text, 'latin1'));

export const DEFLATE_SEEDS: readonly Buffer[] = [
  '00 05 48656c6c6f',
  'ff 05 48656c6c6f 05 48656c6c6f',
  `13 40 ${'61626364'.repeat(16)} 40 ${'61626365'.repeat(16)}`,
  '27 00 01 61 00 02 6162',
].map(hex);
