import { on, once } from 'node:events';
import { WebSocket as UndiciSocket, type MessageEvent } from 'undici';
import { WebSocket } from 'ws';
import type { Message } from './client';
import type { CompressingClient } from './compressing-client';
import { describeCompression } from './compression';
import { decode, encode, findPython, PythonClient, type Encoded } from './python';

jest.setTimeout(60_000);

describeCompression('ws', {
  compresses: true,

  async connect(url) {
    const ws = new WebSocket(url, { perMessageDeflate: { threshold: 0 } });
    const messages = on(ws, 'message');
    await once(ws, 'open');
    expect(ws.extensions).toMatch(/^permessage-deflate/);
    return {
      send: (message) => ws.send(message),
      async receive() {
        const [data, isBinary] = (await messages.next()).value as [Buffer, boolean];
        return isBinary ? data : String(data);
      },
      close: () => ws.close(),
    };
  },
});

describeCompression('undici', {
  compresses: false,

  async connect(url) {
    const ws = new UndiciSocket(url);
    ws.binaryType = 'arraybuffer';
    const messages = on(ws as never, 'message');
    await once(ws as never, 'open');
    expect(ws.extensions).toMatch(/^permessage-deflate/);
    return {
      send: (message) => ws.send(message),
      async receive() {
        const [{ data }] = (await messages.next()).value as [MessageEvent<string | ArrayBuffer>];
        return typeof data === 'string' ? data : Buffer.from(data);
      },
      close: () => ws.close(),
    };
  },
});

const HOW =
  'no Python with websockets found: apt-get install python3-websockets, or set PYTHON to the path of one';

const executable = findPython();
if (executable === undefined && process.env['CI'] === 'true') throw new Error(HOW);

// Where there is none it is skipped, and says so.
const describePython = executable === undefined ? describe.skip : describe;

describePython(executable === undefined ? HOW : 'with Python', () => {
  let python: PythonClient;

  beforeAll(() => {
    python = new PythonClient(executable!);
  });

  afterAll(() => python.end());

  describeCompression('python3-websockets', {
    compresses: true,

    async connect(url): Promise<CompressingClient> {
      await python.call('open', url, []);
      return {
        send: (message: Message) => python.call('send', encode(message)),
        receive: async () => decode((await python.call('receive')) as Encoded),
        close: () => python.call('close', 1000, ''),
      };
    },
  });
});
