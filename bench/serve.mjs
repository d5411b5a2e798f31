/** What every server of the benchmark does: listen, tell the parent where, and answer its questions. */

/** What this process is to be: `{ role, deflate }`, see scenarios.mjs. */
export const settings = JSON.parse(process.env.BENCH_SETTINGS ?? '{"role":"echo"}');

/**
 * What an app holds besides its sockets: 500,000 small objects, 35 MB; BENCH_OBJECTS says otherwise. V8 counts
 * what it holds for reads and messages outside of its heap against how much that may grow. Beside a small
 * heap it is much: each time there are 32 MB of it, all is marked, in some processes, and in others never.
 */
const objects = Number(process.env.BENCH_OBJECTS ?? 500_000);
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
