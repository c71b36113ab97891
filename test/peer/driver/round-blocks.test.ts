/** What a job's later rounds make useless is freed, and nothing else. */
import { expect, test } from 'vitest'
import { createRoundBlocks } from '../../../src/peer/driver/round-blocks.ts'

function setUp() {
  const freed: string[] = []
  const blocks = createRoundBlocks({
    async unhold(job, ids) {
      for (const id of ids) freed.push(`${job} ${id}`)
      return 0
    },
  })
  return { freed, blocks }
}

test('partials of a round go with it, parameters when two newer ones are here', () => {
  const { freed, blocks } = setUp()
  for (const round of [1, 2, 3]) {
    blocks.partial('job', `partial ${round}a`)
    blocks.partial('job', `partial ${round}b`)
    blocks.partial('job', `partial ${round}b`)
    blocks.parameters('job', `parameters ${round}`)
    blocks.parameters('job', `parameters ${round}`)
    blocks.next('job')
  }
  expect(freed.filter(one => one.includes('partial'))).toEqual(
    [1, 2, 3].flatMap(round => [`job partial ${round}a`, `job partial ${round}b`]),
  )
  expect(freed.filter(one => one.includes('parameters'))).toEqual(['job parameters 1'])
})

test('jobs are apart, and an ended one is forgotten', () => {
  const { freed, blocks } = setUp()
  blocks.partial('one', 'a')
  blocks.partial('other', 'b')
  blocks.next('other')
  blocks.end('one')
  blocks.next('one')
  expect(freed).toEqual(['other b'])
})

test('what cannot be freed now is no error', async () => {
  const blocks = createRoundBlocks({ unhold: () => Promise.reject(new Error('no disk')) })
  blocks.partial('job', 'a')
  blocks.next('job')
  await new Promise(resolve => setImmediate(resolve))
})
