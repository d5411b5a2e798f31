import { expectAlike, expectBroken, expectServed, type Attack } from './frame-attack';

/** What is to be shown of every attack: how it is judged, everywhere, and what makes it so. */
// eslint-disable-next-line jest/no-export -- a helper that makes suites, not one itself
export function describeAttacks(attacks: readonly Attack[]): void {
  describe.each(attacks)('$name', (attack) => {
    it('is judged alike whole, split at every offset, byte by byte and under any key', () => {
      expectAlike(attack);
    });

    it('is judged so by a server, behind the handshake as well', () => expectServed(attack));

    it('is not without the defence', () => expectBroken(attack));
  });
}
