/*
 * RFC 6455 §5.2, §5.4, §5.5 written out: the first bytes that may begin a frame without
 * extensions, and the second bytes that may follow.
 */

/** §5.4: while no fragmented message is open. */
const BETWEEN_MESSAGES = [0x01, 0x81, 0x02, 0x82, 0x88, 0x89, 0x8a];

/** §5.4: while one is open. */
const IN_MESSAGE = [0x00, 0x80, 0x88, 0x89, 0x8a];

/** §5.1: masked; §5.5: a control frame says its length in seven bits, at most 125. */
function isSecondByte(second: number, first: number): boolean {
  const highest = first >= 0x88 ? 0xfd : 0xff;
  return second >= 0x80 && second <= highest;
}

/** Whether a client's frame may begin with these two bytes. */
export function isFrameStart(first: number, second: number, inMessage: boolean): boolean {
  const starts = inMessage ? IN_MESSAGE : BETWEEN_MESSAGES;
  return starts.includes(first) && isSecondByte(second, first);
}

/** Which of all 65 536 pairs differ from the table; printed as hex. */
export function unlikeTheTable(
  inMessage: boolean,
  accepts: (first: number, second: number) => boolean,
): string[] {
  const unlike: string[] = [];
  for (let pair = 0; pair <= 0xffff; pair++) {
    const first = pair >> 8;
    const second = pair & 0xff;
    if (accepts(first, second) !== isFrameStart(first, second, inMessage)) {
      unlike.push(pair.toString(16).padStart(4, '0'));
    }
  }
  return unlike;
}
