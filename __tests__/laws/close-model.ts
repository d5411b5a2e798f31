import { Buffer } from 'node:buffer';
import { clientFrame, hex } from '../support/bytes';

/*
 * What a socket must do, as a model of a few lines: RFC 6455 §5.5.1, §7.1 and the semantics in
 * lib/README.md, without bytes, timers or streams. Whatever happens, in whatever order, the socket
 * has to do what the model does.
 */

/** What user code may do, at any time or from inside of its message listener. */
export type Action =
  | { readonly kind: 'send' | 'ping' | 'terminate' | 'pause' | 'resume' | 'throw' | 'nothing' }
  | { readonly kind: 'close'; readonly code: number };

/** What the peer may send. A text makes the listener of the socket act. */
export type PeerItem =
  | { readonly kind: 'text'; readonly action: Action }
  | { readonly kind: 'ping' | 'pong' | 'fin' }
  | { readonly kind: 'close'; readonly code: number | undefined; readonly reason: string }
  | { readonly kind: 'bad'; readonly bytes: string; readonly code: number };

/** Frames that break one rule each, and the close code that RFC 6455 gives it. */
export const BAD_FRAMES: readonly Extract<PeerItem, { kind: 'bad' }>[] = [
  { kind: 'bad', bytes: '83 80 00000000', code: 1002 },
  { kind: 'bad', bytes: '80 80 00000000', code: 1002 },
  { kind: 'bad', bytes: '88 81 00000000 03', code: 1002 },
  { kind: 'bad', bytes: '88 82 00000000 03ec', code: 1002 },
  { kind: 'bad', bytes: '81 82 00000000 c080', code: 1007 },
  { kind: 'bad', bytes: '88 83 00000000 03e8ce', code: 1007 },
  { kind: 'bad', bytes: '82 ff 0000000000100001 00000000', code: 1009 },
];

/** How an action is written into a text. */
export const nameOf = (action: Action): string =>
  action.kind === 'close' ? `close ${action.code}` : action.kind;

/** The bytes of an item; a FIN has none. */
export function bytesOf(item: PeerItem): Buffer {
  if (item.kind === 'fin') return Buffer.alloc(0);
  if (item.kind === 'bad') return hex(item.bytes);
  const key = '37fa213d';
  if (item.kind === 'text') return clientFrame({ first: 0x81, payload: nameOf(item.action), key });
  if (item.kind !== 'close') return clientFrame({ first: item.kind === 'ping' ? 0x89 : 0x8a, key });
  if (item.code === undefined) return clientFrame({ first: 0x88, key });
  const code = Buffer.from([item.code >> 8, item.code & 0xff]);
  return clientFrame({
    first: 0x88,
    payload: Buffer.concat([code, Buffer.from(item.reason)]),
    key,
  });
}

/** How the socket ends: what `close` tells. */
export interface End {
  readonly code: number;
  /** `undefined` where it is the library's own wording. */
  readonly reason: string | undefined;
  readonly wasClean: boolean;
}

/**
 * ```
 *   open ──▶ closing (our close frame is queued) ──▶ ending (its end is known) ──▶ closed
 * ```
 */
export class Model {
  phase: 'open' | 'closing' | 'ending' | 'closed' = 'open';
  end: End = { code: 1006, reason: '', wasClean: false };
  isPaused = false;
  isDestroyed = false;
  hasSentFin = false;
  longWaits = 0;
  /** What user code has heard, one line an event. */
  readonly heard: string[] = [];
  /** Frames that the peer must have got. */
  readonly sent: string[] = [];
  /** Frames that were queued when the transport was destroyed: they may be lost, from the last one on. */
  lost: readonly string[] = [];
  #queued: string[] = [];
  #backlog: PeerItem[] = [];
  #hasSeenFin = false;

  act(action: Action): void {
    if (action.kind === 'resume') this.isPaused = false;
    if (action.kind === 'terminate') this.#terminate();
    if (this.phase !== 'open') return;
    if (action.kind === 'send') this.#queued.push('81 hello');
    if (action.kind === 'ping') this.#queued.push('89 beat');
    if (action.kind === 'pause') this.isPaused = true;
    if (action.kind === 'close') this.#close(action.code);
    if (action.kind === 'throw') {
      this.end = { code: 1011, reason: '', wasClean: false };
      this.#close(1011);
    }
  }

  receive(items: readonly PeerItem[]): void {
    this.#backlog.push(...items);
    if (items.some(({ kind }) => kind === 'fin')) this.hasSentFin = true;
  }

  reset(): void {
    this.isDestroyed = true;
  }

  /** More time than any timer of a socket takes, and than its peer may be silent. */
  wait(): void {
    this.longWaits++;
    if (this.phase !== 'open' || !this.isPaused) this.isDestroyed = true;
    this.settle();
  }

  /** Whether something that was held back is about to be heard. */
  get isBehind(): boolean {
    return this.#backlog.length > 0 && !this.isPaused && !this.isDestroyed;
  }

  /** Everything that can happen now has happened. */
  settle(): void {
    while (this.isBehind) this.#hear(this.#backlog.shift());
    if (this.phase === 'closed') return;
    if (this.isDestroyed) this.lost = this.#queued;
    else this.sent.push(...this.#queued);
    this.#queued = [];
    if (this.isDestroyed || (this.phase === 'ending' && this.#hasSeenFin)) this.phase = 'closed';
  }

  #hear(item: PeerItem | undefined): void {
    if (item?.kind === 'fin') this.#hasSeenFin = true;
    // §1.4, §7.1.7: what comes behind a close frame or a fault has no meaning any more.
    if (item === undefined || this.phase === 'ending' || this.phase === 'closed') return;
    if (item.kind === 'fin') this.phase = 'ending';
    if (item.kind === 'pong' || item.kind === 'ping') this.heard.push(item.kind);
    if (item.kind === 'ping' && this.phase === 'open') this.#queued.push('8a ');
    if (item.kind === 'text' && this.phase === 'open') {
      this.heard.push(nameOf(item.action));
      this.act(item.action);
    }
    if (item.kind === 'close') {
      this.#finish(item.code, { code: item.code ?? 1005, reason: item.reason, wasClean: true });
    }
    if (item.kind === 'bad') {
      this.#finish(item.code, { code: item.code, reason: undefined, wasClean: false });
    }
  }

  #close(code: number): void {
    this.phase = 'closing';
    this.isPaused = false;
    this.#queued.push(`88 ${code}`);
  }

  /** §5.5.1: the one close frame is ours of before, or the answer. */
  #finish(code: number | undefined, end: End): void {
    if (this.phase === 'open') this.#queued.push(code === undefined ? '88 none' : `88 ${code}`);
    this.phase = 'ending';
    this.end = end;
  }

  #terminate(): void {
    this.isDestroyed = true;
    if (this.phase !== 'closed') this.phase = 'ending';
  }
}
