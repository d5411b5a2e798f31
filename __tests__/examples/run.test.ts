import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript';
import { handshake, Peer } from '../scenarios/support/peer';
import { afterTest, stopAll } from '../scenarios/support/server';

const ROOT = join(__dirname, '../..');
const SECRETS = { PASSWORD: 'p', KEY: 'k', ADMIN_KEY: 'a', TOKEN: 't' };

/** A project of somebody who has installed the package and copied the recipes. */
const project = mkdtempSync(join(tmpdir(), 'recipes-'));

beforeAll(() => {
  mkdirSync(join(project, 'node_modules'));
  symlinkSync(ROOT, join(project, 'node_modules/attach-websocket'), 'dir');
});
afterAll(() => rmSync(project, { recursive: true }));
afterEach(stopAll);

/** Run directly: `node ticket.js`. */
function runRecipe(name: string, env: Readonly<Record<string, string>>): ChildProcess {
  const source = readFileSync(join(ROOT, `examples/${name}.ts`), 'utf8');
  const compilerOptions = {
    module: ModuleKind.CommonJS,
    target: ScriptTarget.ES2022,
    esModuleInterop: true,
  };
  const path = join(project, `${name}.js`);
  writeFileSync(path, transpileModule(source, { compilerOptions }).outputText);
  const child = spawn(process.execPath, [path], {
    env: { ...env, NODE_PATH: join(ROOT, 'node_modules') },
  });
  afterTest(() => child.kill('SIGKILL'));
  return child;
}

/** All that a process says until it has said this. */
async function until(child: ChildProcess, pattern: RegExp): Promise<RegExpExecArray> {
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => {
      said += String(chunk);
      child.emit('said');
    });
  }
  child.once('close', () => child.emit('said'));
  for (;;) {
    const found = pattern.exec(said);
    if (found !== null) return found;
    await once(child, 'said');
    if (child.exitCode !== null && !pattern.test(said)) throw new Error(`it ended: ${said}`);
  }
}

describe.each([
  ['session-passport', 401],
  ['ticket', 401],
  ['bearer-subprotocol', 401],
  ['first-message', 101],
  ['expiry', 401],
  ['kick', 401],
])('%s, run directly', (name, status) => {
  it('listens on PORT, and answers there', async () => {
    const child = runRecipe(name, { ...SECRETS, PORT: '0' });
    const [line, port] = await until(child, /listening on .*port: (\d+).*\n/);
    expect(Object.values(SECRETS).filter((secret) => line.includes(`'${secret}'`))).toEqual([]);
    const peer = await Peer.connect(Number(port));
    peer.write(handshake('/chat'));
    expect(await peer.readHead()).toMatch(`HTTP/1.1 ${status} `);
  });

  it.each(['without a secret', 'with an empty one'])('does not start %s', async (which) => {
    const empty = Object.fromEntries(Object.keys(SECRETS).map((key) => [key, '']));
    const child = runRecipe(name, { ...(which === 'with an empty one' && empty), PORT: '0' });
    await until(child, /Error: set [A-Z]+, that of ann/);
  });
});
