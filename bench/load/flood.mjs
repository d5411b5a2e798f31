/** One connection that sends small frames as fast as they are taken, and reads what comes back. */
import { maskedFrame, open } from './wire.mjs';
import { delay, told } from './window.mjs';

const BURST = 65_536;

/** Below what an unfinished message may have by default, in each of its ways of counting. */
const FRAGMENTS = 100;

const BURSTS = {
  'no flood': () => Buffer.alloc(0),
  '1-byte messages': () => repeat(maskedFrame(0x81, Buffer.from('x'))),
  pings: () => repeat(maskedFrame(0x89, Buffer.from('x'))),
  'empty fragments': () => {
    const empty = maskedFrame(0x00, Buffer.alloc(0));
    const middle = Array.from({ length: FRAGMENTS }, () => empty);
    const empties = { start: 0x01, end: 0x80 };
    return repeat(
      Buffer.concat([
        maskedFrame(empties.start, Buffer.alloc(0)),
        ...middle,
        maskedFrame(empties.end, Buffer.alloc(0)),
      ]),
    );
  },
};

export async function runFlood(task) {
  const burst = BURSTS[task.flood]();
  let socket = await open(task, 0, () => undefined);
  let isOver = false;
  process.send('ready');
  await told('begin');
  const flood = () => {
    const write = () => {
      if (isOver || socket.destroyed || burst.length === 0) return;
      if (socket.write(burst)) setImmediate(write);
      else socket.once('drain', write);
    };
    // Who is thrown out comes again, as anybody could.
    socket.once('close', async () => {
      if (isOver) return;
      socket = await open(task, 0, () => undefined);
      flood();
    });
    write();
  };
  flood();
  await told('end');
  isOver = true;
  socket.destroy();
  await delay(0);
  process.send('gone');
}

function repeat(frame) {
  return Buffer.concat(Array.from({ length: Math.ceil(BURST / frame.length) }, () => frame));
}
