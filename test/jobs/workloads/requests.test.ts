import { expect, test } from 'vitest'
import { parseJobRequest } from '../../../src/jobs/workloads/requests.ts'

const request = { workload: 'classify', inputs: ['a'], cwd: '/', models: ['m'], merge: 'mean', top: 1 }

test('a priority is a whole number from 0 to 1000, or absent', () => {
  for (const priority of [undefined, 0, 1, 1000])
    expect(parseJobRequest({ ...request, priority }).priority).toBe(priority)
  for (const priority of [-1, 1.5, 1001, '7']) {
    expect(() => parseJobRequest({ ...request, priority })).toThrow(/priority/)
  }
})
