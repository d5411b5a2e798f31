import express from 'express';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { createServer as createVite } from 'vite';
import { attachWebSocket, route } from '../../../dist/index.js';

/*
 * An app as one develops it: Vite in middleware mode, its HMR on the same http server as our
 * sockets. Arguments: the project's folder, who comes first, and the attach options.
 */
const [root, order, options] = process.argv.slice(2);
const app = express();
const server = createServer(app);
const ours = route('/ours', {
  message: (socket, data) => void socket.send(`ours: ${String(data)}`),
});
const attach = () => attachWebSocket(app, server, [ours], JSON.parse(options));

let sockets = order === 'after us' ? attach() : undefined;
const vite = await createVite({
  root,
  configFile: false,
  logLevel: 'silent',
  clearScreen: false,
  appType: 'spa',
  optimizeDeps: { noDiscovery: true, include: [] },
  server: { middlewareMode: true, hmr: { server } },
});
app.use(vite.middlewares);
sockets ??= attach();
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
console.log(`listening ${server.address().port}`);

for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'close sockets') {
    await sockets.close({ timeout: 1000 });
    console.log('sockets "closed"');
  }
  if (line === 'end') break;
}
await sockets.close({ timeout: 1000 });
await vite.close();
server.close();
server.closeAllConnections();
process.stdin.destroy();
