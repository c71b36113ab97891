/** A mesh that is switched off in the middle of a job and on again: the job goes on where it was, and is still listed later. */
import { cp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { prng } from '../../src/base/prng.ts'
import { openRecordStore } from '../../src/data/store/record-store.ts'
import type { ClassifyRequest, JobRequest, ResultItem } from '../../src/peer/control.ts'
import { createJournal } from '../../src/peer/driver/journal.ts'
import type { Peer } from '../../src/peer/peer.ts'
import { until } from '../e2e/mesh-of-processes.ts'
import { all, end, type SomePeers, somePeers } from './some-peers.ts'

const count = 1600

const rows = (items: ResultItem[]) => items.filter(item => item.type === 'row')

/** What a peer that was killed at this moment would have found on its disk. */
async function keptResults(folder: string, job: string): Promise<number> {
  const copy = `${folder}-copy`
  await cp(join(folder, 'records'), copy, { recursive: true, filter: name => !name.endsWith('LOCK') })
  const journal = createJournal(
    await openRecordStore(copy, () => {}),
    async () => true,
    () => {},
  )
  try {
    return (await journal.load()).find(one => one.job === job)?.results.length ?? 0
  } finally {
    await journal.close()
    await rm(copy, { recursive: true })
  }
}

describe('peers that are switched off and on', { timeout: 90_000 }, () => {
  let some: SomePeers
  let scratch: string
  let request: ClassifyRequest
  let undisturbed: ResultItem[]

  beforeAll(async () => {
    some = await somePeers(count)
    scratch = some.scratch
    request = some.request
    const alone = await some.start('alone')
    undisturbed = await all(alone.results((await end(alone, (await alone.submit(request)).job)).job))
    expect(rows(undisturbed)).toHaveLength(count)
    await some.stop(alone)
  })
  afterEach(() => some.stopAll())
  afterAll(() => some.end())

  test('all of them in the middle: nothing finished is computed again, and the result is the same', async () => {
    let one = await some.start('one')
    let two = await some.start('two')
    await one.waitForPeers(10_000)
    const { job } = await one.submit(request)
    await until(async () => (await one.job(job)).shardsDone >= 4, 'some shards are done')
    await some.stop(one, two)
    const kept = Math.max(await keptResults(one.home.folder, job), await keptResults(two.home.folder, job))
    expect(kept).toBeGreaterThanOrEqual(4)

    one = await some.start('one')
    two = await some.start('two')
    // What either had finished is there again, as soon as one has told the other, and not shard by shard.
    const counts: number[] = []
    await until(
      async () => {
        const { shardsDone } = await one.job(job)
        if (shardsDone > 0 && shardsDone !== counts.at(-1)) counts.push(shardsDone)
        return shardsDone >= kept
      },
      'what was finished is known again',
      20_000,
    )
    expect(counts.length).toBeLessThan(kept)
    const ended = await end(one, job)
    expect(ended).toMatchObject({ phase: 'final', itemsDone: count, itemsTotal: count, errors: 0 })
    expect(ended.shares.reduce((sum, share) => sum + share.itemsDone, 0)).toBe(count)
    expect(await all(one.results(job))).toEqual(
      undisturbed.map(item => (item.type === 'header' ? { ...item, job } : item)),
    )

    // Over once more: the job and its result are still there, from either peer.
    await some.stop(one, two)
    one = await some.start('one')
    two = await some.start('two')
    await one.waitForPeers(10_000)
    for (const peer of [one, two]) {
      expect(await peer.job(job)).toMatchObject({
        phase: 'final',
        workload: 'classify',
        itemsDone: count,
        complete: true,
      })
      expect(rows(await all(peer.results(job)))).toEqual(rows(undisturbed))
    }
    await some.stop(one, two)
  })

  test('all of them in a middle round of a training: it goes on from there, to the same bits', async () => {
    const random = prng(2)
    const row = (n: number) =>
      [
        ...Array.from({ length: 12 }, (_, c) => (random.normal() + ((c + n) % 4 === 0 ? 1 : 0)).toFixed(4)),
        n % 4,
      ].join()
    await writeFile(join(scratch, 'clouds.csv'), Array.from({ length: 4000 }, (_, n) => row(n)).join('\n'))
    const training: JobRequest = {
      workload: 'train',
      inputs: ['clouds.csv'],
      cwd: scratch,
      options: { method: 'softmax' },
      table: { label: '-1', rowsPerShard: 100 },
    }
    const modelOf = async (peer: Peer, job: string) =>
      Buffer.concat((await all(peer.results(job))).flatMap(item => (item.type === 'bytes' ? [item.bytes] : [])))
    let one = await some.start('trainer')
    const alone = await end(one, (await one.submit(training)).job)
    const expected = await modelOf(one, alone.job)
    expect(expected.length).toBeGreaterThan(100)

    let two = await some.start('helper')
    await one.waitForPeers(10_000)
    const { job } = await one.submit(training)
    await until(async () => (await one.job(job)).round >= 3, 'a middle round', 30_000)
    await some.stop(one, two)
    one = await some.start('trainer')
    two = await some.start('helper')
    expect((await one.job(job)).outcome).toBeUndefined()
    // Parameters of the round are kept, or those of the one before where nobody else had them: it is not begun anew.
    await until(async () => (await one.job(job)).round > 0 || (await one.job(job)).outcome !== undefined, 'it goes on')
    expect((await one.job(job)).round).toBeGreaterThanOrEqual(2)
    expect(await end(one, job)).toMatchObject({ phase: 'final' })
    await end(two, job)
    expect((await modelOf(two, job)).equals(expected)).toBe(true)
    await some.stop(one, two)
  })

  test('the submitter while it reads its inputs: it reads on, and each image is in one shard', async () => {
    // Several times the images, so that the reading takes a while.
    const inputs = Array.from({ length: 4 }, (_, n) => `more${n}`)
    for (const folder of inputs) await cp(join(scratch, 'images'), join(scratch, folder), { recursive: true })
    const wide = { ...request, inputs }
    let peer = await some.start('reader', { compute: false })
    const { job } = await peer.submit(wide)
    await until(async () => (await peer.job(job)).shardsTotal > 0, 'the first shards are cut')
    const before = await peer.job(job)
    expect(before.complete).toBe(false)
    await some.stop(peer)

    peer = await some.start('reader', { compute: false })
    const again = await peer.job(job)
    expect(again.itemsTotal).toBeGreaterThan(0)
    await until(async () => (await peer.job(job)).complete, 'the inputs are read', 60_000)
    expect(await peer.job(job)).toMatchObject({ itemsTotal: inputs.length * count })
    await peer.cancel(job)
    await some.stop(peer)
    peer = await some.start('reader', { compute: false })
    expect(await peer.job(job)).toMatchObject({ phase: 'cancelled' })
    await some.stop(peer)
  })

  test('inputs that changed meanwhile end the job with a reason', async () => {
    await cp(join(scratch, 'images'), join(scratch, 'changing'), { recursive: true })
    let peer = await some.start('changer', { compute: false })
    const folders = Array.from({ length: 4 }, (_, n) => `more${n}`)
    const { job } = await peer.submit({ ...request, inputs: ['changing', ...folders] })
    await until(async () => (await peer.job(job)).shardsTotal > 0, 'the first shards are cut')
    await some.stop(peer)
    await writeFile(join(scratch, 'changing', '000-new.jpg'), 'new')
    peer = await some.start('changer', { compute: false })
    const ended = await end(peer, job)
    expect(ended.outcome).toMatchObject({ phase: 'failed', reason: expect.stringMatching(/not the same files/) })
    await some.stop(peer)
  })

  test('records that are damaged cost their job alone, with a line', async () => {
    let peer = await some.start('alone')
    const [job] = await peer.jobs()
    await some.stop(peer)
    const records = await openRecordStore(join(scratch, 'alone', 'records'), () => {})
    const other = 'ab'.repeat(32)
    await records.write([
      { key: `job/${other}/kept`, value: Uint8Array.of(1, 2, 3) },
      { key: `job/${other}/results/000000000001`, value: Uint8Array.of(7) },
      { key: `job/${job.job}/results/000000000001`, value: Uint8Array.of(7) },
      { key: 'job/nonsense', value: Uint8Array.of(7) },
    ])
    await records.close()
    const lines: string[] = []
    peer = await some.start('alone', { onWarning: line => lines.push(line) })
    expect((await peer.jobs()).map(one => one.job)).toEqual([job.job])
    expect(rows(await all(peer.results(job.job)))).toEqual(rows(undisturbed))
    expect(lines.filter(line => /is damaged: it is set aside/.test(line))).toHaveLength(3)
    await some.stop(peer)
  })
})
