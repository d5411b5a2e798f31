const base = require('./jest.config.js');

/** The tests that have to do with Express, with Express 4 where the library and they import `express`. */
module.exports = {
  ...base,
  moduleNameMapper: { '^express$': 'express4' },
  testPathIgnorePatterns: ['/node_modules/', '/(browser|interop|laws|protocol|rooms|socket)/'],
};
