const base = require('./jest.config.js');

/** The whole suite, with Express 4 where the library and the tests import `express`. */
module.exports = { ...base, moduleNameMapper: { '^express$': 'express4' } };
