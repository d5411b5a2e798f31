import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

const HOW = 'no Chromium found: apt-get install chromium, or set CHROMIUM to the path of one';

const ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/**
 * A suite that needs a browser, which it gets started and closed. Without a Chromium on this
 * machine it is skipped, and says so; in CI (`CI=true`) it fails.
 */
// eslint-disable-next-line jest/no-export -- a helper that makes suites, not one itself
export function describeWithChromium(name: string, body: (browser: () => Browser) => void): void {
  const executablePath = findChromium();
  if (executablePath === undefined) {
    if (process.env['CI'] === 'true') throw new Error(HOW);
    process.stdout.write(`skipped: ${name}: ${HOW}\n`);
    // eslint-disable-next-line jest/no-disabled-tests -- there is nothing to run it with, and it says so
    describe.skip(name, () => {
      body(noBrowser);
    });
    return;
  }
  describe(name, () => {
    let browser: Browser | undefined = undefined;

    beforeAll(async () => {
      // Playwright gives it a new user data directory, and removes that.
      browser = await chromium.launch({ executablePath, args: ARGS });
    });

    afterAll(async () => {
      await browser?.close();
    });

    body(() => browser ?? noBrowser());
  });
}

function findChromium(): string | undefined {
  const { CHROMIUM, PATH = '' } = process.env;
  if (CHROMIUM !== undefined) return existsSync(CHROMIUM) ? CHROMIUM : undefined;
  const folders = ['/usr/bin', ...PATH.split(delimiter)];
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(existsSync);
}

function noBrowser(): never {
  throw new Error('the browser is there while tests run, not before');
}
