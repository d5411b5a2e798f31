import { findProxy, type Kind } from './process';

/**
 * A suite that needs a proxy. Where it is not installed, the suite is skipped, and says so; in CI
 * (`CI=true`) it fails.
 */
// eslint-disable-next-line jest/no-export -- a helper that makes suites, not one itself
export function describeWith(kind: Kind, body: (executable: string) => void): void {
  const executable = findProxy(kind);
  if (executable !== undefined) {
    describe(`behind ${kind.name}`, () => {
      body(executable);
    });
    return;
  }
  const how = `no ${kind.name} found: apt-get install ${kind.aptPackage}`;
  if (process.env['CI'] === 'true') throw new Error(how);
  process.stdout.write(`skipped: behind ${kind.name}: ${how}\n`);
  // eslint-disable-next-line jest/no-disabled-tests -- there is nothing to run it with, and it says so
  describe.skip(`behind ${kind.name}: ${how}`, () => {
    body('');
  });
}
