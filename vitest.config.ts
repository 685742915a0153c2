import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['packages/*/test/**/*.test.ts', 'test/**/*.test.ts'],
    globalSetup: ['test/setup-oracles.ts'],
    // Two files at a time: rendering and training tests use worker threads of their own.
    maxWorkers: 2,
    testTimeout: 240_000,
    hookTimeout: 120_000
  }
})
