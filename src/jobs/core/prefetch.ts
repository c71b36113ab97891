/**
 * Spec, manifests and a round's parameters where they may be needed: at the first candidates to succeed the leader, before it is gone.
 *
 * Which failures lose a job, then: the owner before all inputs were read (nobody else has them; the job fails after
 * `ownerGraceMs` with a line that says so); or, for good and with their disks, the owner, the leader, the first
 * `candidatesMax` candidates and every assignee, within the moments in which others could have read spec and manifests
 * from them. Peers that come back with their disks bring the job back. Input blocks are the data plane's to copy.
 */
import { wantManifests, wantParams, wantSpec } from './fetches.ts'
import { isAmongFirst } from './ranking.ts'
import type { Job, Turn } from './state.ts'

/** Fetches what is missing if this peer is soon to lead; asks again after failures, when called again. */
export function prefetch(turn: Turn, job: Job): void {
  if (job.ballot.counter === 0 || job.leader) return
  if (job.specKnown && job.paramsHere && job.known.count >= job.target.count) return
  const { self, candidatesMax } = turn.config
  if (!isAmongFirst(job.id, self, turn.state.peers, candidatesMax, job.ballot.peer, job.owner)) return
  wantSpec(turn, job)
  wantManifests(turn, job)
  wantParams(turn, job)
}
