import { EventEmitter, once } from 'node:events';
import { Emitter, kListenerAdded } from '../../lib/socket/emitter';

class Watched extends Emitter {
  readonly added: (string | symbol)[] = [];

  [kListenerAdded](event: string | symbol): void {
    this.added.push(event);
  }
}

describe('Emitter', () => {
  it('is an EventEmitter without a table of listeners before the first one', () => {
    const emitter = new Emitter();
    expect(emitter).toBeInstanceOf(EventEmitter);
    expect(Object.keys(emitter)).toEqual([]);
    expect([emitter.emit('x'), emitter.listenerCount('x'), emitter.eventNames()]).toEqual([
      false,
      0,
      [],
    ]);
  });

  it('works like any other from then on', async () => {
    const emitter = new Emitter();
    const heard: unknown[] = [];
    const listener = (value: unknown): unknown => heard.push(value);
    emitter.on('x', listener);
    const next = once(emitter, 'x');
    emitter.emit('x', 1);
    emitter.off('x', listener).emit('x', 2);
    expect([heard, await next]).toEqual([[1], [1]]);
  });

  it('tells of every way to add a listener, after it was added', () => {
    const emitter = new Watched();
    const listener = (): void => undefined;
    emitter.on('a', listener).addListener('b', listener).once('c', listener);
    emitter.prependListener('d', listener).prependOnceListener('e', listener);
    expect(emitter.added).toEqual(['a', 'b', 'c', 'd', 'e']);
  });
});
