/** The whole suite, the large cases of the Autobahn catalogue and of the attacks in full size. */
process.env.TEST_FULL = '1';

module.exports = { ...require('./jest.config.js'), testTimeout: 300_000 };
