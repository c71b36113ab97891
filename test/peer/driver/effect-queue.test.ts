/** Nothing is done before what it promises is on disk, whatever the disk does. */
import { expect, test } from 'vitest'
import type { Effect, JobKept } from '../../../src/jobs/core/types.ts'
import { createEffectQueue } from '../../../src/peer/driver/effect-queue.ts'
import type { Journal } from '../../../src/peer/driver/journal.ts'

const kept = { priority: 0 } as JobKept
const keep = (job: string): Effect => ({ type: 'keep', job, kept })
const changed = (job: string): Effect => ({ type: 'changed', job })

function setUp() {
  const log: string[] = []
  let noted: string[] = []
  let full = false
  const journal = {
    keep: job => noted.push(`keep ${job}`),
    keepResults: (job, results) => noted.push(`results ${job} ${results.length}`),
    forget: (job, record) => noted.push(`forget ${job} ${record}`),
    get dirty() {
      return noted.length > 0
    },
    async commit() {
      const now = noted
      noted = []
      await new Promise(resolve => setTimeout(resolve, 5))
      if (!full) return void log.push(`disk: ${now.join(', ')}`)
      noted = [...now, ...noted]
      throw new Error('full')
    },
  } satisfies Partial<Journal>
  const queue = createEffectQueue({
    journal: journal as unknown as Journal,
    perform: effect => log.push(effect.type === 'changed' ? effect.job : effect.type),
    refused: () => log.push('refused'),
  })
  return {
    log,
    queue,
    setFull: (now: boolean) => {
      full = now
    },
  }
}

test('without anything to keep, effects are performed at once', () => {
  const { log, queue } = setUp()
  queue.add([changed('a'), changed('b')])
  expect(log).toEqual(['a', 'b'])
})

test('effects wait for the disk, in their order, and writes that come together are one', async () => {
  const { log, queue } = setUp()
  queue.add([keep('x'), changed('a')])
  queue.add([changed('b')])
  queue.add([keep('y'), { type: 'keep-results', job: 'y', results: [] }, changed('c')])
  expect(log).toEqual([])
  await expect.poll(() => log.length).toBe(7)
  expect(log).toEqual(['disk: keep x, keep y, results y 0', 'keep', 'a', 'b', 'keep', 'keep-results', 'c'])
  queue.add([changed('d')])
  expect(log.at(-1)).toBe('d')
})

test('while the disk refuses nothing is done, and then everything', async () => {
  const { log, queue, setFull } = setUp()
  setFull(true)
  queue.add([keep('x'), changed('a')])
  await expect.poll(() => log.filter(line => line === 'refused').length).toBeGreaterThanOrEqual(2)
  queue.add([changed('b'), { type: 'forget', job: 'x', record: true }])
  expect(new Set(log)).toEqual(new Set(['refused']))
  expect(queue.stalled).toBe(true)
  setFull(false)
  await expect.poll(() => log.at(-1)).toBe('forget')
  expect(log.filter(line => line !== 'refused')).toEqual(['disk: keep x, forget x true', 'keep', 'a', 'b', 'forget'])
  expect(queue.stalled).toBe(false)
})

test('once stopped it performs nothing more, and what was noted is written', async () => {
  const { log, queue } = setUp()
  queue.add([keep('x'), changed('a')])
  await queue.stop()
  expect(log).toEqual(['disk: keep x'])
})
