import express from 'express';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { Page } from 'playwright-core';
import { attachWebSocket, route, type Attachment } from '../../lib/index';
import { describeWithChromium } from './chromium';

jest.setTimeout(60_000);

const LENGTHS = [0, 125, 126, 65_535, 65_536, 1_048_576];

/** A server of pages that hold the checks, without a socket of its own until one is attached. */
interface Site {
  readonly app: express.Express;
  readonly server: Server;
  readonly origin: string;
}

describeWithChromium('the WebSocket of a page', (browser) => {
  const closes: [code: number, reason: string][] = [];
  const errors: unknown[] = [];
  let home: Site;
  let other: Site;
  let sockets: Attachment;
  let page: Page;

  beforeAll(async () => {
    [home, other] = await Promise.all([serveSite(), serveSite()]);
    const echo = route(
      '/echo',
      { protocols: ['second', 'first'] },
      {
        message: (socket, data) => void socket.send(data),
        close: (_socket, code, reason) => void closes.push([code, reason]),
      },
    );
    sockets = attachWebSocket(
      home.app,
      home.server,
      [
        echo,
        route('/plain', { message: () => undefined }),
        route('/greets', (socket) => {
          socket.send('text');
          socket.send(Buffer.from('bytes'));
          socket.send('more text');
        }),
        route('/closes', (socket) => socket.close(4000, 'because — é€😀')),
        route('/drops', (socket) => socket.terminate()),
        route('/throws', () => {
          throw new Error('nobody is to read this');
        }),
        route('/invited', { origins: [other.origin] }, (socket) => void socket.send('hello')),
      ],
      { onError: (error) => void errors.push(error) },
    );
    page = await browser().newPage();
    await page.goto(`${home.origin}/whatwg.html`);
  });

  beforeEach(() => {
    closes.length = 0;
  });

  afterEach(() => {
    expect(errors.splice(0)).toEqual([]);
  });

  afterAll(async () => {
    await page.close();
    await sockets.close();
    await Promise.all([stop(home), stop(other)]);
  });

  /** Calls one of the checks in whatwg-page.js. */
  function check(name: string, ...args: readonly unknown[]): Promise<unknown> {
    return page.evaluate(`checks.${name}(...${JSON.stringify(args)})`);
  }

  describe('readyState and events', () => {
    it('goes through the four states', async () => {
      expect(await check('constants')).toEqual([0, 1, 2, 3]);
      expect(await check('states')).toEqual([0, 1, 2, 3]);
      expect(closes).toEqual([[1000, 'done']]);
    });

    it('calls onopen, onmessage and onclose once each, and never onerror', async () => {
      expect(await check('handlers')).toEqual({
        data: 'hello',
        isOurs: true,
        events: ['open', 'message', 'close'],
        heard: ['message', 'close'],
      });
    });

    it('tells messages in the order they were sent, text as text and bytes as bytes', async () => {
      expect(await check('greeting')).toEqual(['text', 'bytes', 'more text']);
    });
  });

  describe('the close event', () => {
    const clean = { wasClean: true, readyState: 3, events: ['open', 'close'] };

    it('has code 1005 after a close() without a code', async () => {
      expect(await check('close', '/echo', [])).toEqual({ ...clean, code: 1005, reason: '' });
      expect(closes).toEqual([[1005, '']]);
    });

    it.each([
      [1000, ''],
      [3000, 'a library'],
      [4999, 'an app — é€😀'],
    ])('has the code of close(%i, %j); the reason is for the server', async (code, reason) => {
      // §5.5.1: the answer to a close frame echoes its code.
      expect(await check('close', '/echo', [code, reason])).toEqual({ ...clean, code, reason: '' });
      expect(closes).toEqual([[code, reason]]);
    });

    it('has the code and the reason that the server gave', async () => {
      const reason = 'because — é€😀';
      expect(await check('close', '/closes')).toEqual({ ...clean, code: 4000, reason });
    });

    it('has 1011 and no word of the error when a handler threw', async () => {
      expect(await check('close', '/throws')).toEqual({ ...clean, code: 1011, reason: '' });
      expect(errors.splice(0)).toEqual([new Error('nobody is to read this')]);
    });

    it('has 1006 and is not clean when the server terminates', async () => {
      const ended = await check('close', '/drops');
      expect(ended).toMatchObject({ code: 1006, reason: '', wasClean: false, readyState: 3 });
    });

    it('has 1006 behind an error event when there is no such route', async () => {
      const refusal = { code: 1006, wasClean: false, events: ['error', 'close'] };
      expect(await check('refused', '/nowhere')).toMatchObject(refusal);
    });
  });

  describe('what was agreed on', () => {
    it('has no subprotocol and no extensions when nothing was offered', async () => {
      expect(await check('terms', '/plain')).toEqual({
        protocol: '',
        extensions: '',
        isUrl: true,
        binaryType: 'blob',
      });
    });

    it("has the first of the server's subprotocols that the page offered", async () => {
      const offer = ['first', 'third', 'second'];
      expect(await check('terms', '/echo', offer)).toMatchObject({ protocol: 'second' });
      expect(await check('terms', '/echo', ['first'])).toMatchObject({ protocol: 'first' });
    });

    it.each(['/echo', '/plain'])('does not open at %s with none in common', async (path) => {
      const refusal = { code: 1006, events: ['error', 'close'] };
      expect(await check('refused', path, ['third'])).toMatchObject(refusal);
    });
  });

  describe('messages', () => {
    it('counts bufferedAmount in bytes, down to 0', async () => {
      expect(await check('buffered')).toEqual([0, 3500, 0]);
    });

    it('comes as a Blob or as an ArrayBuffer, as binaryType says', async () => {
      expect(await check('binaryTypes')).toEqual([
        ['Blob', 1, 2, 3],
        ['ArrayBuffer', 1, 2, 3],
      ]);
    });

    it('takes every type that send() takes, and exactly its bytes', async () => {
      expect(await check('kinds')).toEqual({
        string: true,
        blob: true,
        arrayBuffer: true,
        uint8Array: true,
        uint16Array: true,
        float64Array: true,
        dataView: true,
      });
    });

    it.each(LENGTHS)('echoes %i bytes unharmed, as text and as binary', async (length) => {
      expect(await check('length', length)).toEqual({ length, text: true, binary: true });
    });
  });

  describe('from a page of another port', () => {
    let stranger: Page;

    beforeAll(async () => {
      stranger = await browser().newPage();
      await stranger.goto(`${other.origin}/whatwg.html`);
    });

    afterAll(() => stranger.close());

    function refusedAt(path: string): Promise<unknown> {
      const url = `${home.origin.replace('http', 'ws')}${path}`;
      return stranger.evaluate(`checks.refused(${JSON.stringify(url)})`);
    }

    it('is refused by default, of which nobody is told an error', async () => {
      const stderr = jest.spyOn(process.stderr, 'write');
      expect(await refusedAt('/echo')).toEqual({
        code: 1006,
        reason: '',
        wasClean: false,
        readyState: 3,
        events: ['error', 'close'],
      });
      expect(closes).toEqual([]);
      expect(stderr.mock.calls).toEqual([]);
      stderr.mockRestore();
    });

    it('is let in by origins', async () => {
      const url = `${home.origin.replace('http', 'ws')}/invited`;
      const said = await stranger.evaluate(`new Promise((resolve, reject) => {
        const socket = new WebSocket(${JSON.stringify(url)});
        socket.onmessage = ({ data }) => resolve(data);
        socket.onerror = reject;
      })`);
      expect(said).toBe('hello');
    });
  });
});

async function serveSite(): Promise<Site> {
  const app = express();
  app.get('/whatwg.html', (_req, res) => {
    res.send('<!doctype html><title>checks</title><script src="/whatwg-page.js"></script>');
  });
  app.use(express.static(__dirname));
  const server = createServer(app).listen(0);
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('a pipe has no port');
  return { app, server, origin: `http://localhost:${address.port}` };
}

async function stop({ server }: Site): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  // A browser keeps connections for later.
  server.closeAllConnections();
  await closed;
}
