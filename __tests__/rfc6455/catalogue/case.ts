import type { Buffer } from 'node:buffer';
import { echoTarget } from '../support/target';
import { expectEveryWay, type Early } from '../support/ways';

/*
 * The catalogue of the Autobahn testsuite: 517 cases with known numbers, against an echo. What each
 * of them does is rebuilt here, and every one is held to its strict outcome.
 */

/** A case of the catalogue, under the number that it is known by. */
export interface Case {
  readonly id: string;
  /** What the server does, as a sentence. */
  readonly title: string;
  readonly run: () => Promise<void>;
}

/** `npm run test:full`: sizes and counts as in the catalogue. */
export const IS_FULL = process.env.TEST_FULL === '1';

/** A case that is nothing but bytes and what has to be said to them; sent in every way. */
export function vectorCase(
  id: string,
  title: string,
  frames: readonly Buffer[],
  heard: readonly string[],
  early?: Early,
): Case {
  const vector = early === undefined ? { frames, heard } : { frames, heard, early };
  return { id, title, run: async () => expectEveryWay(await echoTarget(), vector) };
}

/** Rows for `it.each`: the title that a test has, and the case. */
export function titled(cases: readonly Case[]): [title: string, each: Case][] {
  return cases.map((each) => [`${each.id} ${each.title}`, each]);
}
