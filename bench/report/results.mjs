/** RESULTS.md and its chart. */
import { describeMachine } from '../machine.mjs';
import { goalsTable } from './goals.mjs';
import { chartOf } from './chart.mjs';
import { columnsOf, headOf, rowsOf } from './tables.mjs';

const METHOD = `CPU is that of the server process, user and system, for each message (echo), delivery (fan-out: one message to
one receiver) or handshake, in microseconds. The ratio is that of ws with bufferutil to the row's server in the
same round, so more is better and ws with bufferutil is 1; its spread over the rounds is beside it. All figures
are medians of the rounds. A dash is what was not measured.

Every server is a process of its own, started anew as often as is said above, and they take turns in each round,
so that a change in the machine's speed meets all of them. attach-websocket runs as in an app: the built
package, an Express 5 app, one route, default options. ws runs without Express, as its documentation shows it,
with \`perMessageDeflate\` off except where it is measured; express-ws runs on Express 4. \`net\` answers the
handshake and then sends back what comes, with no protocol at all. Text comes to a handler of attach-websocket
as a string, and to one of ws as a Buffer, which its echo sends back unread: what a string takes is in one and
not in the other. "text read" is a ws whose handler makes the string as well, and sends back the Buffer. The
load client is one more process: raw connections, frames masked beforehand; it compares the first echo of each
connection byte for byte, and counts the others.

Every server holds 500,000 small objects besides, 35 MB, as an app holds something. Where a process holds
nothing, V8 marks the whole heap each time that 32 MB of reads and messages have piled up outside of it, or
never, by chance: two processes of one build then take one time or twice that, whichever server it is. With
\`BENCH_OBJECTS=0\` they are left out. Memory of a connection is measured without them.

"64 × 16" is 64 connections with 16 messages under way on each. Messages under way are limited to 1 MiB a
connection and 64 MiB in all. Compressed fan-out compresses every message (threshold 0 for all servers); where
nothing is said, permessage-deflate has each server's own defaults: ws keeps its compression context between
messages, attach-websocket does not.`;

/** Writes both files. */
export function writeResults({ measured, pace, startedAt, minutes }, write) {
  const groups = [...new Set(measured.map(({ scenario }) => scenario.group))];
  const parts = [
    '# Results',
    `${startedAt.toISOString().slice(0, 10)}, \`npm run bench\`, ${minutes} minutes.`,
    describeMachine(pace)
      .map((line) => `- ${line}`)
      .join('\n'),
    METHOD,
    '![Ratios to ws with bufferutil](results.svg)',
    `## Goals\n\n${goalsTable(measured)}`,
    ...groups.map((group) => tableOf(group, measured)),
  ];
  write(new URL('../RESULTS.md', import.meta.url), `${parts.join('\n\n')}\n`);
  write(new URL('../results.svg', import.meta.url), chartOf(measured));
}

function tableOf(group, measured) {
  const own = measured.filter(({ scenario }) => scenario.group === group);
  const columns = columnsOf(own[0].scenario);
  const rows = own.flatMap(({ scenario, summary }) => rowsOf(scenario, summary, columns));
  return [`## ${group}`, '', headOf(columns), ...rows].join('\n');
}
