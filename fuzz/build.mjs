import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createInstrumenter } from 'istanbul-lib-instrument';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

const OPTIONS = { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 };

const isCore = (file) => relative(ROOT, file).startsWith(join('lib', 'protocol'));

/** What a module of ours imports of ours. */
function importsOf(file, source) {
  return ts
    .preProcessFile(source)
    .importedFiles.map(({ fileName }) => fileName)
    .filter((name) => name.startsWith('.'))
    .map((name) => join(dirname(file), `${name}.ts`));
}

/**
 * Compiles these modules and what they import into `build/`, the protocol core with a counter at
 * every statement and branch, and loads them.
 *
 * @param name - one directory for each use, so that two may run at a time
 */
export function load(name, ...entries) {
  const out = join(ROOT, 'build', `${name}-${process.pid}`);
  const instrumenter = createInstrumenter({ esModules: false, compact: true });
  const waiting = entries.map((entry) => join(ROOT, 'fuzz', entry));
  const done = new Set();
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (done.has(file)) continue;
    done.add(file);
    const source = readFileSync(file, 'utf8');
    const { outputText } = ts.transpileModule(source, { compilerOptions: OPTIONS });
    const code = isCore(file) ? instrumenter.instrumentSync(outputText, file) : outputText;
    const target = join(out, relative(ROOT, file).replace(/\.ts$/, '.js'));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, code);
    waiting.push(...importsOf(file, source));
  }
  // Outside of `out`, packages are found from here.
  const require = createRequire(import.meta.url);
  try {
    return entries.map((entry) => require(join(out, 'fuzz', entry.replace(/\.ts$/, '.js'))));
  } finally {
    rmSync(out, { recursive: true });
  }
}
