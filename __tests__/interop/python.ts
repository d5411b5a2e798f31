import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Message } from './client';

/** Debian's own first: another one in front of it in the PATH does not see Debian's packages. */
const NAMES = ['/usr/bin/python3', 'python3'];

/** A message as `python_client.py` reads and writes it. */
export type Encoded = { readonly text: string } | { readonly base64: string };

export function encode(message: Message): Encoded {
  return typeof message === 'string' ? { text: message } : { base64: message.toString('base64') };
}

export function decode(message: Encoded): Message {
  return 'text' in message ? message.text : Buffer.from(message.base64, 'base64');
}

/** `python_client.py` in a process of its own. */
export class PythonClient {
  readonly #process: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  #stderr = '';
  /** The end of the calls so far: one at a time. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(python: string) {
    this.#process = spawn(python, [join(__dirname, 'python_client.py')]);
    this.#process.stderr!.on('data', (chunk) => (this.#stderr += String(chunk)));
    this.#answers = createInterface({ input: this.#process.stdout! })[Symbol.asyncIterator]();
  }

  /** Calls a method of the script's `Client`. */
  call(method: string, ...args: readonly unknown[]): Promise<unknown> {
    const answer = this.#last.then(() => this.#call(method, args));
    this.#last = answer.catch(() => undefined);
    return answer;
  }

  /** Ends the process: it reads until there is nothing more. */
  async end(): Promise<void> {
    const ended = once(this.#process, 'close');
    this.#process.stdin!.end();
    await ended;
    expect(this.#stderr).toBe('');
  }

  async #call(method: string, args: readonly unknown[]): Promise<unknown> {
    this.#process.stdin!.write(`${JSON.stringify({ call: method, args })}\n`);
    const { value, done } = await this.#answers.next();
    if (done === true) throw new Error(`the Python process ended: ${this.#stderr}`);
    const answer = JSON.parse(value) as { result?: unknown; error?: string };
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer.result;
  }
}

/** A Python that has `websockets`, if there is one. */
export function findPython(): string | undefined {
  const { PYTHON } = process.env;
  return (PYTHON === undefined ? NAMES : [PYTHON]).find(
    (name) => spawnSync(name, ['-c', 'import websockets']).status === 0,
  );
}
