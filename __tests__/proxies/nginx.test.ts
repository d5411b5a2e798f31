import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { nextMessage, openClient, refusalOf } from '../scenarios/support/client';
import { load } from '../scenarios/support/page';
import { echo, serve, stopAll } from '../scenarios/support/server';
import { nginxWith } from './config';
import { describeWith } from './describe-with';
import { NGINX, startProxy } from './process';
import { describeProxy } from './suite';

// Every test starts a process.
jest.setTimeout(60_000);

describeProxy(NGINX);

describeWith(NGINX, (executable) => {
  afterEach(stopAll);

  /** The location that the README recommends, for this port of a server. */
  const recipe = (port: number): string => {
    const readme = readFileSync(join(__dirname, '../../README.md'), 'utf8');
    const [, location = ''] = /```nginx\n(.*?)```/s.exec(readme) ?? [];
    expect(location).toContain('http://127.0.0.1:3000');
    return location.replace('http://127.0.0.1:3000', `http://127.0.0.1:${port}`);
  };

  /** Starts nginx with this location; its port. */
  const startWith = (location: string): Promise<number> =>
    startProxy(NGINX, executable, (own, files) =>
      nginxWith(files, `listen 127.0.0.1:${own};\n${location}`),
    );

  it('the recipe of the README lets the pages of the proxy in, whatever its port', async () => {
    const { app, port } = await serve([echo]);
    app.set('trust proxy', 1);
    const outside = await startWith(recipe(port));
    const client = await openClient(`ws://127.0.0.1:${outside}/echo`, {
      origin: `http://127.0.0.1:${outside}`,
    });
    const answered = nextMessage(client);
    client.send('Hello');
    expect(await answered).toBe('Hello');
  });

  it('pages are served where it sends Connection: upgrade with every request', async () => {
    const { app, port } = await serve([echo]);
    app.all('/page', (req, res) => void res.send(`${req.method} ${req.get('connection') ?? ''}`));
    const outside = await startWith(`location / {
      proxy_pass http://127.0.0.1:${port};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
    }`);
    expect(await load(`http://127.0.0.1:${outside}/page`)).toEqual({
      status: 200,
      body: 'GET upgrade',
    });
    await openClient(`ws://127.0.0.1:${outside}/echo`);
  });

  it.each<[string, string, number, string]>([
    ['leaves Upgrade out', '', 404, 'the app'],
    [
      'speaks HTTP/1.0',
      'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;',
      400,
      'a WebSocket is opened with HTTP/1.1',
    ],
  ])('a handshake has an answer where it %s', async (_what, fields, status, body) => {
    const { app, port } = await serve([echo]);
    app.use((_req, res) => void res.status(404).send('the app'));
    const outside = await startWith(
      `location / { proxy_pass http://127.0.0.1:${port}; ${fields} }`,
    );
    const client = new WebSocket(`ws://127.0.0.1:${outside}/echo`);
    expect(await refusalOf(client)).toEqual({ status, body });
  });
});
