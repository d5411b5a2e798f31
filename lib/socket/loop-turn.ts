let turn = 0;
let isCounting = false;

/**
 * The number of this turn of the event loop. One `setImmediate` a turn, and none while nobody asks:
 * it runs after the poll phase, so all reads of one poll see the same number.
 */
export function loopTurn(): number {
  if (!isCounting) {
    isCounting = true;
    setImmediate(next);
  }
  return turn;
}

function next(): void {
  turn++;
  isCounting = false;
}
