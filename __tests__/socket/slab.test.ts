import {
  copyOf,
  giveAwaySlabs,
  recycleSlabs,
  SLAB_SIZE,
  slabWithRoom,
  viewOf,
  type Slab,
} from '../../lib/socket/slab';

afterEach(() => {
  giveAwaySlabs();
  recycleSlabs();
});

/** Takes a region of this size, filled with this byte. */
function take(size: number, byte: number): { slab: Slab; start: number; end: number } {
  const slab = slabWithRoom(size);
  const start = slab.used;
  slab.bytes.fill(byte, start, start + size);
  slab.used += size;
  return { slab, start, end: slab.used };
}

describe('slabs', () => {
  it('are filled from the front, and followed by another one when full', () => {
    const first = take(SLAB_SIZE - 10, 1);
    const second = take(10, 2);
    const third = take(1, 3);
    expect([second.slab, second.start]).toEqual([first.slab, SLAB_SIZE - 10]);
    expect(third.slab).not.toBe(first.slab);
  });

  it('are written from the start again when nobody reads from them', () => {
    const slabs = [take(SLAB_SIZE, 1).slab, take(SLAB_SIZE, 2).slab, take(5, 3).slab];
    recycleSlabs();
    const again = [take(SLAB_SIZE, 4), take(SLAB_SIZE, 5), take(SLAB_SIZE, 6)];
    expect(again.map(({ start }) => start)).toEqual([0, 0, 0]);
    expect(new Set(again.map(({ slab }) => slab))).toEqual(new Set(slabs));
  });

  it('are never written to again once pinned', () => {
    const regions = [take(SLAB_SIZE, 1), take(7, 2)];
    for (const { slab } of regions) slab.pinned = true;
    recycleSlabs();
    for (let at = 0; at < 20; at++) {
      expect(regions.map(({ slab }) => slab)).not.toContain(take(SLAB_SIZE, 9).slab);
    }
    expect(regions.map(({ slab, start }) => slab.bytes[start])).toEqual([1, 2]);
  });

  it('are not written again while regions still wait, however many turns that is', () => {
    const region = take(SLAB_SIZE, 1);
    for (let turn = 0; turn < 20; turn++) {
      take(SLAB_SIZE, 9);
      giveAwaySlabs();
    }
    recycleSlabs();
    for (let at = 0; at < 20; at++) take(SLAB_SIZE, 9);
    expect(region.slab.bytes[0]).toBe(1);
  });

  it('are kept for later in a small number only', () => {
    const many = Array.from({ length: 100 }, () => take(SLAB_SIZE, 1).slab);
    recycleSlabs();
    const again = Array.from({ length: 100 }, () => take(SLAB_SIZE, 1).slab);
    const kept = again.filter((slab) => many.includes(slab)).length;
    // 32, and the one in use.
    expect(kept).toBeGreaterThanOrEqual(32);
    expect(kept).toBeLessThanOrEqual(33);
  });
});

describe('viewOf and copyOf', () => {
  it('give everybody the same Buffer of the same region', () => {
    const { slab, start, end } = take(100, 7);
    expect(viewOf(slab, start, end)).toBe(viewOf(slab, start, end));
    expect(copyOf(slab, start, end)).toBe(copyOf(slab, start, end));
    expect(viewOf(slab, start, end)).not.toBe(viewOf(slab, start, end - 1));
    expect(viewOf(slab, start, end)).not.toBe(viewOf(slab, start + 1, end));
  });

  it('do not mistake a later region for an earlier one at the same place', () => {
    recycleSlabs();
    const first = take(4, 1);
    const copy = copyOf(first.slab, first.start, first.end);
    recycleSlabs();
    const second = take(4, 2);
    expect([second.slab, second.start]).toEqual([first.slab, first.start]);
    expect(copyOf(second.slab, second.start, second.end)).toEqual(Buffer.alloc(4, 2));
    expect(copy).toEqual(Buffer.alloc(4, 1));
  });

  it('a view is the slab, a copy is not', () => {
    const { slab, start, end } = take(4, 1);
    const [view, copy] = [viewOf(slab, start, end), copyOf(slab, start, end)];
    slab.bytes.fill(2, start, end);
    expect([view[0], copy[0]]).toEqual([2, 1]);
  });
});
