import { Buffer } from 'node:buffer';
import { duplexPair, type Duplex } from 'node:stream';
import { Outbox, type OutboxOwner } from '../../../lib/socket/outbox';
import { hex } from '../../support/bytes';
import { defaultSettings, turns } from '../wire';

describe('an outbox alone', () => {
  const makeOutbox = (
    owner: Partial<OutboxOwner> = {},
  ): { outbox: Outbox; sent: () => Buffer; theirs: Duplex } => {
    const [ours, theirs] = duplexPair();
    const bytes: Buffer[] = [];
    theirs.on('data', (chunk: Buffer) => bytes.push(chunk));
    const heard: OutboxOwner = {
      onDrain: () => undefined,
      runCallback: (callback, error) => callback(error),
      ...owner,
    };
    const outbox = new Outbox(ours, heard, defaultSettings());
    return { outbox, sent: () => Buffer.concat(bytes), theirs };
  };

  it('passes on what was encoded elsewhere, in its place', async () => {
    const { outbox, sent } = makeOutbox();
    outbox.pushText(0x81, 'a');
    outbox.pushEncoded(hex('81 01 62'));
    outbox.pushText(0x81, 'c');
    outbox.pushEncoded(hex('81 01 64'));
    expect(outbox.buffered).toBe(12);
    await turns();
    expect(sent()).toEqual(hex('81 01 61 81 01 62 81 01 63 81 01 64'));
    expect(outbox.buffered).toBe(0);
  });

  it('writes what is queued before the end of the stream', async () => {
    const { outbox, sent, theirs } = makeOutbox();
    let hasEnded = false;
    theirs.on('end', () => {
      hasEnded = true;
    });
    outbox.pushText(0x81, 'last');
    outbox.end();
    await turns();
    expect([sent(), hasEnded]).toEqual([hex('81 04 6c617374'), true]);
  });

  it('ends with nothing to write', async () => {
    const { outbox, sent, theirs } = makeOutbox();
    let hasEnded = false;
    theirs.on('end', () => {
      hasEnded = true;
    });
    outbox.end();
    await turns();
    expect([sent().length, hasEnded]).toEqual([0, true]);
  });

  it('forgets what is queued when it is told to', async () => {
    const { outbox, sent } = makeOutbox();
    outbox.pushText(0x81, 'gone');
    outbox.discard();
    expect(outbox.buffered).toBe(0);
    await turns();
    expect(sent()).toHaveLength(0);
  });

  it('tells of the drain when it was asked to, and only then', async () => {
    const onDrain = jest.fn();
    const { outbox } = makeOutbox({ onDrain });
    outbox.pushText(0x81, 'a');
    await turns();
    expect(onDrain).not.toHaveBeenCalled();
    outbox.wantDrain();
    outbox.pushText(0x81, 'b');
    await turns();
    outbox.pushText(0x81, 'c');
    await turns();
    expect(onDrain).toHaveBeenCalledTimes(1);
  });
});
