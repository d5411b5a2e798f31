import { stopAll } from '../scenarios/support/server';
import { describeWith } from './describe-with';
import { describeForwarded } from './forwarded';
import type { Kind } from './process';
import { describeRefusals } from './refusals';
import { starterOf } from './start';
import { describeTraffic } from './traffic';

/** What every proxy has to let through, once for all of them. */
// eslint-disable-next-line jest/no-export -- a helper that makes suites, not one itself
export function describeProxy(kind: Kind): void {
  describeWith(kind, (executable) => {
    const start = starterOf(kind, executable);

    afterEach(stopAll);

    describe.each([false, true])('with TLS to the server: %j', (isBackendSecure) => {
      describeTraffic((wish) => start({ isBackendSecure, ...wish }));
      describeRefusals((wish) => start({ isBackendSecure, ...wish }));
    });
    describeForwarded(start);
  });
}
