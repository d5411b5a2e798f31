import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterTest } from './server';

const ROOT = join(__dirname, '../../..');

/** How a child process ended, and all it said. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A script of `../children` in a process of its own, on the built package. */
export class Child {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
  #stdout = '';
  #stderr = '';
  #waiting: (() => void)[] = [];

  constructor(script: string, args: readonly string[] = [], flags: readonly string[] = []) {
    if (!existsSync(join(ROOT, 'dist/index.js'))) {
      throw new Error('dist/ is missing, and this test is about what is shipped: npm run build');
    }
    const path = join(__dirname, '../children', script);
    this.process = spawn(process.execPath, [...flags, path, ...args], { cwd: ROOT });
    this.process.stdout?.on('data', (chunk) => {
      this.#stdout += String(chunk);
      this.#heard();
    });
    this.process.stderr?.on('data', (chunk) => {
      this.#stderr += String(chunk);
    });
    this.ended = new Promise((resolve) => {
      this.process.on('close', (code, signal) => {
        resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr });
        this.#heard();
      });
    });
    afterTest(() => this.process.kill('SIGKILL'));
  }

  get isRunning(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  /** Waits for a line that starts with this word, and hands back the JSON behind it. */
  async says<T = unknown>(word: string): Promise<T> {
    for (;;) {
      const line = this.#stdout.split('\n').find((each) => each.startsWith(`${word} `));
      if (line !== undefined && this.#stdout.includes(`${line}\n`)) {
        return JSON.parse(line.slice(word.length + 1)) as T;
      }
      if (!this.isRunning) {
        throw new Error(`child ended without '${word}':\n${this.#stdout}${this.#stderr}`);
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** A line on its standard input. */
  tell(line: string): void {
    this.process.stdin?.write(`${line}\n`);
  }

  #heard(): void {
    for (const resume of this.#waiting.splice(0)) resume();
  }
}
