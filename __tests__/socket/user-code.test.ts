import { EventEmitter } from 'node:events';
import { callSafely, emitSafely, isThenable, settle } from '../../lib/socket/user-code';

describe('isThenable', () => {
  it.each([
    [Promise.resolve(), true],
    [{ then: () => undefined }, true],
    [{ then: 1 }, false],
    [{}, false],
    [null, false],
    ['then', false],
    [undefined, false],
  ])('of %p is %p', (value, expected) => expect(isThenable(value)).toBe(expected));
});

describe('settle', () => {
  it('never rejects, and tells what the promise rejected with', async () => {
    const errors: unknown[] = [];
    await settle(Promise.reject(new Error('late')), (error) => errors.push(error));
    await settle(Promise.resolve(1), (error) => errors.push(error));
    expect(errors).toEqual([new Error('late')]);
  });
});

describe('callSafely', () => {
  it('hands back a promise only when there is one to wait for', async () => {
    const onError = jest.fn();
    expect(callSafely(() => 1, onError)).toBeUndefined();
    await expect(callSafely(() => Promise.resolve(1), onError)).resolves.toBeUndefined();
    expect(onError).not.toHaveBeenCalled();
  });

  it.each([new Error('x'), undefined, 'word'])('tells of a throw of %p', (thrown) => {
    const onError = jest.fn();
    const fail = (): never => {
      throw thrown as Error;
    };
    expect(callSafely(fail, onError)).toBeUndefined();
    expect(onError).toHaveBeenCalledWith(thrown);
  });
});

describe('emitSafely', () => {
  it('calls every listener, whatever the others throw or reject with', async () => {
    const emitter = new EventEmitter();
    const errors: unknown[] = [];
    const heard: unknown[] = [];
    emitter.on('x', () => {
      throw new Error('sync');
    });
    emitter.on('x', () => Promise.reject(new Error('async')));
    emitter.on('x', (...args) => heard.push(args));
    emitSafely(emitter, 'x', [1, 2], (error) => errors.push(error));
    await new Promise(setImmediate);
    expect(heard).toEqual([[1, 2]]);
    expect(errors).toEqual([new Error('sync'), new Error('async')]);
  });

  it('removes once listeners, and does nothing where nobody listens', () => {
    const emitter = new EventEmitter();
    const listener = jest.fn();
    emitter.once('x', listener);
    for (let at = 0; at < 2; at++) emitSafely(emitter, 'x', [], () => undefined);
    expect(listener).toHaveBeenCalledTimes(1);
  });
});
