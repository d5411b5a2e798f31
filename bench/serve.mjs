/** What every server of the benchmark does: listen, tell the parent where, and answer its questions. */

/** What this process is to be: `{ role, deflate }`, see scenarios.mjs. */
export const settings = JSON.parse(process.env.BENCH_SETTINGS ?? '{"role":"echo"}');

/**
 * What an app holds besides its sockets: 100,000 small objects, 7 MB; BENCH_OBJECTS says otherwise. V8 begins
 * no incremental collection while less than 8 MB are old (Node 20: 5.5 MB with ws alone, 8.1 with Express),
 * so a process that holds nothing else leaves large messages uncollected for longer than any app can.
 */
const objects = Number(process.env.BENCH_OBJECTS ?? 100_000);
globalThis.ofTheApp = Array.from({ length: objects }, (_, id) => ({ id, name: `item ${id}` }));

/** Listens on a port of the system's choice. */
export function serve(server) {
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
    answer(server.address().port);
  });
}

/** For a server that listens by itself. */
export function answer(port) {
  process.on('message', (question) => {
    if (question === 'usage') process.send(usage());
    if (question === 'memory') process.send(memory());
  });
  process.on('disconnect', () => process.exit());
  process.send({ port });
}

function usage() {
  const { user, system } = process.cpuUsage();
  return { cpu: user + system, rss: process.memoryUsage.rss() };
}

/** After a collection where the process was started with --expose-gc. */
function memory() {
  globalThis.gc?.();
  globalThis.gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rss, heap: heapUsed, external };
}
