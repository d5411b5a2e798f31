import { basename } from 'node:path';
import { allocatedBy, law, sameLines } from '../../fuzz/law';
import { TARGETS } from '../../fuzz/targets';
import { readInput, storedFiles } from './stored';

/** What the fuzzer has found worth keeping holds for every version, not only the one it was found in. */
describe.each(TARGETS)('$name', ({ name, seeds, run }) => {
  it('keeps its laws for every input it begins with', () => {
    for (const input of seeds) expect(() => run(Buffer.from(input))).not.toThrow();
  });

  it.each(['corpus', 'crashes'] as const)('keeps its laws for all of its %s', (kind) => {
    const broken = storedFiles(kind, name).flatMap((file) => {
      try {
        run(readInput(file));
        return [];
      } catch (error) {
        return [`${basename(file)}: ${String(error)}`];
      }
    });
    expect(broken).toEqual([]);
  });
});

it('a law that does not hold is told', () => {
  expect(() => law(1 + 1 === 3, 'two is less than three')).toThrow('two is less than three');
  expect(() => sameLines(['a'], ['a', 'b'], 'cut')).toThrow('cut: event 1 is nothing, not b');
  expect(() => sameLines(['a', 'b'], ['a'], 'cut')).toThrow('cut: event 1 is b, not nothing');
  expect(allocatedBy(() => void Buffer.concat([Buffer.alloc(3), Buffer.from('ab')]))).toBe(10);
});
