/** Turns the core's view of a job into what people watch: names, devices, rates over the last seconds, an ETA. */
import type { JobId, PeerKey } from '../base/ids.ts'
import { shortPeer } from '../base/ids.ts'
import type { JobView } from '../jobs/core/types.ts'
import type { PeerRecord, PeerStatus } from '../mesh/types.ts'
import type { JobSummary } from './control.ts'

/** Long enough to be steady over shards of a second, short enough to show a peer that died. */
const windowMs = 5000

export interface Progress {
  /** All but what this peer keeps of it, and what a training's rounds come to. */
  summary(view: JobView, workload: string): Omit<JobSummary, 'keptBytes' | 'copies' | 'objective'>
  forget(job: JobId): void
}

export interface ProgressDeps {
  self: PeerKey
  status: () => PeerStatus
  peers: () => PeerRecord[]
  nowMs: () => number
}

export function createProgress(deps: ProgressDeps): Progress {
  const marks = new Map<JobId, { startedMs: number; endedMs?: number; samples: { atMs: number; items: number }[] }>()
  /** Peers that left are still named in the shares. */
  const known = new Map<PeerKey, PeerStatus>()

  function statusOf(peer: PeerKey): PeerStatus | undefined {
    if (peer === deps.self) return deps.status()
    const record = deps.peers().find(one => one.peer === peer)
    if (record) known.set(peer, record.status)
    return known.get(peer)
  }

  function measure(view: JobView): { elapsedMs: number; itemsPerSecond: number } {
    const nowMs = deps.nowMs()
    // A job in rounds has every item once a round.
    const items = view.round * view.itemsTotal + view.itemsDone
    let mark = marks.get(view.job)
    if (!mark) {
      mark = { startedMs: nowMs - view.sinceMs, samples: [{ atMs: nowMs, items }] }
      marks.set(view.job, mark)
    }
    const { samples } = mark
    if (items !== samples.at(-1)?.items) samples.push({ atMs: nowMs, items })
    while (samples.length > 2 && nowMs - samples[1].atMs > windowMs) samples.shift()
    if (view.outcome) mark.endedMs ??= nowMs
    const elapsedMs = (mark.endedMs ?? nowMs) - mark.startedMs
    if (view.outcome) return { elapsedMs, itemsPerSecond: elapsedMs > 0 ? (items / elapsedMs) * 1000 : 0 }
    const spanMs = nowMs - samples[0].atMs
    return { elapsedMs, itemsPerSecond: spanMs > 0 ? ((items - samples[0].items) / spanMs) * 1000 : 0 }
  }

  return {
    summary(view, workload) {
      const { elapsedMs, itemsPerSecond } = measure(view)
      const left = view.itemsTotal - view.itemsDone
      const name = (peer: PeerKey) => statusOf(peer)?.name ?? shortPeer(peer)
      return {
        job: view.job,
        workload,
        owner: view.owner,
        ownerName: name(view.owner),
        phase: view.phase,
        leader: view.leader,
        leaderName: view.leader && name(view.leader),
        itemsDone: view.itemsDone,
        itemsTotal: view.itemsTotal,
        complete: view.complete,
        errors: view.errors,
        shardsDone: view.shardsDone,
        shardsTotal: view.shardsTotal,
        itemsPerSecond,
        etaMs: view.complete && itemsPerSecond > 0 && !view.outcome ? (left / itemsPerSecond) * 1000 : undefined,
        elapsedMs,
        round: view.round,
        shares: view.shares.map(share => ({
          peer: share.peer,
          name: name(share.peer),
          device: statusOf(share.peer)?.device ?? 'unknown',
          backend: statusOf(share.peer)?.backend ?? 'unknown',
          itemsDone: share.itemsDone,
          leased: share.leased,
          itemsPerSecond: share.itemsPerSecond,
        })),
        outcome: view.outcome,
      }
    },
    forget(job) {
      marks.delete(job)
    },
  }
}
