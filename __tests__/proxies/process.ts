import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterTest, pause } from '../scenarios/support/server';
import { haproxyConfig, nginxConfig, type Files, type Setup } from './config';

const TLS_FOLDER = join(__dirname, '../scenarios/support/tls');

/** The key and the certificate of the server, which signs itself. */
export const TLS = {
  key: readFileSync(join(TLS_FOLDER, 'key.pem')),
  cert: readFileSync(join(TLS_FOLDER, 'cert.pem')),
};

/** One of the proxies: what it is called, and how it is run. */
export interface Kind {
  readonly name: 'nginx' | 'haproxy';
  readonly aptPackage: string;
  readonly args: (config: string, folder: string) => string[];
  readonly config: (setup: Setup, port: number, files: Files) => string;
}

export const NGINX: Kind = {
  name: 'nginx',
  aptPackage: 'nginx-light',
  args: (config, folder) => ['-e', 'stderr', '-p', folder, '-c', config],
  config: nginxConfig,
};

export const HAPROXY: Kind = {
  name: 'haproxy',
  aptPackage: 'haproxy',
  args: (config) => ['-db', '-q', '-f', config],
  config: haproxyConfig,
};

/** Where it is installed, if it is. */
export function findProxy({ name }: Kind): string | undefined {
  const folders = ['/usr/sbin', ...(process.env['PATH'] ?? '').split(delimiter)];
  return folders.map((folder) => join(folder, name)).find(existsSync);
}

/** How often another port is tried when somebody else has taken the one that was free. */
const ATTEMPTS = 5;

/** Starts a proxy with this configuration on a free port; it is ended after the test. */
export async function startProxy(
  kind: Kind,
  executable: string,
  configure: (port: number, files: Files) => string,
): Promise<number> {
  const files = makeFiles(kind);
  const path = join(files.folder, `${kind.name}.conf`);
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    writeFileSync(path, configure(port, files));
    const running = new Running(spawn(executable, kind.args(path, files.folder)));
    if (await running.listensOn(port)) return port;
    if (attempt === ATTEMPTS || !/in use|cannot bind/i.test(running.said)) {
      throw new Error(`${kind.name} did not start:\n${running.said}`);
    }
  }
}

/** A proxy that was started. */
class Running {
  readonly #process: ChildProcess;
  said = '';

  constructor(child: ChildProcess) {
    this.#process = child;
    child.stdout?.on('data', (chunk) => (this.said += String(chunk)));
    child.stderr?.on('data', (chunk) => (this.said += String(chunk)));
    afterTest(async () => {
      if (this.#hasEnded) return;
      const ended = once(child, 'close');
      child.kill('SIGTERM');
      await ended;
    });
  }

  get #hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /** Whether it takes connections, as soon as that is known. */
  async listensOn(port: number): Promise<boolean> {
    const ended = once(this.#process, 'close').then(() => false);
    const connected = async (): Promise<boolean> => {
      while (!this.#hasEnded) {
        if (await canConnect(port)) return true;
        await pause(5);
      }
      return false;
    };
    return Promise.race([ended, connected()]);
  }
}

async function canConnect(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const answer = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  });
  socket.destroy();
  return answer;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function makeFiles(kind: Kind): Files {
  const folder = mkdtempSync(join(tmpdir(), `${kind.name}-`));
  afterTest(() => rmSync(folder, { recursive: true, force: true }));
  const pem = join(folder, 'both.pem');
  writeFileSync(pem, Buffer.concat([TLS.cert, TLS.key]), { mode: 0o600 });
  return { folder, pem, cert: join(TLS_FOLDER, 'cert.pem'), key: join(TLS_FOLDER, 'key.pem') };
}
