/** Tests import the sources; only the packaging test and the example use the build. */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/__tests__'],
  testMatch: ['**/*.test.ts'],
  transform: {
    '^.+\\.ts$': ['ts-jest', { tsconfig: '<rootDir>/__tests__/tsconfig.json' }],
  },
  setupFilesAfterEnv: ['<rootDir>/__tests__/support/setup.ts'],
  // Much of it waits for sockets: every core may as well have its worker.
  maxWorkers: '100%',
  collectCoverageFrom: ['lib/**/*.ts'],
  coverageThreshold: { global: { lines: 100, branches: 100, functions: 100, statements: 100 } },
};
