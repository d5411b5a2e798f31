import { enqueueJob } from '../../lib/socket/jobs';

/** Jobs that note that they begin, and end when they are told. */
function makeJobs(): { began: string[]; add: (name: string) => void; end: (name: string) => void } {
  const began: string[] = [];
  const ends = new Map<string, () => void>();
  const add = (name: string): void =>
    enqueueJob((done) => {
      began.push(name);
      ends.set(name, done);
    });
  const end = (name: string): void => ends.get(name)!();
  return { began, add, end };
}

describe('jobs of zlib', () => {
  it('run two at a time, first come, first served', () => {
    const { began, add, end } = makeJobs();
    for (const name of ['a', 'b', 'c', 'd', 'e']) add(name);
    expect(began).toEqual(['a', 'b']);
    end('b');
    expect(began).toEqual(['a', 'b', 'c']);
    end('a');
    expect(began).toEqual(['a', 'b', 'c', 'd']);
    end('d');
    end('c');
    expect(began).toEqual(['a', 'b', 'c', 'd', 'e']);
    end('e');
  });

  it('make room again when they have ended', () => {
    const { began, add, end } = makeJobs();
    for (const name of ['a', 'b']) add(name);
    for (const name of ['a', 'b']) end(name);
    for (const name of ['c', 'd', 'e']) add(name);
    expect(began).toEqual(['a', 'b', 'c', 'd']);
    for (const name of ['c', 'd', 'e']) end(name);
  });

  it('may end at once, however many they are', () => {
    const began: number[] = [];
    const all = Array.from({ length: 1000 }, (_, i) => i);
    for (const i of all) {
      enqueueJob((done) => {
        began.push(i);
        done();
      });
    }
    expect(began).toEqual(all);
  });

  it('may bring another from inside', () => {
    const began: string[] = [];
    enqueueJob((done) => {
      began.push('outer');
      enqueueJob((innerDone) => {
        began.push('inner');
        innerDone();
      });
      done();
    });
    expect(began).toEqual(['outer', 'inner']);
  });
});
