const base = require('./jest.config.js');

/** The same tests, with Express 4 where the library and the tests import `express`. */
module.exports = {
  ...base,
  moduleNameMapper: { '^express$': 'express4' },
  testPathIgnorePatterns: ['/node_modules/', '/browser/', '/protocol/', '/interop/'],
};
