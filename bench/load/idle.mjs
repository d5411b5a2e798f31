/** Many connections that do nothing, or have done something once; the parent looks at the server. */
import { clientFrame, FrameCounter, openAll } from './wire.mjs';
import { told } from './window.mjs';

/** Connections that are in the middle of their messages at a time. */
const AT_A_TIME = 100;

export async function runIdle(task) {
  await told('begin');
  const counts = [];
  const sockets = await openAll(task, task.connections, (index) => {
    const counter = new FrameCounter();
    return (bytes, length) => counts[index]?.(counter.push(bytes, length));
  });
  let isOver = false;
  for (const socket of sockets) {
    socket.on('close', () => isOver || tell({ failed: 'a connection was closed' }));
  }
  if (task.messages > 0) await talk(task, sockets, counts);
  process.send('ready');
  await told('end');
  isOver = true;
  for (const socket of sockets) socket.destroy();
  process.send('gone');
}

/** The parent may have gone first. */
function tell(message) {
  if (process.connected) process.send(message);
}

async function talk(task, sockets, counts) {
  const frame = clientFrame(task);
  let next = 0;
  const work = async () => {
    while (next < sockets.length) {
      const index = next++;
      for (let each = 0; each < task.messages; each++) {
        await new Promise((resolve) => {
          counts[index] = (frames) => frames > 0 && resolve();
          sockets[index].write(frame);
        });
      }
      counts[index] = undefined;
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
}
