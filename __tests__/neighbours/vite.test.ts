import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { Child } from '../scenarios/support/child';
import { nextMessage, openClient } from '../scenarios/support/client';
import { load } from '../scenarios/support/page';
import { afterTest, pause, stopAll } from '../scenarios/support/server';
import { ask, expectOurs, fate, ORDERS, type Order } from './support';

/** Vite is an ES module, and takes its time to start. */
const PATIENCE_MS = 60_000;

afterEach(stopAll, PATIENCE_MS);

interface Project {
  readonly child: Child;
  readonly port: number;
  readonly url: (path: string) => string;
  /** Changes a module of the project, as an editor does. */
  readonly edit: (text: string) => void;
}

async function startVite(order: Order, options: object = {}): Promise<Project> {
  const root = mkdtempSync(join(tmpdir(), 'vite-'));
  afterTest(() => rmSync(root, { recursive: true, force: true }));
  const edit = (text: string): void => writeFileSync(join(root, 'main.js'), text);
  edit('document.title = "one";\n');
  writeFileSync(
    join(root, 'index.html'),
    '<!doctype html><script type="module" src="/main.js"></script>',
  );
  const child = new Child('../../neighbours/children/vite.mjs', [
    root,
    order,
    JSON.stringify(options),
  ]);
  const port = await child.says<number>('listening');
  return { child, port, edit, url: (path) => `ws://127.0.0.1:${port}${path}` };
}

/** What the script of Vite in the page opens; it is told of every change. */
async function openHmr({ url, port }: Project): Promise<WebSocket> {
  const { body } = await load(`http://127.0.0.1:${port}/@vite/client`);
  const token = /wsToken = "([^"]+)"/.exec(body)?.[1] ?? '';
  const client = new WebSocket(url(`/?token=${token}`), 'vite-hmr', {
    origin: `http://127.0.0.1:${port}`,
  });
  afterTest(() => client.terminate());
  const greeted = nextMessage(client);
  await once(client, 'open');
  expect(JSON.parse(String(await greeted))).toEqual({ type: 'connected' });
  return client;
}

/** Saves a change, and again while nobody has noticed: a watcher of files may miss one. */
async function editUntilTold({ edit }: Project, hmr: WebSocket): Promise<unknown> {
  const told = nextMessage(hmr);
  for (let count = 2; count < 40; count++) {
    edit(`document.title = "${count}";\n`);
    const message = await Promise.race([told, pause(1000)]);
    if (message !== undefined) return JSON.parse(String(message));
  }
  throw new Error('nobody was told of any change');
}

describe.each(ORDERS)('Vite with its HMR on the same server, there %s', (order) => {
  it.each([{}, { exclusive: true }])(
    'serves its page and its HMR, and we our sockets: %j',
    async (options) => {
      const project = await startVite(order, options);
      const hmr = await openHmr(project);
      await expectOurs(project);
      const page = await load(`http://127.0.0.1:${project.port}/`);
      expect(page.body).toContain('/@vite/client');
      const module = await load(`http://127.0.0.1:${project.port}/main.js`);
      expect(module.body).toContain('"one"');
      expect(await editUntilTold(project, hmr)).toMatchObject({ type: 'full-reload' });
      await expectOurs(project);
    },
    PATIENCE_MS,
  );

  it(
    'keeps its HMR when our sockets are closed',
    async () => {
      const project = await startVite(order);
      const hmr = await openHmr(project);
      const our = await openClient(project.url('/ours'));
      expect(await ask(our, 'hello')).toBe('ours: hello');
      const ended = once(our, 'close');
      project.child.tell('close sockets');
      await project.child.says('sockets');
      expect((await ended)[0]).toBe(1001);
      await load(`http://127.0.0.1:${project.port}/main.js`);
      expect(await editUntilTold(project, hmr)).toMatchObject({ type: 'full-reload' });
    },
    PATIENCE_MS,
  );

  it(
    'has what is for neither of us ended in time, and both close down',
    async () => {
      const project = await startVite(order, { handshakeTimeout: 50 });
      const hmr = await openHmr(project);
      expect(await fate(project.url('/nobody'))).toBe('cut off');
      expect(hmr.readyState).toBe(WebSocket.OPEN);
      project.child.tell('end');
      expect(await project.child.ended).toMatchObject({ code: 0, stderr: '' });
    },
    PATIENCE_MS,
  );
});
