/** What is measured: the built files of this package, or those of another build. */
import { createRequire } from 'node:module';
import { dirname, resolve } from 'node:path';

export const require = createRequire(import.meta.url);

const root = resolve(option('build') ?? new URL('../..', import.meta.url).pathname);

/** A file of the build, such as `protocol/mask.js`. */
export function built(file) {
  return require(resolve(root, 'dist', file));
}

/** A file of ws, by its path: its package exports the whole only. */
export function ofWs(file) {
  return require(resolve(dirname(require.resolve('ws/package.json')), 'lib', file));
}

export function option(name) {
  const prefix = `--${name}=`;
  return process.argv.find((each) => each.startsWith(prefix))?.slice(prefix.length);
}
