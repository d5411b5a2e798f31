/** What was aimed at, beside what was reached. */
import { BASE, OURS } from '../peers.mjs';
import { ratios } from './statistics.mjs';

/** CPU of another server in the same scenario, by ours. */
const against = (peer, atLeast) => ({
  of: (summary) => ratio(summary, peer),
  atLeast,
  unit: '×',
  peer,
});

/** p99 in milliseconds. */
const p99 = (atMost) => ({ of: (summary) => find(summary, OURS)?.p99, atMost, unit: ' ms' });

/** Bytes of a connection. */
const kilobytes = (key, atMost) => ({
  of: (summary) => find(summary, OURS)?.[key] / 1000,
  atMost,
  unit: ' kB',
});

const GOALS = [
  [/^echo 125 B text, 64 × 16/, against(BASE, 9)],
  [/^echo 1 KiB text, 64 × 16/, against(BASE, 6)],
  [/^echo (20 B|125 B|1 KiB) text, 64 × 1$/, against(BASE, 1.2)],
  [/^echo (20 B|125 B|1 KiB) text, 64 × 1$/, against('net', 0.95)],
  [/^echo (4|16|64|1) (KiB|MiB) text.*, 64 × 1$/, against(BASE, 1)],
  [/^echo .* binary, 64 × 1$/, against(BASE, 1)],
  [/^fan-out 100 B to \d+, one at a time$/, against(BASE, 1.25)],
  [/^fan-out 100 B to \d+, 8 per turn$/, against(BASE, 10)],
  [/^chat/, against(BASE, 20)],
  [/^compressed echo 1 KiB JSON, default level/, against(BASE, 2.5)],
  [/^compressed echo 64 KiB JSON, default level/, against(BASE, 1.2)],
  [/^handshakes, bare route/, against(BASE, 1.2)],
  [/^memory at \d+ connections, idle$/, kilobytes('rssEach', 5.8)],
  [/^memory at \d+ connections, idle$/, kilobytes('heapEach', 1.6)],
  [/^memory .* after one compressed message/, kilobytes('rssEach', 16)],
  [/^bystander, (?!no flood)/, p99(20)],
];

/** A Markdown table of the goals whose scenarios were measured. */
export function goalsTable(measured) {
  const rows = measured.flatMap(({ scenario, summary }) =>
    GOALS.filter(([pattern]) => pattern.test(scenario.name)).map(([, goal]) =>
      rowOf(scenario, summary, goal),
    ),
  );
  const between = [handshakeRow(measured), levelRow(measured)];
  const all = [...rows, ...between.filter((row) => row !== undefined)];
  return ['| goal | aimed at | reached |', '|---|---|---|', ...new Set(all)].join('\n');
}

function rowOf({ name }, summary, goal) {
  const reached = goal.of(summary);
  const aim = goal.atLeast === undefined ? `≤ ${goal.atMost}` : `≥ ${goal.atLeast}`;
  const isKnown = Number.isFinite(reached);
  const value = isKnown ? `${reached.toFixed(2)}${goal.unit}` : '–';
  const mark = isKnown && (reached < goal.atLeast || reached > goal.atMost) ? ' (missed)' : '';
  const than = goal.peer === undefined ? '' : ` of ${goal.peer}`;
  return `| ${name} | ${aim}${goal.unit}${than} | ${value}${mark} |`;
}

/** Our own routes with each other: what `use` and `auth` add. */
function handshakeRow(measured) {
  const bare = cpuOf(measured, 'handshakes, bare route', OURS);
  const auth = cpuOf(measured, 'handshakes, route with use and auth', OURS);
  if (bare === undefined || auth === undefined) return undefined;
  const part = bare / auth;
  const mark = part < 0.6 ? ' (missed)' : '';
  return `| handshakes, route with use and auth | ≥ 0.6× of the bare route | ${part.toFixed(2)}×${mark} |`;
}

/** What the option `level: 1` is against what ws does by default. */
function levelRow(measured) {
  const ours = cpuOf(measured, 'compressed echo 64 KiB JSON, level 1', OURS);
  const theirs = cpuOf(measured, 'compressed echo 64 KiB JSON, default level', BASE);
  if (ours === undefined || theirs === undefined) return undefined;
  const part = theirs / ours;
  const mark = part < 3.5 ? ' (missed)' : '';
  return `| compressed echo 64 KiB JSON, level 1 against the default level | ≥ 3.5× of ${BASE} | ${part.toFixed(2)}×${mark} |`;
}

function cpuOf(measured, name, server) {
  const found = measured.find(({ scenario }) => scenario.name === name);
  return found === undefined ? undefined : find(found.summary, server)?.cpu;
}

function ratio(summary, peer) {
  const theirs = find(summary, peer);
  const own = find(summary, OURS);
  return theirs && own ? ratios(theirs.rounds, own.rounds)?.median : undefined;
}

function find(summary, name) {
  return summary.find((each) => each.name === name);
}
