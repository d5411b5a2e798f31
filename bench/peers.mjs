/** The servers that are compared. */
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const require = createRequire(import.meta.url);

export const OURS = 'attach-websocket';
export const BASE = 'ws + bufferutil';
/** The same, with a handler that reads text as a string, as ours gets it, and sends back what came. */
export const READING = 'ws + bufferutil, text read';
export const UWS = 'uWebSockets.js';

/** Under which names it may be installed; it is on no registry under its own. */
const UWS_NAMES = [process.env.UWS_PATH, 'uWebSockets.js', '@btc-vision/uwebsockets.js'];

export const PEERS = {
  [OURS]: { file: 'attach-websocket.mjs', package: 'attach-websocket' },
  [BASE]: { file: 'ws.mjs', package: 'ws' },
  [READING]: { file: 'ws.mjs', package: 'ws', env: { WS_READS_TEXT: '1' } },
  ws: { file: 'ws.mjs', package: 'ws', env: { WS_NO_BUFFER_UTIL: '1' } },
  'express-ws': { file: 'express-ws.mjs', package: 'express-ws' },
  net: { file: 'net.mjs', isRaw: true },
  [UWS]: findUws(),
};

/** Another build of ours, as a peer: its directory, which has a `dist` of its own. */
export function addBuild(directory) {
  const name = `${OURS} of ${directory}`;
  const BENCH_BUILD = resolve(directory, 'dist/index.js');
  PEERS[name] = { file: 'attach-websocket.mjs', env: { BENCH_BUILD } };
  return name;
}

/** In words, for the head of the results. */
export function versions() {
  const own = ['ws', 'bufferutil', 'express', 'express-ws', 'express4'];
  const list = own.map((name) => `${name} ${require(`${name}/package.json`).version}`);
  list.push(`ws of express-ws ${wsOfExpressWs()}`);
  const { missing, env } = PEERS[UWS];
  list.push(`${UWS}: ${missing ?? env.BENCH_UWS}`);
  return list;
}

function wsOfExpressWs() {
  const from = createRequire(require.resolve('express-ws'));
  return from('ws/package.json').version;
}

function findUws() {
  let missing = 'not installed (set UWS_PATH to a copy)';
  for (const name of UWS_NAMES) {
    if (name === undefined) continue;
    try {
      require(name);
      return { file: 'uws.mjs', env: { BENCH_UWS: name } };
    } catch (error) {
      if (error.code !== 'MODULE_NOT_FOUND')
        missing = 'installed, but does not load on this system';
    }
  }
  return { missing };
}
