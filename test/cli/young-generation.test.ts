/** The bound holds in the thread that sets it and in those that it starts. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const file = new URL('../../src/cli/young-generation.ts', import.meta.url)

/** MB that new objects take at most, in the main thread and in another, while objects come and go. */
async function newSpaceMb(prelude: string): Promise<number[]> {
  const churn = `
    const v8 = require('node:v8')
    let kept = [], most = 0
    for (let i = 0; i < 2e6; i++) {
      kept.push({ i, list: [i] })
      if (kept.length > 60000) kept = kept.slice(30000)
      if (i % 20000 === 0) most = Math.max(most, v8.getHeapSpaceStatistics().find(one => one.space_name === 'new_space').space_size)
    }
    console.log(most / 2 ** 20)`
  const program = `${prelude}
    import { createRequire } from 'node:module'
    import { Worker } from 'node:worker_threads'
    const churn = ${JSON.stringify(churn)}
    new Function('require', churn)(createRequire(import.meta.url))
    new Worker(churn, { eval: true, execArgv: [] })`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program])
  return stdout.trim().split('\n').map(Number)
}

test('new objects take a few MB in every thread, and many times that without the bound', async () => {
  const bounded = await newSpaceMb(
    `import { boundYoungGeneration } from ${JSON.stringify(file.href)}\nboundYoungGeneration()`,
  )
  expect(bounded).toHaveLength(2)
  expect(Math.max(...bounded)).toBeLessThanOrEqual(12)
  const usual = await newSpaceMb('')
  expect(Math.min(...usual)).toBeGreaterThan(16)
})
