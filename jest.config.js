/** Unit tests: every `*.test.ts` beside what it tests. Slow suites that need root live in `*.lab.test.ts`. */
/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  roots: ['infra', 'components', 'stacks', 'agent', 'scripts', 'lab', 'tools', 'bench'].map(
    (dir) => `<rootDir>/${dir}`,
  ),
  testMatch: ['**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '\\.(lab|engine|conformance)\\.test\\.ts$'],
  transform: { '^.+\\.ts$': ['ts-jest', { diagnostics: false }] },
  maxWorkers: 2,
};
