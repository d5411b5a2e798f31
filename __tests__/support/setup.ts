/*
 * Every suite fails when anything ends up where only the process would have caught it: user code
 * and peers must never get that far (design rule: nobody can end the process).
 */
const stray: unknown[] = [];
const collect = (error: unknown): void => {
  stray.push(error);
};

beforeAll(() => {
  process.on('uncaughtException', collect);
  process.on('unhandledRejection', collect);
});

afterEach(() => {
  const seen = stray.splice(0);
  expect(seen).toEqual([]);
});

afterAll(() => {
  process.off('uncaughtException', collect);
  process.off('unhandledRejection', collect);
});
