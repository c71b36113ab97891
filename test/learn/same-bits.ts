/** The promise of every method: the same bits whoever computes which shard, in whatever order, through whatever bytes. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { prng } from '../../src/base/prng.ts'
import type { Backend } from '../../src/compute/backends/types.ts'
import { type Engine, openEngine } from '../../src/learn/device/engine.ts'
import type { TrainInit } from '../../src/learn/options.ts'
import { trainOverBytes } from './drive.ts'
import { cut, type PlainTable } from './shards.ts'

const random = prng(77)
const features = 7
const middles = Array.from({ length: 4 }, () => Array.from({ length: features }, () => 6 * random.normal()))

/** Four clouds, away from zero, on a slope. */
function clouds(count: number): PlainTable & { numbers: number[]; classes: string[] } {
  const places = Array.from({ length: count }, () => random.int(4))
  const rows = places.map(place => middles[place].map(middle => 40 + middle + random.normal()))
  return {
    rows,
    classes: places.map(place => `cloud ${place}`),
    numbers: rows.map(row => row.reduce((sum, value, i) => sum + value * (i - 2), random.normal())),
  }
}

const table = clouds(1500)
/** One row alone, a block's edge, more than a block. */
const sizes = [1, 128, 300, 129, 2, 500]

const trainings: Record<string, TrainInit> = {
  'k-means||': { method: 'kmeans', k: 4, seed: 5, roundsMax: 10 },
  'k-means, more clusters than clouds': { method: 'kmeans', k: 9, standardise: 'standard' },
  'mixture, full': { method: 'gmm', k: 4, roundsMax: 14 },
  'mixture, tied': { method: 'gmm', k: 3, covariance: 'tied' },
  'mixture, diag': { method: 'gmm', k: 4, covariance: 'diag', standardise: 'standard', roundsMax: 12 },
  'mixture, spherical': { method: 'gmm', k: 4, covariance: 'spherical' },
  'softmax, L-BFGS': { method: 'softmax', standardise: 'standard', roundsMax: 15 },
  'softmax, Adam': { method: 'softmax', solver: 'adam', batchRows: 300, epochs: 2, standardise: 'standard' },
  'support vectors': { method: 'svm', roundsMax: 10, standardise: 'standard' },
  'support vectors, momentum': { method: 'svm', solver: 'sgd', batchRows: 300, epochs: 2, divide: 40 },
  'least squares': { method: 'linear' },
  'ridge, L-BFGS': { method: 'linear', solver: 'lbfgs', alpha: 2, roundsMax: 10 },
  components: { method: 'pca', components: 3 },
  'components, randomised': { method: 'pca', components: 3, solver: 'randomised', oversampling: 2, iterations: 3 },
}

/**
 * @param make makes backends of one numeric class
 * @param names of the trainings; default: all
 * @param groups how many peers share the work, beside one alone
 */
export function describeSameBits(
  label: string,
  make: () => Promise<Backend | undefined>,
  names: readonly string[] = Object.keys(trainings),
  groups: readonly number[] = [2, 3],
): void {
  describe(`${label} learns the same bits`, () => {
    let backend: Backend | undefined
    const engines: Engine[] = []
    beforeAll(async () => {
      backend = await make()
      for (let i = 0; backend && i < 3; i++) engines.push(openEngine(backend))
    }, 60_000)
    afterAll(async () => {
      for (const engine of engines) engine.dispose()
      await backend?.dispose()
    })
    test.each(names)('%s, whoever computes', { timeout: 60_000 }, async (name, ...rest) => {
      const context: unknown = rest.at(-1)
      if (!backend) {
        if (typeof context === 'object' && context && 'skip' in context && typeof context.skip === 'function')
          context.skip()
        return
      }
      const init = trainings[name]
      const { rows, classes, numbers } = table
      const shards = cut(init.method === 'linear' ? { rows, numbers } : { rows, classes }, sizes)
      const alone = await trainOverBytes(engines.slice(0, 1), init, shards, 1)
      for (const peers of groups) {
        const together = await trainOverBytes(engines.slice(0, peers), init, shards, peers)
        expect(Buffer.compare(together, alone)).toBe(0)
      }
    })
  })
}
