/*
 * Compiles the files of `__tests__/types/` against the package as a user gets it: its built
 * declarations in a `node_modules`, and nothing of this repository's settings. Every compiler that we
 * support, with the options that change what is an error. Run after `npm run build`.
 */
import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SOURCES = join(ROOT, '__tests__/types');

const COMPILERS = ['typescript-5.9', 'typescript', 'typescript-7'];

const BASE = {
  target: 'es2022',
  lib: ['es2023'],
  types: ['node'],
  strict: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: true,
  // Writes declarations: what is inferred and exported must have a name that others can import.
  declaration: true,
  emitDeclarationOnly: true,
};

const NODE16 = { module: 'node16', moduleResolution: 'node16' };
const BUNDLER = { module: 'esnext', moduleResolution: 'bundler' };
const EXACT = { exactOptionalPropertyTypes: true };

/** These import no schema library: the check of all declarations stays ours, Express' and Node's. */
const WITHOUT_SCHEMAS = ['params.types.ts', 'protocol.types.ts', 'options.types.ts'];

/** How users compile; `type` is that of their package.json. */
const CONFIGS = [
  { name: 'node16, commonjs', type: 'commonjs', options: NODE16 },
  { name: 'node16, module, exact', type: 'module', options: { ...NODE16, ...EXACT } },
  {
    name: 'bundler, with the DOM',
    type: 'module',
    options: { ...BUNDLER, lib: ['es2023', 'dom'] },
  },
  { name: 'bundler, exact', type: 'module', options: { ...BUNDLER, ...EXACT } },
  {
    name: 'all declarations checked, exact',
    type: 'commonjs',
    options: { ...NODE16, ...EXACT, skipLibCheck: false },
    files: WITHOUT_SCHEMAS,
  },
  {
    name: 'all declarations checked, without esModuleInterop',
    type: 'commonjs',
    options: { ...NODE16, esModuleInterop: false, skipLibCheck: false },
    files: WITHOUT_SCHEMAS,
    // Later ones have it on for good.
    compilers: ['typescript-5.9'],
  },
];

/** The compiler's package.json, which says what it is and where its `tsc` is. */
function compiler(name) {
  const path = createRequire(import.meta.url).resolve(`${name}/package.json`);
  const { version, bin } = JSON.parse(readFileSync(path, 'utf8'));
  return { name, version, tsc: join(dirname(path), bin.tsc) };
}

/**
 * A folder with the package installed; below ours, so that everything else is found where npm put it.
 * It is a copy: somebody may build while this runs.
 */
function install() {
  mkdirSync(join(ROOT, 'build'), { recursive: true });
  const folder = mkdtempSync(join(ROOT, 'build/type-matrix-'));
  const installed = join(folder, 'node_modules/attach-websocket');
  for (const name of ['package.json', 'dist']) {
    cpSync(join(ROOT, name), join(installed, name), { recursive: true });
  }
  return folder;
}

/** An app whose sources are the tests. */
function makeApp(folder, { type, options, files }) {
  mkdirSync(folder);
  for (const file of readdirSync(SOURCES)) {
    const text = readFileSync(join(SOURCES, file), 'utf8');
    writeFileSync(join(folder, file), asUser(text, options));
  }
  const compilerOptions = { ...BASE, ...options, rootDir: '.', outDir: 'out' };
  writeJson(join(folder, 'package.json'), { name: 'app', private: true, type });
  writeJson(join(folder, 'tsconfig.json'), { compilerOptions, include: files ?? ['*.ts'] });
}

/** The imports as a user writes them. */
function asUser(text, { esModuleInterop }) {
  const imports = text
    .replaceAll(`from '../../lib'`, `from 'attach-websocket'`)
    .replaceAll(/from '(\.\/[^']+)'/g, `from '$1.js'`);
  return esModuleInterop === false
    ? imports.replace(`import express from 'express'`, `import express = require('express')`)
    : imports;
}

function writeJson(path, value) {
  writeFileSync(path, JSON.stringify(value, null, 2));
}

/** Everything the compiler says, and its exit code. */
function run(tsc, folder) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [tsc, '-p', folder, '--pretty', 'false'], {
      cwd: folder,
    });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('close', (code) => resolve({ code, output: output.trimEnd() }));
  });
}

async function check({ name, version, tsc }, config, folder) {
  const start = performance.now();
  makeApp(folder, config);
  const { code, output } = await run(tsc, folder);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${code === 0 ? 'ok  ' : 'FAIL'} ${version.padEnd(6)} ${config.name} (${seconds} s)`);
  if (code !== 0) console.log(output || `${name} ended with ${code}`);
  return code === 0;
}

async function main() {
  if (!existsSync(join(ROOT, 'dist/index.d.ts'))) {
    throw new Error('dist/ is missing, and this is about what is shipped: npm run build');
  }
  const runs = COMPILERS.map(compiler).flatMap((each) =>
    CONFIGS.filter(({ compilers = COMPILERS }) => compilers.includes(each.name)).map((config) => ({
      each,
      config,
    })),
  );
  const folder = install();
  let isGood = true;
  const work = async () => {
    for (let next = runs.shift(); next !== undefined; next = runs.shift()) {
      const own = join(folder, String(runs.length));
      if (!(await check(next.each, next.config, own))) isGood = false;
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(availableParallelism(), 4) }, work));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  process.exitCode = isGood ? 0 : 1;
}

await main();
