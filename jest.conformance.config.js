/**
 * Holds a Qdrant to the behaviour that the product relies on: the lab's stand-in, or the server named by QDRANT_BIN.
 * QDRANT_OPENAPI names a copy of the vendor's API description; with it every answer's shape is checked too.
 */
/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/lab/qdrant-shell/conformance'],
  testMatch: ['**/*.conformance.test.ts'],
  transform: { '^.+\\.ts$': ['ts-jest', { diagnostics: false }] },
  testTimeout: 60_000,
  maxWorkers: 2,
};
