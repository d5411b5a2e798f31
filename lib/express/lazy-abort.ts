import type { AuthInfo } from './route';

/** A signal that is made when somebody looks at it: most `auth`s do not. */
export class LazyAbort implements AuthInfo {
  #controller: AbortController | undefined = undefined;
  #state: 'waiting' | 'aborted' = 'waiting';

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.isAborted) this.#controller.abort();
    return this.#controller.signal;
  }

  /** Whether it was aborted. */
  get isAborted(): boolean {
    return this.#state === 'aborted';
  }

  /** The client has left, or the time is up. */
  abort(): void {
    this.#state = 'aborted';
    this.#controller?.abort();
  }
}
