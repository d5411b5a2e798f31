/* global test */

/** Tests during which something gets as far as the process: run by user-code.test.ts. */
test.each(['nothing', 'throw', 'reject'])('stray %s', async (what) => {
  const error = new Error(`stray ${what}`);
  if (what === 'reject') void Promise.reject(error);
  if (what === 'throw') {
    setImmediate(() => {
      throw error;
    });
  }
  await new Promise((resolve) => setTimeout(resolve, 20));
});
