import { Buffer } from 'node:buffer';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FUZZ = join(__dirname, '..', '..', 'fuzz');

/** Inputs that the fuzzer has kept for a target, by the names of their files. */
export function storedFiles(kind: 'corpus' | 'crashes', target: string): string[] {
  const folder = join(FUZZ, kind, target);
  if (!existsSync(folder)) return [];
  return readdirSync(folder).map((file) => join(folder, file));
}

/** The same, as bytes: files are lines of hex. */
export function storedInputs(kind: 'corpus' | 'crashes', target: string): Buffer[] {
  return storedFiles(kind, target).map(readInput);
}

export function readInput(file: string): Buffer {
  return Buffer.from(readFileSync(file, 'utf8').replaceAll('\n', ''), 'hex');
}
