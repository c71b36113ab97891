/** What is noted is found after a restart, and nothing counts as written before it is. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openRecordStore, type RecordStore } from '../../../src/data/store/record-store.ts'
import type { JobKept } from '../../../src/jobs/core/types.ts'
import { createJournal, type KeptRequest } from '../../../src/peer/driver/journal.ts'

let root: string
let count = 0
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'shardmesh-journal-'))
})
afterAll(() => rm(root, { recursive: true }))

const id = (n: number) => String(n).padStart(64, '0')
const kept: JobKept = {
  owner: '12D3KooWowner',
  priority: 0,
  startedMs: 5,
  ballot: { counter: 2, peer: '12D3KooWleader' },
  specKnown: true,
  known: { count: 0 },
  target: { count: 0 },
  complete: false,
  endedMs: 0,
}
const over: JobKept = { ...kept, outcome: { phase: 'cancelled', ballot: kept.ballot }, endedMs: 9 }
const request: KeptRequest = {
  inputs: ['a'],
  cwd: '/',
  source: { kind: 'images', itemsPerShard: 64 },
  copies: 2,
  attached: false,
}
const result = (shard: number) => ({ shard, block: id(100 + shard), errors: shard % 7 })

async function open(folder: string, has: (block: string) => boolean = () => true) {
  const records = await openRecordStore(folder, () => {})
  return {
    records,
    journal: createJournal(
      records,
      async block => has(block),
      () => {},
    ),
  }
}

test('a job comes back with its results in order, its request and its promises', async () => {
  const folder = join(root, `${count++}`)
  const first = await open(folder)
  first.journal.keep(id(1), kept)
  first.journal.keepResults(id(1), [result(10), result(9), result(100_000)])
  first.journal.keepRequest(id(1), request)
  first.journal.keepCopy(id(1), 'inputs-x-0-1')
  first.journal.keep(id(2), { ...kept, startedMs: 1 })
  first.journal.keepDropped(id(2))
  await first.journal.commit()
  await first.journal.close()

  const second = await open(folder, block => block !== result(9).block)
  const [two, one] = await second.journal.load()
  expect(two).toMatchObject({ job: id(2), dropped: true, results: [], copies: [] })
  // A result whose block is gone is none.
  expect(one).toEqual({
    job: id(1),
    kept,
    results: [result(10), result(100_000)],
    request,
    copies: ['inputs-x-0-1'],
    dropped: false,
  })
  // What comes after a restart stands over what was before it, of the same shard.
  second.journal.keepResults(id(1), [{ ...result(10), block: id(5) }])
  await second.journal.commit()
  await second.journal.close()
  const third = await open(folder)
  expect((await third.journal.load())[1].results).toEqual([result(9), { ...result(10), block: id(5) }, result(100_000)])
  await third.journal.close()
})

test('an ended job keeps its record and its promises for the result; a forgotten one keeps nothing', async () => {
  const folder = join(root, `${count++}`)
  const first = await open(folder)
  for (const job of [id(1), id(2)]) {
    first.journal.keep(job, kept)
    first.journal.keepResults(job, [result(1)])
    first.journal.keepRequest(job, request)
    for (const piece of ['inputs-x-0-1', 'files-x-0-1', 'result-x-0-1']) first.journal.keepCopy(job, piece)
  }
  await first.journal.commit()
  first.journal.keepResults(id(1), [result(2)])
  first.journal.keep(id(1), over)
  first.journal.forget(id(1), false)
  first.journal.keep(id(2), over)
  first.journal.forget(id(2), true)
  await first.journal.commit()
  await first.journal.close()
  const { journal, records } = await open(folder)
  expect(await journal.load()).toEqual([
    { job: id(1), kept: over, results: [], request: undefined, copies: ['result-x-0-1'], dropped: false },
  ])
  const keys: string[] = []
  for await (const [key] of records.entries('job/')) keys.push(key)
  expect(keys).toEqual([`job/${id(1)}/copy/result-x-0-1`, `job/${id(1)}/kept`])
  await journal.close()
})

test('it is dirty until everything noted is on disk, whoever asked, and a refusal loses nothing', async () => {
  const written: string[][] = []
  let refuse = false
  const records = {
    write: async changes => {
      await new Promise(resolve => setTimeout(resolve, 5))
      if (refuse) throw new Error('full')
      written.push(changes.map(change => change.key.slice(69)))
    },
    clear: async () => {},
    flush: async () => {},
    close: async () => {},
  } satisfies Partial<RecordStore>
  const journal = createJournal(
    records as unknown as RecordStore,
    async () => true,
    () => {},
  )
  journal.keep(id(1), kept)
  const early = journal.commit()
  expect(journal.dirty).toBe(true)
  // Somebody else's commit begins with nothing new of its own, and is not over before the first is.
  await journal.commit()
  expect(written).toEqual([['kept'], []])
  await early
  expect(journal.dirty).toBe(false)

  refuse = true
  journal.keepResults(id(1), [result(1)])
  await expect(journal.commit()).rejects.toThrow('full')
  journal.keepResults(id(1), [result(2)])
  expect(journal.dirty).toBe(true)
  refuse = false
  await journal.commit()
  expect(written.at(-1)).toEqual(['results/000000000000', 'results/000000000001'])
  expect(journal.dirty).toBe(false)
  await journal.close()
})
