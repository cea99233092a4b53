import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    globalSetup: './test/support/temporary.ts',
    projects: [
      // Their files share one load of the modules; an engine, of which a process has one, is in neither.
      {
        extends: true,
        test: { name: 'core', include: ['{protocol,server}/src/**/*.test.ts'], isolate: false },
      },
      {
        extends: true,
        test: { name: 'node', include: ['client-sdk/src/**/*.test.ts', 'test/**/*.test.ts'] },
      },
    ],
  },
});
