import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = fileURLToPath(new URL('.', import.meta.url));

/** More than this of one target would not be looked at by anybody. */
const MAX_FILES = 70;

const nameOf = (input) => createHash('sha256').update(input).digest('hex').slice(0, 16);

/** Bytes as lines of hex, so that a change can be read. */
const toText = (input) => `${(input.toString('hex').match(/.{1,96}/g) ?? []).join('\n')}\n`;

const fromText = (text) => Buffer.from(text.replaceAll('\n', ''), 'hex');

/** @param kind - `corpus` or `crashes` */
export function readInputs(kind, target) {
  const folder = join(HERE, kind, target);
  try {
    return readdirSync(folder)
      .sort()
      .map((file) => fromText(readFileSync(join(folder, file), 'utf8')));
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
}

export function writeInput(kind, target, input) {
  const folder = join(HERE, kind, target);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${nameOf(input)}.hex`);
  writeFileSync(file, toText(input));
  return file;
}

/** Keeps those that together reach the most: small ones first, each for what is new in it. */
export function choose(entries) {
  const bySize = [...entries].sort((a, b) => a.input.length - b.input.length);
  const reached = new Set();
  const useful = [];
  for (const { input, found } of bySize) {
    const fresh = found.filter((feature) => !reached.has(feature));
    for (const feature of fresh) reached.add(feature);
    if (fresh.length > 0) useful.push({ input, weight: fresh.length });
  }
  useful.sort((a, b) => b.weight - a.weight);
  return useful.slice(0, MAX_FILES).map(({ input }) => input);
}

/** Replaces the stored corpus of a target. */
export function writeCorpus(target, inputs) {
  rmSync(join(HERE, 'corpus', target), { recursive: true, force: true });
  for (const input of inputs) writeInput('corpus', target, input);
}
