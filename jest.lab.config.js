/** Tests that need root and the lab: one at a time, each may take minutes. */
/** @type {import('jest').Config} */
module.exports = {
  ...require('./jest.config.js'),
  testMatch: ['**/*.lab.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  testTimeout: 600_000,
  maxWorkers: 1,
  // A test that fails while it clears up may leave a server or a timer; the verdict must not wait for it.
  forceExit: true,
};
