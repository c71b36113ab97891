/**
 * Watches one job from every peer at once, and says when the work that a fault orphaned was leased again: the victim's
 * leases are given to others in the view of whoever leads, and where the leader was lost another one grants.
 */
import type { JobSummary } from '../../../src/peer/control.ts'
import type { ChaosPeer, ChaosPeers } from './peers.ts'

export interface JobWatch {
  /** The newest that `peer` said of the job. */
  seen(peer: ChaosPeer): JobSummary | undefined
  /** Resolves once `holds` for some peer's view, the peer's own first; undefined after `timeoutMs`. */
  until(holds: (job: JobSummary, peer: ChaosPeer) => boolean, timeoutMs: number): Promise<JobSummary | undefined>
  /** From now on: milliseconds until the work of `victims` is leased again, if that happens. */
  releasedMs(victims: ChaosPeer[], leader: string): { value?: number }
  stop(): void
}

const quickMs = 30

export function watchJob(peers: ChaosPeers, job: string): JobWatch {
  const newest = new Map<number, JobSummary>()
  const listeners = new Set<(job: JobSummary, peer: ChaosPeer) => void>()
  let stopped = false

  /** A peer that hangs answers nothing; the others' views go on. */
  async function follow(index: number): Promise<void> {
    while (!stopped) {
      const peer = peers.all[index]
      if (peer.alive) {
        const summary = await peer.client.job(job).catch(() => undefined)
        if (summary && !stopped) {
          newest.set(index, summary)
          for (const listener of [...listeners]) listener(summary, peer)
        }
      }
      await new Promise(resolve => setTimeout(resolve, quickMs))
    }
  }
  for (const { index } of peers.all) void follow(index)

  return {
    seen: peer => newest.get(peer.index),
    until(holds, timeoutMs) {
      return new Promise(resolve => {
        const done = (summary?: JobSummary) => {
          clearTimeout(timer)
          listeners.delete(listener)
          resolve(summary)
        }
        const listener = (summary: JobSummary, peer: ChaosPeer) => {
          if (holds(summary, peer)) done(summary)
        }
        const timer = setTimeout(done, timeoutMs)
        listeners.add(listener)
      })
    },
    releasedMs(victims, leader) {
      const startMs = performance.now()
      const found: { value?: number } = {}
      const keys = new Set(victims.map(victim => victim.key))
      const leaderLost = keys.has(leader)
      const listener = (summary: JobSummary, peer: ChaosPeer) => {
        // Only who leads knows its leases at once.
        if (summary.leader !== peer.key || (leaderLost && peer.key === leader)) return
        const leased = (wanted: boolean) =>
          summary.shares.reduce((sum, share) => sum + (keys.has(share.peer) === wanted ? share.leased : 0), 0)
        if (leased(true) > 0 || leased(false) === 0) return
        found.value = performance.now() - startMs
        listeners.delete(listener)
      }
      listeners.add(listener)
      return found
    },
    stop() {
      stopped = true
    },
  }
}
