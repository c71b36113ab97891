/**
 * Computes the shards that this peer holds leases of: fetches their blocks ahead of the lanes, runs them,
 * keeps the results. Order: as granted. As many shards' blocks are in memory at once as the protocol core begins ahead.
 */
import { PeerError } from '../../base/errors.ts'
import { type BlockId, blockId, type JobId, type PeerKey } from '../../base/ids.ts'
import type { RoundHead, ShardResult } from '../../jobs/core/types.ts'
import { sealResult } from '../../jobs/wire/sealed-result.ts'
import type { JobFile } from '../../jobs/workloads/workload.ts'
import { workloads } from '../../jobs/workloads/workloads.ts'
import type { BlockExchange } from '../blocks/block-exchange.ts'
import type { BlockHolds } from '../blocks/block-holds.ts'
import type { LanePool } from '../lanes/pool.ts'
import type { OpenJob } from '../lanes/types.ts'
import type { JobBook, JobRecord } from './job-book.ts'
import { createThroughput } from './throughput.ts'

export interface ExecutorDeps {
  book: JobBook
  exchange: BlockExchange
  pool: LanePool
  holds: BlockHolds
  ran: (job: JobId, ran: { result: ShardResult; items: number; elapsedMs: number; round?: RoundHead }) => void
  failed: (job: JobId, shard: number, error: PeerError, round?: RoundHead) => void
  /** Who may hold a job's blocks, the best first. */
  holders: (job: JobId) => PeerKey[]
  /** Runs what needs room on the disk, again once there is some. */
  patiently: <T>(work: () => Promise<T>) => Promise<T>
  /** Items a second that these lanes did in an earlier run, or 0. */
  knownRate: number
}

export interface Executor {
  run(job: JobId, shard: number, round?: RoundHead): void
  abandon(job: JobId, shard: number): void
  /** The job is over: nothing of it runs any more. */
  end(job: JobId): void
  /** Items a second over the last shards, all lanes together; before the first what was known, or 0. */
  itemsPerSecond(): number
}

interface Pending {
  job: JobId
  shard: number
  round?: RoundHead
  aborted: boolean
}

const aheadPerLaneMax = 64

/** What a lane is given. */
const lane = (files: readonly JobFile[]) => files.filter(file => !file.atEnd)

export function createExecutor(deps: ExecutorDeps): Executor {
  const waiting: Pending[] = []
  const running = new Set<Pending>()
  /** A job's models, read once and shared by the lanes. */
  const opened = new Map<JobId, Promise<OpenJob>>()
  const throughput = createThroughput(deps.knownRate)

  /** The protocol core says how much is begun ahead; this bounds what it may get wrong. */
  const aheadMax = () => aheadPerLaneMax * Math.max(1, deps.pool.lanes().length)

  async function open(job: JobId, record: JobRecord): Promise<OpenJob> {
    const workload = await workloads(record.spec.workload)
    const files = await Promise.all(
      lane(workload.files(record.spec.body)).map(async file => {
        // Shared memory: every thread sees the same bytes without a copy.
        const bytes = new Uint8Array(new SharedArrayBuffer(file.bytes))
        let at = 0
        for (const id of file.blocks) {
          const block = await fetchFor(job, id, deps.holders(job))
          if (at + block.byteLength > bytes.byteLength) throw misfit(file.name)
          bytes.set(block, at)
          at += block.byteLength
        }
        if (at !== bytes.byteLength) throw misfit(file.name)
        return { name: file.name, bytes }
      }),
    )
    return { workload: record.spec.workload, body: record.spec.body, files }
  }

  function openOnce(job: JobId, record: JobRecord): Promise<OpenJob> {
    let opening = opened.get(job)
    if (!opening) {
      opening = open(job, record)
      opened.set(job, opening)
      opening.catch(() => opened.delete(job)) // the next shard tries again
    }
    return opening
  }

  async function fetchFor(job: JobId, id: BlockId, holders: PeerKey[]): Promise<Uint8Array> {
    // Others have it too: it may make room for something else once it was read.
    await deps.holds.use(job, id)
    return deps.patiently(() => deps.exchange.get(id, holders))
  }

  async function compute(pending: Pending): Promise<void> {
    const record = deps.book.get(pending.job)
    const entry = record?.shards[pending.shard]
    if (!record || !entry) {
      throw new PeerError({
        code: 'SHARD_UNKNOWN',
        kind: 'protocol',
        message: 'no manifest lists this shard',
        retry: 'later',
      })
    }
    const holders = deps.holders(pending.job)
    const { round } = pending
    const fetchBlocks = () => Promise.all(entry.blocks.map(id => fetchFor(pending.job, id, holders)))
    // Of a job in rounds a shard comes back: what a lane keeps of it needs not be read again.
    const key = entry.blocks.length === 1 ? entry.blocks[0] : blockId(Buffer.from(entry.blocks.join()))
    const kept = deps.pool.keeps(pending.job, key)
    const [job, params, blocks] = await Promise.all([
      openOnce(pending.job, record),
      round?.params === undefined ? undefined : deps.exchange.get(round.params, holders),
      kept ? fetchBlocks : fetchBlocks(),
    ])
    if (pending.aborted) return
    const output = await deps.pool.run(pending.job, () => job, { blocks, key }, round && { round: round.round, params })
    if (pending.aborted) return
    const sealed = sealResult({ blocks: entry.blocks, params: round?.params }, output.bytes)
    const block = await deps.patiently(() => deps.holds.storeFor(pending.job).put(sealed))
    if (pending.aborted) return
    throughput.done(output.items)
    const { items, errors, elapsedMs } = output
    deps.ran(pending.job, { result: { shard: pending.shard, block, errors }, items, elapsedMs, round })
  }

  /** What was given up may still wait for a block of a peer that is gone: it keeps nobody else from computing. */
  const busy = () => [...running].filter(one => !one.aborted).length

  function pump(): void {
    while (busy() < aheadMax()) {
      const pending = waiting.shift()
      if (!pending) return
      running.add(pending)
      compute(pending)
        .catch((thrown: unknown) => {
          const error = PeerError.from(thrown, { code: 'SHARD_FAILED', kind: 'resource' })
          if (!pending.aborted) deps.failed(pending.job, pending.shard, error, pending.round)
        })
        .finally(() => {
          running.delete(pending)
          pump()
        })
    }
  }

  function drop(matches: (pending: Pending) => boolean): void {
    for (let i = waiting.length - 1; i >= 0; i--) if (matches(waiting[i])) waiting.splice(i, 1)
    for (const pending of running) if (matches(pending)) pending.aborted = true
    pump()
  }

  return {
    run(job, shard, round) {
      const same = (one: Pending) => one.job === job && one.shard === shard && !one.aborted
      const inRound = (one: Pending) => one.round?.round === round?.round && one.round?.params === round?.params
      if ([...waiting, ...running].some(one => same(one) && inRound(one))) return
      // A new leader may have gone back to another round, whose result is the one that is wanted now.
      drop(same)
      if (running.size === 0) throughput.begin()
      waiting.push({ job, shard, round, aborted: false })
      pump()
    },
    abandon: (job, shard) => drop(one => one.job === job && one.shard === shard),
    end(job) {
      drop(one => one.job === job)
      opened.delete(job)
      deps.pool.close(job)
    },
    itemsPerSecond: throughput.itemsPerSecond,
  }
}

function misfit(name: string): PeerError {
  return new PeerError({
    code: 'FILE_INVALID',
    kind: 'integrity',
    message: `the blocks of ${name} are not as long as stated`,
  })
}
