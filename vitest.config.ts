import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

/** Commands on one peer, mostly the starts of processes: two files at a time. */
const commands = [
  'test/docs/commands.test.ts',
  ...[
    'train-options',
    'image-options',
    'train-network',
    'command-line',
    'bad-input',
    'bad-rows',
    'table-reports',
    'holdout',
  ].map(name => `test/e2e/${name}.test.ts`),
]

export default defineConfig({
  test: {
    reporters: ['default', './test/counts-reporter.ts'],
    pool: 'forks',
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Tests start some hundred processes of the same modules: Node keeps what it compiled of them.
    env: { NODE_COMPILE_CACHE: fileURLToPath(new URL('node_modules/.cache/node-compile', import.meta.url)) },
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: ['test/e2e/**', ...commands], maxWorkers: 2 },
      },
      {
        extends: true,
        test: { name: 'commands', include: commands, maxWorkers: 2, sequence: { groupOrder: 1 } },
      },
      {
        // Each starts processes that want the whole machine: one file at a time, after the others.
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/*.test.ts'],
          exclude: commands,
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
})
