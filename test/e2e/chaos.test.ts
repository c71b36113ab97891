/**
 * A short row of the fault matrix (`npm run chaos` runs the whole): a worker and a leader killed in the middle of a job, a peer
 * that cannot decode, with real processes. The fault came in time, nothing is lost, nothing counts twice, and the bytes are those of the undisturbed run.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Cell, runCell } from './chaos/cell.ts'
import { faults } from './chaos/faults.ts'
import { type ChaosWork, openPictures, type Pictures } from './chaos/workloads.ts'

const limitMs = 90_000
let pictures: Pictures
let work: ChaosWork
let undisturbed: Cell

function cell(name: string): Promise<Cell> {
  const fault = faults.find(each => each.name === name)
  if (!fault) throw new Error(`no such fault: ${name}`)
  return runCell({ fault, work, peers: 4, limitMs })
}

beforeAll(async () => {
  pictures = await openPictures()
  work = await pictures.work('images', 3000)
  undisturbed = await cell('nothing')
}, 2 * limitMs)

afterAll(() => pictures.remove())

test('undisturbed, every picture has its row', () => {
  expect(undisturbed).toMatchObject({ completed: true, exact: true })
})

test.each(['kill-worker', 'kill-leader', 'no-decoder'])(
  '%s costs no item and no bit',
  { timeout: 2 * limitMs },
  async name => {
    const disturbed = await cell(name)
    expect(disturbed, disturbed.notes.join('; ')).toMatchObject({
      struck: true,
      completed: true,
      exact: true,
      hash: undisturbed.hash,
    })
    console.info(`${name}: leased again after ${disturbed.leasedSeconds?.toFixed(2) ?? '?'} s`)
  },
)
