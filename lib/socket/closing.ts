import type { Buffer } from 'node:buffer';
import { CloseCode, type Close } from '../protocol/close';
import { FIN } from '../protocol/frame';
import { Opcode } from '../protocol/opcode';
import { Alarm, clock } from './clock';
import type { Outbox } from './outbox';

/** How a connection ended. */
export interface Verdict extends Close {
  /** Whether both sides sent a close frame. */
  readonly wasClean: boolean;
}

/** Where a connection stands. */
export type Phase = 'open' | 'closing' | 'closeSent' | 'ending' | 'closed';

/** The connection, as its closing sees it. */
export interface ClosingOwner {
  readonly settings: { readonly closeTimeout: number };
  readonly outbox: Pick<Outbox, 'pushClose' | 'end'>;
  /** Reads on, whoever had stopped it: the peer's FIN is behind what it sent before. */
  readOut(): void;
  /** The peer had its time. */
  onLate(): void;
}

const CLOSE_FRAME = FIN | Opcode.Close;

const ABNORMAL: Verdict = { code: CloseCode.Abnormal, reason: '', wasClean: false };

/**
 * The closing handshake of one connection (RFC 6455 §7), and the close timer; made when it begins.
 *
 * ```
 * close(), or peer's      ┌─────────┐  what was sent before is out
 *  close  ┌─────────────▶ │ closing │ ───────────┐
 *  frame  │               └────┬────┘            ▼     peer's close frame
 *   ┌──────┐│ nothing waits, or shut()      ┌───────────┐ ──────────────▶ ┌────────┐ transport ┌────────┐
 *   │ open ├┴──────────────────┼──────────▶ │ closeSent │                 │ ending │ ────────▶ │ closed │
 *   └──┬───┘                   │            └─────┬─────┘                 └────────┘   gone    └────────┘
 *      │ peer's close frame: echo; fault: ours    │                           ▲
 *      └───────────────────────┴──────────────────┴───────────────────────────┘ our FIN is sent
 * ```
 * Invariants:
 * - it is there exactly while the connection is not `open`.
 * - exactly one close frame is sent, except when the network ends first.
 * - from `closing` on the close timer runs, whatever is buffered; it ends the transport.
 * - in `ending`, what the peer sends is read and dropped, so that our close frame is not lost to
 *   a reset.
 */
export class Closing extends Alarm {
  /** What is told of the end, once it has come. */
  verdict: Verdict = ABNORMAL;
  readonly #owner: ClosingOwner;
  #phase: Exclude<Phase, 'open'> = 'closing';

  constructor(owner: ClosingOwner) {
    super();
    this.#owner = owner;
  }

  get phase(): Exclude<Phase, 'open'> {
    return this.#phase;
  }

  /** One `closeTimeout` for all of the closing: a late answer of the peer's gives it no more. */
  awaitEnd(): void {
    if (!this.isSet) clock.set(this, this.#owner.settings.closeTimeout);
  }

  /** Sends our close frame, if it is still to come. */
  send(body: Buffer): void {
    if (this.#phase !== 'closing') return;
    this.#phase = 'closeSent';
    this.#owner.outbox.pushClose(CLOSE_FRAME, body);
  }

  /** The peer's close frame is here: ours, if it is still to come, then we end first (§7.1.1). */
  answer(body: Buffer): void {
    this.send(body);
    if (this.#phase === 'closeSent') this.end();
  }

  /** Ends our side of the transport. */
  end(): void {
    this.#phase = 'ending';
    this.#owner.outbox.end();
    this.#owner.readOut();
  }

  /** The transport is about to be destroyed: no close frame is sent any more. */
  drop(): void {
    this.#phase = 'ending';
  }

  /** The transport is gone. */
  finish(): void {
    this.#phase = 'closed';
    clock.clear(this);
  }

  override ring(): void {
    this.#owner.onLate();
  }
}
