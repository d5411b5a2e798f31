/**
 * What is measured. A scenario is data: its group (a table of the results), its name, its peers, how
 * the servers are set up (`role`, `deflate`) and what the load client does (`kind` and the rest).
 */
import { BASE, OURS, READING, UWS } from './peers.mjs';

const SIZES = [20, 125, 1024, 4096, 16_384, 65_536, 1_048_576];
const CONNECTIONS = [1, 64, 1000];
const OUTSTANDING = [1, 16];

/** Bytes under way at a time, each way. */
const MAX_UNDER_WAY = 64 * 1_048_576;

/** What a server holds for one reader by our default (`maxBackpressure`). */
const MAX_A_CONNECTION = 1_048_576;

const ECHO_PEERS = [OURS, BASE, 'ws', 'net', UWS];
const ALL_PEERS = [OURS, BASE, 'ws', 'express-ws', 'net', UWS];
const FANOUT_PEERS = [OURS, BASE, 'ws', 'express-ws', UWS];

/** Compression of everything, where it is the fan-out of small messages that is measured. */
const EVERY_MESSAGE = {
  ours: { threshold: 0 },
  ws: { threshold: 0 },
};
const DEFAULT_LEVEL = { ours: true, ws: true };
const LEVEL_1 = { ours: { level: 1 }, ws: { zlibDeflateOptions: { level: 1 } } };
const ALONE = { serverNoContextTakeover: true, clientNoContextTakeover: true };

/** The scenarios of a full run, or the few of a quick one. */
export function scenarios(isQuick) {
  const all = [
    ...echoes(),
    ...fanouts(),
    ...deflates(),
    ...handshakes(),
    ...idle(isQuick ? 2000 : 10_000),
    ...floods(),
    ...growth(isQuick ? [100, 1000] : [100, 1000, 10_000]),
  ];
  if (!isQuick) return all;
  const quick = all.filter(({ isMain }) => isMain);
  return quick.map((each) => {
    const few = [OURS, BASE, ...(each.quickPeers ?? [])];
    return { ...each, peers: each.peers.filter((peer) => few.includes(peer)) };
  });
}

function echoes() {
  const text = SIZES.flatMap((size) =>
    CONNECTIONS.flatMap((connections) =>
      OUTSTANDING.map((outstanding) => echo({ size, connections, outstanding })),
    ),
  );
  const binary = SIZES.flatMap((size) =>
    OUTSTANDING.map((outstanding) => echo({ size, connections: 64, outstanding, binary: true })),
  );
  const unicode = [125, 1024, 16_384].map((size) =>
    echo({ size, connections: 64, outstanding: 1, isUnicode: true }),
  );
  return [...text, ...binary, ...unicode].filter(fits);
}

function fits({ size, connections, outstanding }) {
  return (
    size * outstanding <= MAX_A_CONNECTION && size * outstanding * connections <= MAX_UNDER_WAY
  );
}

function echo(terms) {
  const { size, connections, outstanding, binary = false, isUnicode = false } = terms;
  const isMain = connections === 64 && !isUnicode && isMainSize(terms);
  return {
    kind: 'echo',
    role: 'echo',
    group: 'Echo',
    unit: 'message',
    name:
      `echo ${sizeName(size)} ${binary ? 'binary' : isUnicode ? 'text beyond ASCII' : 'text'}, ` +
      `${connections} × ${outstanding}`,
    peers: echoPeers(terms),
    quickPeers: outstanding === 1 && size === 125 ? ['net'] : [],
    isMain,
    ...terms,
  };
}

/** Where a string takes more than the rest, ws is measured with it as well. */
function echoPeers({ size, connections, binary = false, isUnicode = false }) {
  const peers = connections === 64 && size === 125 && !binary ? ALL_PEERS : ECHO_PEERS;
  return isUnicode || (size >= 4096 && !binary) ? [...peers, READING] : peers;
}

function isMainSize({ size, outstanding, binary = false }) {
  if (binary) return outstanding === 1 && (size === 16_384 || size === 1_048_576);
  return size === 125 || size === 1024;
}

function fanouts() {
  const plain = [1000, 5000].flatMap((connections) =>
    [1, 8].map((outstanding) => fanout({ connections, outstanding })),
  );
  const compressed = [1000, 5000].flatMap((connections) =>
    [1, 8].map((outstanding) => fanout({ connections, outstanding, deflate: EVERY_MESSAGE })),
  );
  const chat = {
    ...fanout({ connections: 200, outstanding: 1, publishers: 50 }),
    name: 'chat: 200 connections, 50 publish to all in the same instant',
  };
  return [...plain, chat, ...compressed];
}

function fanout({ connections, outstanding, publishers = 1, deflate }) {
  const turn = outstanding === 1 ? 'one at a time' : `${outstanding} per turn`;
  return {
    kind: 'fanout',
    role: 'fanout',
    group: 'Fan-out and chat',
    unit: 'delivery',
    name: `fan-out 100 B to ${connections}, ${turn}${deflate === undefined ? '' : ', compressed'}`,
    peers: publishers > 1 || deflate === undefined ? FANOUT_PEERS : [OURS, BASE, UWS],
    isMain: connections <= 1000 && deflate === undefined,
    size: 100,
    offersDeflate: deflate !== undefined,
    connections,
    outstanding,
    publishers,
    deflate,
  };
}

function deflates() {
  return [1024, 65_536].flatMap((size) => [
    deflated({ size, level: 'default level', deflate: DEFAULT_LEVEL }),
    deflated({ size, level: 'level 1', deflate: LEVEL_1 }),
    deflated({
      size,
      level: 'no context takeover on either side',
      deflate: { ours: true, ws: ALONE },
      peers: [OURS, BASE],
    }),
  ]);
}

function deflated({ size, level, deflate, peers }) {
  return {
    kind: 'echo',
    role: 'echo',
    group: 'permessage-deflate',
    unit: 'message',
    name: `compressed echo ${sizeName(size)} JSON, ${level}`,
    peers: peers ?? [OURS, BASE, 'ws', UWS],
    isMain: peers === undefined && !(size === 1024 && deflate === LEVEL_1),
    connections: 64,
    outstanding: 1,
    offersDeflate: true,
    size,
    deflate,
  };
}

function handshakes() {
  const handshake = (role, name, peers) => ({
    kind: 'handshakes',
    group: 'Handshakes',
    unit: 'handshake',
    name: `handshakes, ${name}`,
    isMain: role !== 'use',
    role,
    peers,
  });
  return [
    handshake('echo', 'bare route', [OURS, BASE, 'express-ws', 'net', UWS]),
    handshake('use', 'route with use', [OURS, 'express-ws']),
    // ws has neither: beside it stands what it does on its bare route.
    handshake('auth', 'route with use and auth', [OURS, BASE]),
  ];
}

function idle(connections) {
  const state = (name, terms) => ({
    kind: 'idle',
    role: 'echo',
    group: 'Memory of a connection',
    name: `memory at ${connections} connections, ${name}`,
    peers: [OURS, BASE, 'net', UWS],
    size: 1024,
    messages: 0,
    connections,
    ...terms,
  });
  const compressed = { offersDeflate: true, deflate: DEFAULT_LEVEL, peers: [OURS, BASE, UWS] };
  return [
    state('idle', { isMain: true }),
    state('idle, route with use and auth', { role: 'auth', peers: [OURS] }),
    state('compression offered', compressed),
    state('after one compressed message each way', { ...compressed, messages: 1 }),
    // Not net: what it sends back are no frames of a server.
    state('after ten messages each way', { messages: 10, peers: [OURS, BASE, UWS] }),
  ];
}

function floods() {
  return ['no flood', '1-byte messages', 'pings', 'empty fragments'].map((flood) => ({
    kind: 'flood',
    role: 'echo',
    group: 'A bystander while another connection floods',
    unit: 'message',
    name: `bystander, ${flood}`,
    peers: [OURS],
    size: 125,
    connections: 1,
    outstanding: 1,
    isMain: flood === '1-byte messages',
    flood,
  }));
}

function growth(counts) {
  return counts.map((connections) => ({
    ...echo({ size: 125, connections, outstanding: 1 }),
    group: 'Cost against the number of connections',
    name: `growth: echo 125 B text, ${connections} × 1`,
    peers: [OURS, BASE, UWS],
    isMain: false,
    watchesMemory: true,
  }));
}

function sizeName(size) {
  if (size < 1024) return `${size} B`;
  return size < 1_048_576 ? `${size / 1024} KiB` : `${size / 1_048_576} MiB`;
}
