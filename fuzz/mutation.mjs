/*
 * Mutation testing of lib/protocol/, file by file, each with its own tests only:
 * node fuzz/mutation.mjs [--file mask --file utf8] [--concurrency 2]. Writes MUTATION.md from all
 * results there are in build/mutation/. `npx stryker run` does the same with all tests at once, and
 * takes many times as long.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { EQUIVALENTS } from './equivalent-mutants.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const OUT = join(ROOT, 'build', 'mutation');
const SOURCES = readdirSync(join(ROOT, 'lib', 'protocol')).map((file) => file.replace('.ts', ''));

const { values } = parseArgs({
  options: {
    file: { type: 'string', multiple: true, default: SOURCES },
    concurrency: { type: 'string', default: '2' },
    'table-only': { type: 'boolean', default: false },
  },
});

const reportOf = (name) => join(OUT, `${name}.json`);

/** stryker.config.json, for one source file. */
function configFor(name) {
  const all = JSON.parse(readFileSync(join(ROOT, 'stryker.config.json'), 'utf8'));
  const tests = `**/__tests__/protocol/${name}`;
  all.jest.config.testMatch = [`${tests}.test.ts`, `${tests}/*.test.ts`];
  return {
    ...all,
    mutate: [`lib/protocol/${name}.ts`],
    concurrency: Number(values.concurrency),
    incremental: false,
    reporters: ['json'],
    jsonReporter: { fileName: reportOf(name) },
    tempDirName: `build/stryker-${name}`,
    thresholds: { ...all.thresholds, break: null },
  };
}

function run(name) {
  mkdirSync(OUT, { recursive: true });
  const config = join(OUT, `${name}.config.json`);
  writeFileSync(config, JSON.stringify(configFor(name)));
  const { status } = spawnSync('npx', ['stryker', 'run', config], { cwd: ROOT, stdio: 'inherit' });
  if (status !== 0) throw new Error(`stryker failed for ${name}`);
}

/** The mutants of a file as lines can show them. */
function mutantsOf(name) {
  let report;
  try {
    report = JSON.parse(readFileSync(reportOf(name), 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
  return Object.values(report.files).flatMap(({ source, mutants }) =>
    mutants.map(({ status, location, replacement }) => {
      const from = cutOut(source.split('\n'), location);
      const line = location.start.line;
      return { name, line, from, to: oneLine(replacement), status };
    }),
  );
}

function cutOut(lines, { start, end }) {
  const part = lines.slice(start.line - 1, end.line);
  part[part.length - 1] = part[part.length - 1].slice(0, end.column - 1);
  part[0] = part[0].slice(start.column - 1);
  return oneLine(part.join(' '));
}

const oneLine = (text) => text.replaceAll(/\s+/g, ' ').trim();

const reasonFor = ({ name, from, to }) =>
  EQUIVALENTS.find((each) => each.file === name && each.from === from && each.to === to)?.why;

const code = (text) => `\`\` ${text.replaceAll('|', '\\|').slice(0, 100)} \`\``;

const LIVE = ['Survived', 'NoCoverage'];

function row(title, mutants) {
  const count = (...states) => mutants.filter(({ status }) => states.includes(status)).length;
  const live = mutants.filter(({ status }) => LIVE.includes(status));
  const same = live.filter((mutant) => reasonFor(mutant) !== undefined).length;
  const dead = count('Killed', 'Timeout');
  const score = ((100 * dead) / (dead + live.length)).toFixed(1);
  const left = live.length - same;
  const cells = [
    title,
    dead + live.length,
    count('Killed'),
    count('Timeout'),
    same,
    left,
    `${score} %`,
  ];
  return `| ${cells.join(' | ')} |`;
}

function table() {
  const files = SOURCES.map((name) => [name, mutantsOf(name)]).filter(([, all]) => all.length > 0);
  const every = files.flatMap(([, mutants]) => mutants);
  const live = every.filter(({ status }) => LIVE.includes(status));
  const place = ({ name, line, from, to }) =>
    `| ${name}.ts:${line} | ${code(from)} | ${code(to)} |`;
  const known = live.filter((mutant) => reasonFor(mutant) !== undefined);
  const open = live.filter((mutant) => reasonFor(mutant) === undefined);
  return [
    '# Mutation testing of lib/protocol/',
    '',
    'Each file with its own tests only: they alone have to notice. Equivalent mutants count as survivors in',
    'the score. Written by `node fuzz/mutation.mjs`.',
    '',
    '| file | mutants | killed | timed out | equivalent | survived | score |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...files.map(([name, mutants]) => row(`${name}.ts`, mutants)),
    row('**all**', every),
    '',
    '## Equivalent',
    '',
    '| where | this | as this | is the same, because |',
    '| --- | --- | --- | --- |',
    ...known.map((mutant) => `${place(mutant)} ${reasonFor(mutant)} |`),
    '',
    '## Survived',
    '',
    ...(open.length === 0
      ? ['None.']
      : ['| where | this | as this |', '| --- | --- | --- |', ...open.map(place)]),
    '',
  ].join('\n');
}

if (!values['table-only']) for (const name of values.file) run(name);
writeFileSync(join(ROOT, 'fuzz', 'MUTATION.md'), table());
spawnSync('npx', ['prettier', '--write', 'fuzz/MUTATION.md'], { cwd: ROOT });
