import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const ROOT = join(__dirname, '../..');
const EXAMPLE = join(ROOT, 'example-app');
const BUILT = join(EXAMPLE, 'build/server.js');

/** The example of this repository, in a process of its own, as `npm run example` starts it. */
export class ChatServer {
  readonly url: string;
  /** Everything it wrote to stderr, which should be nothing. */
  errors = '';
  readonly #port: number;
  #child: ChildProcess | undefined = undefined;

  constructor(port: number) {
    this.#port = port;
    this.url = `http://localhost:${port}`;
  }

  /** Starts it, and waits until it says so. */
  async start(): Promise<void> {
    const child = spawn(process.execPath, [BUILT], {
      env: { ...process.env, PORT: String(this.#port) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    child.stderr.on('data', (text) => (this.errors += String(text)));
    const ended = once(child, 'exit').then(() => {
      throw new Error(`the example ended: ${this.errors}`);
    });
    // Only looked at while starting; later, it ends when it is told to.
    ended.catch(() => undefined);
    const [line] = await Promise.race([once(createInterface(child.stdout), 'line'), ended]);
    expect(line).toBe(`chat on ${this.url}`);
  }

  /** Asks it to end, and waits until it has. Returns its exit code. */
  async stop(): Promise<number | null> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null) return child?.exitCode ?? null;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
    return child.exitCode;
  }
}

/** Compiles the example, unless that was done since it was last changed. */
export function buildExample(): void {
  const isFresh = ['server.ts', 'tsconfig.json'].every(
    (name) => changedAt(join(EXAMPLE, name)) <= changedAt(BUILT),
  );
  if (isFresh) return;
  const tsc = require.resolve('typescript/bin/tsc');
  execFileSync(process.execPath, [tsc, '-p', EXAMPLE], { cwd: ROOT, stdio: 'inherit' });
}

/** A port that nobody listens on; the example is started on the same one twice. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || address === null) throw new Error('a pipe has no port');
  return address.port;
}

function changedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
