import { readHandshake } from '../protocol/handshake';
import type { Exchange } from './exchange';
import type { Mount } from './mount';
import { enterApp, type Exit } from './passage';
import { Upgrade, type Gatekeeper } from './upgrade';

/** A route, and whose it is. */
export interface Owned {
  readonly keeper: Gatekeeper;
  readonly mount: Mount;
}

/** What it takes to find a route in the app. */
export interface SearchTerms {
  /** Whose app it is. */
  readonly keeper: Gatekeeper;
  /** Milliseconds for the app; the route that takes it may allow less or more, from the start. */
  readonly timeout: number;
  /** The route of an exit. */
  readonly find: (exit: Exit) => Owned | undefined;
}

/**
 * Sends an upgrade that matches no path of ours through the app, where a router's `.ws` may take it:
 * only there is known where the router is mounted. When none does, the app has answered.
 */
export function findInApp(exchange: Exchange, { keeper, timeout, find }: SearchTerms): void {
  const offer = readHandshake(exchange.request);
  const refused = 'status' in offer ? offer : (keeper.refusal() ?? keeper.pend(exchange));
  if (refused !== undefined) {
    exchange.refuse(refused);
    return;
  }
  exchange.belongTo({ onSettled: () => keeper.settle(exchange) });
  exchange.wait(timeout);
  enterApp(exchange, (exit, next) => {
    const found = find(exit);
    if (found === undefined) return 'passed';
    // It waits for its route from here on, which may be another attachment's.
    keeper.settle(exchange);
    new Upgrade(found.keeper, found.mount, exchange, next).run();
    return 'taken';
  });
}
