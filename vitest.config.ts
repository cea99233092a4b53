import { defineConfig } from 'vitest/config';

/** Without an engine in the test's own process. */
const CLIENT = [
  'client-sdk/src/{cli,connection,data,masking,moments,node,planning,policy,runtime,session}/**/*.test.ts',
  'client-sdk/src/*.test.ts',
  'test/{attacks-network,attacks-partner,backup,client,clone,docs,hostile-partner}.test.ts',
  'test/{many-runs,restart,rotation,rotation-cut,round,server-command,slow-links,transport}.test.ts',
];
/** Among those, what loads an engine or changes the environment. */
const ALONE = [
  'client-sdk/src/cli/model-files.test.ts',
  'client-sdk/src/connection/proxy.test.ts',
  'client-sdk/src/data/split.test.ts',
];

export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    globalSetup: './test/support/temporary.ts',
    projects: [
      // Their files share one load of the modules; an engine, of which a process has one, is in none of them.
      {
        extends: true,
        test: { name: 'core', include: ['{protocol,server}/src/**/*.test.ts'], isolate: false },
      },
      {
        extends: true,
        test: { name: 'client', include: CLIENT, exclude: ALONE, isolate: false },
      },
      {
        extends: true,
        test: {
          name: 'node',
          include: ['client-sdk/src/{doctor,trainer}/**/*.test.ts', 'test/**/*.test.ts', ...ALONE],
          exclude: CLIENT.filter((path) => path.startsWith('test/')),
        },
      },
    ],
  },
});
