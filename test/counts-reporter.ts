/** Closes a test run with one plain line of counts, which scripts can read: `312 passed, 0 failed, 2 skipped`. */
import type { Reporter, TestModule } from 'vitest/node'

export default class CountsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts = { passed: 0, failed: 0, skipped: 0, pending: 0 }
    for (const module of modules) {
      const tests = [...module.children.allTests()]
      for (const test of tests) counts[test.result().state]++
      // A file that cannot be loaded or set up has no failed test, and must not pass unseen.
      if (module.state() === 'failed' && !tests.some(test => test.result().state === 'failed')) counts.failed++
    }
    process.stdout.write(
      `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped + counts.pending} skipped\n`,
    )
  }
}
