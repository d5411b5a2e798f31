import { LazyAbort } from '../../lib/express/lazy-abort';

it('gives one signal, which aborts', () => {
  const abort = new LazyAbort();
  const { signal } = abort;
  const heard: string[] = [];
  signal.addEventListener('abort', () => heard.push('abort'));
  expect([abort.signal === signal, signal.aborted, abort.isAborted]).toEqual([true, false, false]);
  abort.abort();
  abort.abort();
  expect([heard, signal.aborted, abort.isAborted]).toEqual([['abort'], true, true]);
});

it('gives a signal that is aborted to whoever looks too late', () => {
  const abort = new LazyAbort();
  abort.abort();
  expect(abort.signal.aborted).toBe(true);
  expect((abort.signal.reason as Error).name).toBe('AbortError');
});
