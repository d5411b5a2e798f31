import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type * as TypeScript from 'typescript';

/*
 * Negative controls: the library with one defence switched off. An attack that is warded off by
 * `lib/` has to succeed against that build, or the test shows nothing.
 *
 *   const lib = weakened({
 *     file: 'protocol/frame.ts',
 *     replace: 'if (size > maxPayload) throw tooBig(',
 *     by: 'if (size === -1) throw tooBig(',
 *   });
 *   lib.attachWebSocket(app, server, [lib.route('/ws', …)]);
 *
 *   const { Decoder } = weakenedPart('protocol/decoder', { file: …, replace: …, by: … });
 *
 * In a process of its own, by the path of the build; without weakenings it is `lib/` as it is:
 *
 *   new Child('…', [weakenedDirectory({ file: …, replace: …, by: … })]);
 *   // the script: const lib = require(join(process.argv[2], 'index.js'));
 *
 * `replace` is the source text to the letter, and must be there exactly once: a control whose
 * defence has moved fails, and is not quietly without effect. Several weakenings may be given,
 * of one file as well; they are made in their order.
 *
 * A build is one directory, named after its weakenings and used again as long as the sources do not
 * change. It lies in node_modules/, where express is found, and no tool looks for sources.
 */

/** One defence, switched off. */
export interface Weakening {
  /** Below `lib/`, such as `protocol/frame.ts`. */
  readonly file: string;
  readonly replace: string;
  readonly by: string;
}

/** The package. */
export type Lib = typeof import('../../lib');

/** What can be loaded besides the public names. */
export interface Parts {
  readonly index: Lib;
  readonly 'protocol/decoder': typeof import('../../lib/protocol/decoder');
  readonly 'protocol/utf8': typeof import('../../lib/protocol/utf8');
  readonly 'rooms/rooms': typeof import('../../lib/rooms/rooms');
  readonly 'socket/intake': typeof import('../../lib/socket/intake');
  readonly 'socket/socket': typeof import('../../lib/socket/socket');
}

const ROOT = join(__dirname, '../..');
const SOURCES = join(ROOT, 'lib');
const BUILDS = join(ROOT, 'node_modules/.cache/attach-websocket-weakened');

/** The package without these defences. */
export function weakened(...weakenings: readonly Weakening[]): Lib {
  return weakenedPart('index', ...weakenings);
}

/** One module of the package without these defences. */
export function weakenedPart<Name extends keyof Parts>(
  name: Name,
  ...weakenings: readonly Weakening[]
): Parts[Name] {
  return jest.requireActual<Parts[Name]>(join(weakenedDirectory(...weakenings), `${name}.js`));
}

const directories = new Map<string, string>();

/** Where the build without these defences lies: `index.js`, and the rest as in `lib/`. */
export function weakenedDirectory(...weakenings: readonly Weakening[]): string {
  const name =
    weakenings.length === 0 ? 'whole' : hash(JSON.stringify(weakenings.map(inOrder))).slice(0, 16);
  const known = directories.get(name);
  if (known !== undefined) return known;
  const directory = build(name, weakenings);
  directories.set(name, directory);
  return directory;
}

function inOrder({ file, replace, by }: Weakening): readonly string[] {
  return [file, replace, by];
}

function build(name: string, weakenings: readonly Weakening[]): string {
  const stray = weakenings.find(({ file }) => !sources().has(file));
  if (stray !== undefined) throw new Error(`no lib/${stray.file}`);
  // What it transpiles, all others need but for a file or two.
  if (weakenings.length > 0) weakenedDirectory();
  const directory = join(BUILDS, name);
  for (const [file, source] of sources()) {
    const edits = weakenings.filter((each) => each.file === file);
    const target = join(directory, file.replace(/\.ts$/, '.js'));
    const output = transpiled(file, edits.reduce(weaken, source), target);
    if (output !== undefined) replaceFile(target, output);
  }
  return directory;
}

function weaken(source: string, { file, replace, by }: Weakening): string {
  const found = source.split(replace).length - 1;
  if (found === 1) return source.replace(replace, () => by);
  throw new Error(`found ${found} times in lib/${file}, not once: ${replace}`);
}

let sourcesRead: ReadonlyMap<string, string> | undefined;

/** All of `lib/` by path, read once. */
function sources(): ReadonlyMap<string, string> {
  sourcesRead ??= new Map(
    readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => [file.replaceAll('\\', '/'), readFileSync(join(SOURCES, file), 'utf8')]),
  );
  return sourcesRead;
}

const outputs = new Map<string, string>();

/** JavaScript for `target`, its first line naming its source; `undefined` when it is there. */
function transpiled(file: string, source: string, target: string): string | undefined {
  const key = `// ${hash(source)}`;
  const present = readIfThere(target);
  if (present?.startsWith(key) === true) {
    outputs.set(key, present);
    return undefined;
  }
  const output = outputs.get(key) ?? `${key}\n${transpile(file, source)}`;
  outputs.set(key, output);
  return output;
}

function transpile(file: string, source: string): string {
  const ts = jest.requireActual<typeof TypeScript>('typescript');
  const compilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.CommonJS,
    esModuleInterop: true,
  };
  const { outputText, diagnostics } = ts.transpileModule(source, {
    fileName: file,
    compilerOptions,
    reportDiagnostics: true,
  });
  const [fault] = diagnostics ?? [];
  if (fault === undefined) return outputText;
  throw new Error(`lib/${file}: ${ts.flattenDiagnosticMessageText(fault.messageText, '\n')}`);
}

function replaceFile(target: string, text: string): void {
  mkdirSync(dirname(target), { recursive: true });
  // Another worker may be at the same build.
  const own = `${target}.${process.pid}`;
  writeFileSync(own, text);
  renameSync(own, target);
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
