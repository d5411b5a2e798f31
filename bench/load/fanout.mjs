/**
 * Some connections publish, all receive: the next burst leaves when everybody has all of the last.
 * One publisher is a fan-out, many that publish in the same instant are a chat.
 */
import { clientFrame, FrameCounter, openAll } from './wire.mjs';
import { Tally, told } from './window.mjs';

export async function runFanout(task) {
  const tally = new Tally();
  const { connections, publishers, outstanding } = task;
  const burst = Buffer.concat(Array.from({ length: outstanding }, () => clientFrame(task)));
  const expected = connections * publishers * outstanding;
  let sockets = [];
  let received = 0;
  let sentAt = 0;

  const publish = () => {
    received = 0;
    sentAt = performance.now();
    for (const socket of sockets.slice(0, publishers)) socket.write(burst);
  };
  const count = (frames) => {
    received += frames;
    if (tally.isStopped) return;
    tally.messages += frames;
    if (received < expected) return;
    tally.latencies.push(performance.now() - sentAt);
    publish();
  };

  sockets = await openAll(task, connections, () => {
    const counter = new FrameCounter();
    return (bytes, length) => count(counter.push(bytes, length));
  });
  for (const socket of sockets) {
    socket.on(
      'close',
      () => tally.isStopped || process.send({ failed: 'a connection was closed' }),
    );
  }
  process.send('ready');
  await told('begin');
  publish();
  await tally.run(task);
  for (const socket of sockets) socket.destroy();
}
