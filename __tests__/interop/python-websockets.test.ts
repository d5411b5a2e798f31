import type { Closed } from './client';
import { decode, encode, findPython, PythonClient, type Encoded } from './python';
import { describeClient } from './suite';

const HOW =
  'no Python with websockets found: apt-get install python3-websockets, or set PYTHON to the path of one';

describeWithPython((executable) => {
  let python: PythonClient;

  beforeAll(() => {
    python = new PythonClient(executable);
  });

  afterAll(() => python.end());

  describeClient('python3-websockets', {
    can: ['send fragments', 'send pings'],

    async connect({ url }, path, protocols) {
      return {
        protocol: (await python.call('open', url(path), protocols)) as string,
        send: (message) => python.call('send', encode(message)),
        receive: async () => decode((await python.call('receive')) as Encoded),
        close: (code, reason) => python.call('close', code, reason),
        closed: async () => (await python.call('closed')) as Closed,
        sendFragments: (parts) => python.call('send_fragments', parts.map(encode)),
        ping: (payload) => python.call('ping', encode(payload)),
      };
    },
  });
});

/**
 * A suite that needs Python with `websockets`. Where there is none it is skipped, and says so; in CI
 * (`CI=true`) it fails.
 */
function describeWithPython(body: (python: string) => void): void {
  const python = findPython();
  if (python !== undefined) {
    body(python);
    return;
  }
  if (process.env['CI'] === 'true') throw new Error(HOW);
  process.stdout.write(`skipped: python3-websockets: ${HOW}\n`);
  // eslint-disable-next-line jest/no-disabled-tests -- there is nothing to run it with, and it says so
  describe.skip(`python3-websockets: ${HOW}`, () => {
    body('');
  });
}
