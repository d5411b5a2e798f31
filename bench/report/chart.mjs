/** A bar chart as SVG: how many times less CPU than ws with bufferutil, on a logarithmic scale. */
import { BASE } from '../peers.mjs';

const MAIN = [
  'echo 125 B text, 64 × 1',
  'echo 125 B text, 64 × 16',
  'echo 1 KiB text, 64 × 1',
  'echo 1 KiB text, 64 × 16',
  'echo 16 KiB binary, 64 × 1',
  'fan-out 100 B to 1000, one at a time',
  'fan-out 100 B to 1000, 8 per turn',
  'chat: 200 connections, 50 publish to all in the same instant',
  'compressed echo 1 KiB JSON, default level',
  'compressed echo 64 KiB JSON, default level',
  'compressed echo 64 KiB JSON, level 1',
  'handshakes, bare route',
];

const WIDTH = 820;
const LEFT = 330;
const RIGHT = 60;
const BAR = 12;
const GAP = 14;
const TOP = 56;
const TICKS = [0.5, 1, 2, 5, 10, 20, 40];
const HUES = {
  'attach-websocket': 'ours',
  ws: 'ws',
  'express-ws': 'express',
  'uWebSockets.js': 'uws',
};

const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #24292f; }
  .title { font-size: 15px; font-weight: 600; }
  .axis { stroke: #8c959f; stroke-width: 1; opacity: 0.4; }
  .one { opacity: 1; }
  .ours { fill: #0969da; } .ws { fill: #bf8700; } .express { fill: #8250df; } .uws { fill: #1a7f37; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .ours { fill: #4493f8; } .ws { fill: #d29922; } .express { fill: #ab7df8; } .uws { fill: #3fb950; }
  }`;

/** The chart of the main rows that were measured. */
export function chartOf(measured) {
  const rows = MAIN.map((name) => measured.find(({ scenario }) => scenario.name === name)).filter(
    (row) => row !== undefined,
  );
  const parts = [];
  let y = TOP;
  for (const { scenario, summary } of rows) {
    const bars = summary.filter(({ name, ratio }) => name in HUES && ratio !== undefined);
    const middle = y + (bars.length * BAR) / 2 + 4;
    parts.push(
      `<text x="${LEFT - 10}" y="${middle}" text-anchor="end">${shorten(scenario.name)}</text>`,
    );
    for (const { name, ratio } of bars) {
      parts.push(barOf(HUES[name], y, ratio.median));
      y += BAR;
    }
    y += GAP;
  }
  const height = y + 28;
  return `${[open(height), ...legend(rows), ...ticks(y), ...parts].join('\n')}\n</svg>\n`;
}

function open(height) {
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" ` +
    `aria-label="CPU ratios to ${BASE}">\n<style>${STYLE}\n</style>\n` +
    `<text class="title" x="10" y="20">CPU of ${BASE}, by that of each server (more is better)</text>`
  );
}

function legend(rows) {
  const present = new Set(rows.flatMap(({ summary }) => summary.map(({ name }) => name)));
  return Object.keys(HUES)
    .filter((name) => present.has(name))
    .map(
      (name, at) =>
        `<rect class="${HUES[name]}" x="${10 + at * 150}" y="32" width="10" height="10"/>` +
        `<text x="${26 + at * 150}" y="41">${name}</text>`,
    );
}

function ticks(bottom) {
  return TICKS.map((value) => {
    const x = xOf(value).toFixed(1);
    return (
      `<line class="axis${value === 1 ? ' one' : ''}" x1="${x}" x2="${x}" y1="${TOP - 6}" y2="${bottom}"/>` +
      `<text x="${x}" y="${bottom + 16}" text-anchor="middle">${value}×</text>`
    );
  });
}

function barOf(hue, y, ratio) {
  const [from, to] = [xOf(1), xOf(ratio)].sort((a, b) => a - b);
  return (
    `<rect class="${hue}" x="${from.toFixed(1)}" y="${y}" width="${Math.max(1, to - from).toFixed(1)}" height="${BAR - 2}"/>` +
    `<text x="${(Math.max(from, to) + 5).toFixed(1)}" y="${y + BAR - 2}">${ratio.toFixed(ratio < 10 ? 2 : 1)}</text>`
  );
}

function xOf(value) {
  const [low, high] = [Math.log(TICKS[0]), Math.log(TICKS.at(-1))];
  const part = (Math.log(value) - low) / (high - low);
  return LEFT + Math.min(1, Math.max(0, part)) * (WIDTH - LEFT - RIGHT);
}

function shorten(name) {
  return name.replace(/^chat: .*/, 'chat: 200 connections, 50 publish at once');
}
