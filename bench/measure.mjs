/** Runs one scenario: every peer in turn, round by round, each in a process of its own. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { cpuTimeOf } from './machine.mjs';
import { PEERS } from './peers.mjs';

/**
 * How long and how often: so many processes of each server, one after the other, and so many rounds of each.
 * Two processes of one build differ by up to 20 %, by where their memory lies.
 */
export const FULL = { processes: 3, rounds: 2, warmup: 0.2, seconds: 0.5 };
export const QUICK = { processes: 1, rounds: 3, warmup: 0.1, seconds: 0.2 };

/** What each present peer reached: name → the results of its rounds. */
export async function measure(scenario, pace, profileInto) {
  const names = scenario.peers.filter((name) => PEERS[name].missing === undefined);
  const results = new Map(names.map((name) => [name, []]));
  for (let process = 0; process < pace.processes; process++) {
    if (scenario.kind === 'idle') {
      for (const name of names) results.get(name).push(await weigh(name, scenario));
    } else {
      await takeTurns({ names, results, scenario, pace, profileInto });
    }
  }
  return results;
}

/** One process of each server; they take turns. */
async function takeTurns({ names, results, scenario, pace, profileInto }) {
  const servers = new Map();
  for (const name of names) servers.set(name, await startServer(name, scenario, profileInto));
  const load = new Child('load.mjs', [], {});
  try {
    // One round more than counts: the first one compiles.
    for (let round = 0; round <= pace.rounds; round++) {
      for (const [name, server] of servers) {
        const result = await runLoad({ load, server, name, scenario, pace });
        if (round > 0) results.get(name).push(result);
      }
    }
  } finally {
    load.stop();
    for (const server of servers.values()) server.stop();
  }
}

/** CPU, rate and latency under load. */
async function runLoad({ load, server, name, scenario, pace }) {
  const empty = scenario.watchesMemory ? await server.ask('memory') : undefined;
  const flood = scenario.flood === undefined ? undefined : await startFlood(server, scenario);
  load.send({
    ...scenario,
    ...pace,
    kind: flood === undefined ? scenario.kind : 'echo',
    port: server.port,
    isRaw: PEERS[name].isRaw,
  });
  if ((await load.next()) !== 'ready') throw new Error('the load client is out of step');
  load.send('begin');
  await load.expect('start');
  const before = await server.cpu();
  await load.expect('stop');
  const after = await server.cpu();
  const { rss } = await server.ask('usage');
  const { messages, rate, p50, p99 } = await load.next();
  const full = scenario.watchesMemory ? rss - empty.rss : undefined;
  if (flood !== undefined) await end(flood);
  return {
    // While another connection floods, most of the CPU is for that.
    cpu: flood === undefined && messages > 0 ? (after - before) / messages : undefined,
    rate,
    p50,
    p99,
    rss,
    rssEach: full === undefined ? undefined : full / scenario.connections,
  };
}

async function startFlood(server, scenario) {
  const flood = startLoad({ ...scenario, port: server.port });
  await flood.expect('ready');
  flood.send('begin');
  return flood;
}

/** Memory of a connection, in a fresh process; what a hundred others have warmed up is not counted. */
async function weigh(name, scenario) {
  const server = await startServer(name, scenario);
  try {
    await hold(server, { ...scenario, connections: 100 });
    const empty = await server.ask('memory');
    const full = await hold(server, scenario);
    return {
      rssEach: (full.rss - empty.rss) / scenario.connections,
      heapEach: (full.heap - empty.heap) / scenario.connections,
      rss: full.rss,
    };
  } finally {
    server.stop();
  }
}

/** The server's memory while the connections are there. */
async function hold(server, scenario) {
  const load = startLoad({ ...scenario, port: server.port });
  load.send('begin');
  await load.expect('ready');
  const memory = await server.ask('memory');
  await end(load);
  return memory;
}

async function end(load) {
  load.send('end');
  await load.expect('gone');
  await load.ended();
}

async function startServer(name, { kind, role, deflate }, profileInto) {
  const { file, env } = PEERS[name];
  // Memory is that of a process that holds nothing else: where more is old, V8 makes its young
  // generation larger, once, and that is no connection's.
  const objects = kind === 'idle' ? { BENCH_OBJECTS: '0' } : {};
  const profile = profileInto === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileInto}`];
  const child = new Child(`servers/${file}`, ['--expose-gc', ...profile], {
    BENCH_SETTINGS: JSON.stringify({ role, deflate }),
    ...objects,
    ...env,
  });
  const { port } = await child.next();
  const ask = async (question) => {
    child.send(question);
    return child.next();
  };
  return {
    port,
    ask,
    cpu: async () => cpuTimeOf(child.pid) ?? (await ask('usage')).cpu,
    stop: () => child.stop(),
  };
}

function startLoad(task) {
  const load = new Child('load.mjs', [], {});
  load.send(task);
  return load;
}

/** A child process that is asked and answers, in order. */
class Child {
  #process;
  #messages = [];
  #waiting;
  #exited;

  constructor(file, execArgv, env) {
    const path = fileURLToPath(new URL(file, import.meta.url));
    this.#process = fork(path, { execArgv, env: { ...process.env, ...env } });
    this.#process.on('message', (message) => this.#put(message));
    this.#exited = new Promise((resolve) => {
      this.#process.once('exit', (code) => {
        resolve();
        if (code !== 0) this.#put({ failed: `${file} ended with ${code}` });
      });
    });
  }

  get pid() {
    return this.#process.pid;
  }

  send(message) {
    this.#process.send(message);
  }

  async next() {
    const message = this.#messages.shift() ?? (await this.#nextToCome());
    if (message.failed !== undefined) throw new Error(message.failed);
    return message;
  }

  async expect(word) {
    const message = await this.next();
    if (message !== word) throw new Error(`expected ${word}, got ${JSON.stringify(message)}`);
  }

  stop() {
    if (this.#process.connected) this.#process.disconnect();
  }

  /** Lets it go, and waits until it has: its ports and descriptors are free then. */
  async ended() {
    this.stop();
    await this.#exited;
  }

  #nextToCome() {
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  #put(message) {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) this.#messages.push(message);
    else waiting(message);
  }
}
