import { duplexPair } from 'node:stream';
import { listenTo } from '../../lib/socket/transport';
import { turns } from './wire';

it('tells what happens to a transport, in order', async () => {
  const [transport, other] = duplexPair();
  const told: unknown[] = [];
  listenTo(transport, {
    onData: (chunk) => told.push(chunk.toString()),
    onTransportEnd: () => told.push('end'),
    onTransportError: (error) => told.push(error.message),
    onTransportClose: () => told.push('close'),
  });
  other.end('Hello');
  await turns();
  transport.destroy(new Error('broken'));
  await turns();
  expect(told).toEqual(['Hello', 'end', 'broken', 'close']);
});

it('has the same listeners for all', () => {
  const [one, two] = duplexPair();
  const nobody = {
    onData: () => undefined,
    onTransportEnd: () => undefined,
    onTransportError: () => undefined,
    onTransportClose: () => undefined,
  };
  listenTo(one, nobody);
  listenTo(two, nobody);
  for (const event of ['data', 'error', 'close']) {
    expect(one.listeners(event).at(-1)).toBe(two.listeners(event).at(-1));
  }
});
