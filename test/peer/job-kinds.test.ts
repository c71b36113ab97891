/** A peer that computes nothing never fetches a job's spec: it lists every job as what it is, and reads its result. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { itemWords } from '../../src/cli/format.ts'
import type { JobView } from '../../src/jobs/core/types.ts'
import { resultKind } from '../../src/jobs/workloads/result-parts.ts'
import { encodeRowsRoot } from '../../src/jobs/workloads/rows/result.ts'
import type { JobRequest, ResultItem } from '../../src/peer/control.ts'
import { createJobKinds } from '../../src/peer/job-kinds.ts'
import { modelOf } from '../e2e/one-peer.ts'
import { all, end, type SomePeers, somePeers } from './some-peers.ts'

let peers: SomePeers
beforeAll(async () => {
  peers = await somePeers(48)
})
afterAll(() => peers.end())

const firstType = (items: readonly ResultItem[]) => items[0].type

test('six peers, one of which computes nothing: every kind of job is listed, read and counted on each', async () => {
  const names = ['one', 'two', 'three', 'four', 'five']
  const working = []
  for (const name of names) working.push(await peers.start(name))
  const idle = await peers.start('idle', { compute: false })
  const submitter = working[1]
  const { scratch, request } = peers
  const rows = Array.from({ length: 40 }, (_, i) => `${i % 7},${(i * 3) % 11},${i % 2 ? 'fig' : 'kiwi'}`)
  await writeFile(join(scratch, 'rows.csv'), ['a,b,kind', ...rows].join('\n'))
  const table = { label: 'kind', rowsPerShard: 4 }
  const base = { cwd: scratch }
  const train: JobRequest = { workload: 'train', ...base, inputs: ['rows.csv'], options: { method: 'softmax' }, table }
  const run = async (wanted: JobRequest) => {
    const { job } = await submitter.submit(wanted)
    const ended = await end(submitter, job)
    expect(ended.outcome, ended.outcome?.reason).toMatchObject({ phase: 'final' })
    return { job, ended, items: await all(submitter.results(job)) }
  }
  const trained = await run(train)
  await writeFile(join(scratch, 'model.onnx'), modelOf(trained.items))
  const [model] = request.models
  const ran = {
    train: trained,
    classify: await run({ ...request, itemsPerShard: 2 }),
    embed: await run({ workload: 'embed', ...base, inputs: ['images'], model, itemsPerShard: 3 }),
    features: await run({
      workload: 'features',
      ...base,
      inputs: ['images'],
      features: { kind: 'lbp', height: 16, width: 16 },
    }),
    score: await run({ workload: 'score', ...base, inputs: ['rows.csv'], models: ['model.onnx'], table }),
    probe: await run({ workload: 'probe', shards: 30, cwd: scratch }),
  }
  for (const peer of [idle, working[4]]) {
    const listed = new Map((await peer.jobs()).map(job => [job.job, job.workload]))
    for (const [kind, { job, items }] of Object.entries(ran)) {
      expect([kind, listed.get(job)]).toEqual([kind, kind])
      const there = await all(peer.results(job))
      expect([kind, firstType(there), there.length]).toEqual([kind, firstType(items), items.length])
    }
  }
  // What came with the end: nobody's part is missing, wherever the job was led.
  for (const [kind, { ended }] of Object.entries(ran)) {
    const done = ended.shares.reduce((sum, share) => sum + share.itemsDone, 0)
    expect([kind, done]).toEqual([kind, ended.itemsTotal * (ended.round + 1)])
  }
}, 120_000)

test('the words of a probe and of an unknown kind are not those of images', () => {
  expect(itemWords('probe').done).not.toContain('classified')
  expect(itemWords('unknown')).toEqual({ many: 'items', unit: 'items', done: 'items' })
  expect(itemWords('features').done).not.toBe(itemWords('embed').done)
})

test('a kind is unknown while nobody who knows it can be asked, and comes from the result’s root at last', async () => {
  const view = {
    job: 'j',
    owner: 'own',
    leader: 'lead',
    outcome: { phase: 'final', result: 'r' },
  } as unknown as JobView
  const root = { columns: [{ name: 'a', kind: 'number' as const }], key: 'row' as const, rows: 0, errors: 0 }
  let reachable = false
  const asked: string[] = []
  const kinds = createJobKinds({
    book: {
      get: () => undefined,
      readSpec: async (_: string, from: string) => {
        asked.push(from)
        throw new Error('away')
      },
    } as never,
    exchange: {
      local: async () => undefined,
      get: async () => {
        if (!reachable) throw new Error('away')
        return encodeRowsRoot({ workload: 'score', ...root, numericClasses: [], parts: [] })
      },
    },
    changed: () => {},
  })
  await kinds.learn([view])
  expect([kinds.of('j'), asked]).toEqual([undefined, ['own', 'lead']])
  reachable = true
  kinds.forget('j')
  await kinds.learn([view])
  expect(kinds.of('j')).toBe('score')
  // A root of before kinds were written down names its form, and not of which workload it is.
  expect(resultKind(encodeRowsRoot({ ...root, numericClasses: [], parts: [] }))).toEqual({ form: 'rows' })
})
