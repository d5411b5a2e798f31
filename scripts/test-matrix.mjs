/*
 * The whole suite on every Node and with every Express that the package promises. Run after
 * `npm run build`. A Node is taken from npm once, into a cache that no lock file knows.
 *
 *   node scripts/test-matrix.mjs [--node=24]… [--express=4]… [-- what jest is to be told]
 */
import { spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { delimiter, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const JEST = join(ROOT, 'node_modules/jest/bin/jest.js');
const NODES = join(ROOT, 'node_modules/.cache/test-matrix');
const RESULTS = join(ROOT, 'build/test-matrix');

/** By major version; of each the newest that npm has. */
const NODE_VERSIONS = ['20', '22', '24', '26'];

/** By major version: the installed package, and the configuration that puts it under the tests. */
const EXPRESSES = {
  4: { installedAs: 'express4', config: 'jest.express4.config.js' },
  5: { installedAs: 'express', config: 'jest.config.js' },
};

/** A run that hangs must not hide those after it. */
const LIMIT_MS = 60 * 60_000;

/** What is asked for, or everything. */
function readArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      node: { type: 'string', multiple: true, default: NODE_VERSIONS },
      express: { type: 'string', multiple: true, default: Object.keys(EXPRESSES) },
    },
  });
  const unknown = [
    ...values.node.filter((each) => !NODE_VERSIONS.includes(each)).map((each) => `Node ${each}`),
    ...values.express.filter((each) => !(each in EXPRESSES)).map((each) => `Express ${each}`),
  ];
  if (unknown.length > 0) throw new RangeError(`not in the matrix: ${unknown.join(', ')}`);
  return { ...values, jestArguments: positionals };
}

/** What must not outlive this process. */
let running;

/** Ends with the child; `code` is null when a signal ended it. */
function run(command, args, { log, ...options } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      killSignal: 'SIGKILL',
      ...options,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running = child;
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
        log?.write(chunk);
      });
    }
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, text }));
  });
}

/** A Node of this major version, its path and what it calls itself. */
async function provideNode(major) {
  const os = process.platform === 'win32' ? 'win' : process.platform;
  const name = `node-${os}-${process.arch}`;
  const prefix = join(NODES, major);
  const executable = process.platform === 'win32' ? 'node.exe' : 'node';
  const path = join(prefix, 'node_modules', name, 'bin', executable);
  if (!existsSync(path)) {
    mkdirSync(prefix, { recursive: true });
    const quiet = ['--no-save', '--no-package-lock', '--no-audit', '--no-fund'];
    const install = ['install', ...quiet, '--prefix', prefix, `${name}@${major}`];
    const { code, text } = await run('npm', install, { shell: process.platform === 'win32' });
    if (code !== 0) throw new Error(`npm ${install.join(' ')} ended with ${code}\n${text}`);
  }
  const { code, text } = await run(path, ['--version']);
  if (code !== 0) throw new Error(`${path} does not run here\n${text}`);
  return { path, version: text.trim().slice(1) };
}

function provideExpress(major) {
  const { installedAs, config } = EXPRESSES[major];
  const manifest = join(ROOT, 'node_modules', installedAs, 'package.json');
  return { config, version: JSON.parse(readFileSync(manifest, 'utf8')).version };
}

/** The names of what failed; of a file that did not start, the file and why. */
function failuresOf({ testResults }) {
  return testResults.flatMap(({ name, message, status, assertionResults }) => {
    const file = relative(ROOT, name);
    const failed = assertionResults.filter((each) => each.status === 'failed');
    if (failed.length > 0) return failed.map(({ fullName }) => `${file}: ${fullName}`);
    return status === 'failed' ? [`${file}: ${message.trim()}`] : [];
  });
}

/** What jest has counted; of a run without an end, the last that it said. */
function readResults(path, { code, text }) {
  if (!existsSync(path)) {
    const lastWords = text.trimEnd().split('\n').slice(-20).join('\n');
    const failures = [`jest ended with ${code ?? 'a signal'} and no results\n${lastWords}`];
    return { passed: '?', failed: '?', failures };
  }
  const results = JSON.parse(readFileSync(path, 'utf8'));
  const { numPassedTests: passed, numFailedTests: failed } = results;
  const failures = failuresOf(results);
  // An obsolete snapshot, no test found: no test has failed, and the run has.
  if (code !== 0 && failures.length === 0) failures.push(`jest ended with ${code}`);
  return { passed, failed, failures };
}

/** One jest, with that Node for itself, its workers, and whatever the tests start by name. */
async function test(node, express, jestArguments) {
  const base = join(RESULTS, `node-${node.version}-express-${express.version}`);
  const results = `${base}.json`;
  rmSync(results, { force: true });
  const log = createWriteStream(`${base}.log`);
  const start = performance.now();
  const args = [JEST, '-c', express.config, '--ci', '--json', `--outputFile=${results}`];
  const end = await run(node.path, [...args, ...jestArguments], {
    env: { ...process.env, PATH: `${dirname(node.path)}${delimiter}${process.env.PATH}` },
    timeout: LIMIT_MS,
    log,
  });
  log.end();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const counted = readResults(results, end);
  return { node: node.version, express: express.version, seconds, log: log.path, ...counted };
}

/** Never a throw: a Node that cannot be had is a failure of its runs, not of the others. */
async function tryTest(nodeMajor, expressMajor, jestArguments) {
  try {
    const node = await provideNode(nodeMajor);
    return await test(node, provideExpress(expressMajor), jestArguments);
  } catch (error) {
    const unknown = { passed: '?', failed: '?', seconds: '?', log: '' };
    return { node: nodeMajor, express: expressMajor, ...unknown, failures: [error.message] };
  }
}

const COLUMNS = ['node', 'express', 'passed', 'failed', 'seconds'];

const isGood = ({ failures }) => failures.length === 0;

function printRow(result) {
  const { node, express, passed, failed, seconds } = result;
  const versions = `Node ${node.padEnd(9)} Express ${express.padEnd(8)}`;
  const counts = `${passed} passed, ${failed} failed (${seconds} s)`;
  console.log(`${isGood(result) ? 'ok  ' : 'FAIL'} ${versions} ${counts}`);
}

function printFailures({ node, express, failures, log }) {
  console.log(`\nNode ${node}, Express ${express}${log && ` (${relative(ROOT, log)})`}`);
  for (const failure of failures) console.log(`  ${failure.replaceAll('\n', '\n    ')}`);
}

function printTable(results) {
  const row = (cells) => `| ${cells.join(' | ')} |`;
  console.log(`\n${row(['Node', 'Express', 'passed', 'failed', 'seconds', 'result'])}`);
  console.log(row(['---', '---', '--:', '--:', '--:', '---']));
  for (const result of results) {
    const cells = COLUMNS.map((name) => result[name]);
    console.log(row([...cells, isGood(result) ? 'ok' : 'FAIL']));
  }
}

async function main() {
  if (!existsSync(join(ROOT, 'dist/index.js'))) {
    throw new Error('dist/ is missing, and some tests are about it: npm run build');
  }
  const { node, express, jestArguments } = readArguments();
  mkdirSync(RESULTS, { recursive: true });
  const results = [];
  for (const nodeMajor of node) {
    for (const expressMajor of express) {
      const result = await tryTest(nodeMajor, expressMajor, jestArguments);
      printRow(result);
      results.push(result);
    }
  }
  results.filter((result) => !isGood(result)).forEach(printFailures);
  printTable(results);
  process.exitCode = results.every(isGood) ? 0 : 1;
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    running?.kill('SIGKILL');
    process.exit(1);
  });
}

await main();
