/**
 * The leader's merging, one chain a job: result blocks in shard order into the workload's merger, in
 * bounded memory. A merge belongs to one round under one ballot; another one begins again from the first shard.
 */
import { assert, PeerError } from '../../base/errors.ts'
import type { BlockId, JobId, PeerKey } from '../../base/ids.ts'
import type { Ballot, RoundHead, ShardResult } from '../../jobs/core/types.ts'
import { openResult } from '../../jobs/wire/sealed-result.ts'
import type { JobFile, Merger, MergeSink, NextRound, Round } from '../../jobs/workloads/workload.ts'
import { workloads } from '../../jobs/workloads/workloads.ts'
import type { BlockExchange } from '../blocks/block-exchange.ts'
import { patient } from '../blocks/patient.ts'
import type { JobBook } from './job-book.ts'

export interface MergeDeps {
  book: JobBook
  exchange: BlockExchange
  /** Who has the job's files, and notes that one of their blocks is of use here. */
  holders: (job: JobId) => PeerKey[]
  use: (job: JobId, block: BlockId) => Promise<void>
  /** Where the merged result of a job goes. */
  sink: (job: JobId) => MergeSink
  /** Runs what needs room on the disk, again once there is some. */
  patiently: <T>(work: () => Promise<T>) => Promise<T>
  merged: (job: JobId, ballot: Ballot, result: BlockId) => void
  /** The round is merged, and the next one's parameters are this block. */
  roundMerged: (job: JobId, ballot: Ballot, round: RoundHead | undefined, params: BlockId) => void
  failed: (job: JobId, ballot: Ballot, reason: string) => void
  /** The block is nowhere, or `wrong` for this shard: it must be computed again, and comes once more. */
  lost: (job: JobId, shard: number, round?: RoundHead, wrong?: true) => void
}

export interface MergeRunner {
  shard(job: JobId, ballot: Ballot, result: ShardResult, holders: PeerKey[], round?: RoundHead): void
  /** All `shards` were handed over; finishes once all are merged, and not before one that was lost came again. */
  end(job: JobId, ballot: Ballot, shards: number, round?: RoundHead): void
  drop(job: JobId): void
}

interface Merge {
  ballot: Ballot
  round?: RoundHead
  merger: Promise<Merger<string | NextRound>>
  chain: Promise<void>
  /** The shard that must come next; others wait in `early`, which the core keeps short. */
  next: number
  early: Map<number, { result: ShardResult; holders: PeerKey[] }>
  dropped: boolean
}

export function createMergeRunner(deps: MergeDeps): MergeRunner {
  const merges = new Map<JobId, Merge>()

  /** Where the round's parameters are: here, for this peer leads in it. */
  async function read(round: RoundHead): Promise<Round> {
    const params = round.params === undefined ? undefined : await deps.exchange.get(round.params, [])
    return { round: round.round, params }
  }

  async function readJobFile(job: JobId, files: readonly JobFile[], name: string): Promise<Uint8Array> {
    const file = files.find(one => one.name === name)
    assert(file, `the job has a file ${name}`)
    const bytes = new Uint8Array(file.bytes)
    let at = 0
    for (const id of file.blocks) {
      await deps.use(job, id)
      const block = await deps.patiently(() => patient(deps.exchange).get(id, deps.holders(job)))
      if (at + block.byteLength > bytes.byteLength) break
      bytes.set(block, at)
      at += block.byteLength
    }
    if (at === bytes.byteLength) return bytes
    throw new PeerError({
      code: 'JOB_SPEC_INVALID',
      kind: 'protocol',
      message: `the file ${name} is not as long as the job says`,
    })
  }

  function current(job: JobId, ballot: Ballot, round: RoundHead | undefined): Merge {
    const known = merges.get(job)
    const sameBallot = known?.ballot.counter === ballot.counter && known.ballot.peer === ballot.peer
    if (known && sameBallot && known.round?.round === round?.round && known.round?.params === round?.params)
      return known
    if (known) known.dropped = true
    const merger = (async () => {
      const record = deps.book.get(job)
      if (!record) throw new PeerError({ code: 'JOB_UNKNOWN', kind: 'protocol', message: 'the job is unknown here' })
      const { workload: kind, body } = record.spec
      const workload = await workloads(kind)
      const file = (name: string) => readJobFile(job, workload.files(body), name)
      return workload.merger(body, deps.sink(job), round && (await read(round)), file)
    })()
    merger.catch(() => {}) // the first shard reports it
    const fresh: Merge = { ballot, round, merger, chain: Promise.resolve(), next: 0, early: new Map(), dropped: false }
    merges.set(job, fresh)
    return fresh
  }

  async function addReady(job: JobId, merge: Merge): Promise<void> {
    for (;;) {
      const ready = merge.early.get(merge.next)
      if (!ready || merge.dropped) return
      merge.early.delete(merge.next)
      let block: Uint8Array
      try {
        block = await deps.patiently(() => deps.exchange.get(ready.result.block, ready.holders))
      } catch {
        if (!merge.dropped) deps.lost(job, merge.next, merge.round)
        return
      }
      const blocks = deps.book.get(job)?.shards[merge.next]?.blocks ?? []
      const result = openResult({ blocks, params: merge.round?.params }, block)
      if (!result) {
        if (!merge.dropped) deps.lost(job, merge.next, merge.round, true)
        return
      }
      await (await merge.merger).add(result)
      merge.next++
    }
  }

  function enqueue(job: JobId, merge: Merge, step: () => Promise<void>): void {
    merge.chain = merge.chain.then(step).catch((thrown: unknown) => {
      if (merge.dropped) return
      merge.dropped = true
      deps.failed(job, merge.ballot, thrown instanceof Error ? thrown.message : String(thrown))
    })
  }

  return {
    shard(job, ballot, result, holders, round) {
      const merge = current(job, ballot, round)
      merge.early.set(result.shard, { result, holders })
      enqueue(job, merge, () => addReady(job, merge))
    },
    end(job, ballot, shards, round) {
      const merge = current(job, ballot, round)
      enqueue(job, merge, async () => {
        // A shard was lost meanwhile: the core asks for the end again once it has it.
        if (merge.dropped || merge.next < shards) return
        const end = await (await merge.merger).end()
        if (merge.dropped) return
        if (typeof end === 'string') deps.merged(job, ballot, end)
        else deps.roundMerged(job, ballot, round, end.params)
      })
    },
    drop(job) {
      const merge = merges.get(job)
      if (merge) merge.dropped = true
      merges.delete(job)
    },
  }
}
