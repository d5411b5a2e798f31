/**
 * The benchmark: servers as child processes, each peer in turn, in interleaved rounds; CPU time of
 * the server process (user and system) a message, medians, and ratios within a round.
 *
 *   npm run bench                         all of it, about 40 minutes; writes RESULTS.md, results.svg
 *   npm run bench -- --quick              the main rows, within a minute; writes nothing
 *   npm run bench -- --only=chat          the scenarios whose name contains this
 *   npm run bench -- --profile=DIR        with a CPU profile of each server (ratios then mean little)
 *   npm run bench -- --build=DIR          with another build of this package, that of DIR/dist, beside it
 *   npm run bench -- --peers=ws,net       only these servers
 *   npm run bench -- --rounds=9           more rounds than usual, or --processes=9, of one process each
 */
import { writeFileSync } from 'node:fs';
import { FULL, measure, QUICK } from './measure.mjs';
import { goalsTable } from './report/goals.mjs';
import { summarize } from './report/statistics.mjs';
import { columnsOf, headOf, rowsOf } from './report/tables.mjs';
import { writeResults } from './report/results.mjs';
import { describeMachine, descriptorsAreEnough } from './machine.mjs';
import { addBuild } from './peers.mjs';
import { scenarios } from './scenarios.mjs';

const isQuick = process.argv.includes('--quick');
const only = option('only');
const pace = { ...(isQuick ? QUICK : FULL) };
for (const often of ['processes', 'rounds']) {
  if (option(often) !== undefined) pace[often] = Number(option(often));
}

const chosen = scenarios(isQuick).filter(
  ({ name, group }) => only === undefined || name.includes(only) || group.includes(only),
);
const builds = options('build').map(addBuild);
const measured = [];
const startedAt = new Date();
console.log(`${describeMachine(pace).join('\n')}\n`);

let lastHead;
for (const scenario of chosen) {
  if (!descriptorsAreEnough(scenario)) continue;
  scenario.peers = [...scenario.peers.filter(isWanted), ...builds];
  const summary = summarize(await measure(scenario, pace, option('profile')));
  measured.push({ scenario, summary });
  const columns = columnsOf(scenario);
  const head = headOf(columns);
  if (head !== lastHead) console.log(`\n${head}`);
  lastHead = head;
  console.log(rowsOf(scenario, summary, columns).join('\n'));
  if (!isQuick && only === undefined) writeSoFar();
}
console.log(`\n${goalsTable(measured)}`);

console.log(`\n${minutesSoFar()} minutes`);

/** After every scenario: a run that is broken off keeps what it has. */
function writeSoFar() {
  writeResults({ measured, pace, startedAt, minutes: minutesSoFar() }, writeFileSync);
}

function minutesSoFar() {
  return ((Date.now() - startedAt) / 60_000).toFixed(1);
}

function isWanted(peer) {
  const wanted = option('peers')?.split(',');
  return wanted === undefined || wanted.includes(peer);
}

function option(name) {
  return options(name)[0];
}

function options(name) {
  const prefix = `--${name}=`;
  return process.argv
    .filter((each) => each.startsWith(prefix))
    .map((each) => each.slice(prefix.length));
}
