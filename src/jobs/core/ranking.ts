/**
 * Who should lead a job: rendezvous hashing (Thaler and Ravishankar, 1998). Every peer ranks the live peers of its own
 * view; views that agree on who lives agree on the order, and a peer that comes or goes moves no other.
 */
import type { JobId, PeerKey } from '../../base/ids.ts'
import { hash32 } from '../../base/prng.ts'
import type { PeerFacts } from './state.ts'

/** Peers that compute (slots > 0) before those that do not, and an owner that does not compute last of all, for it often leaves first. */
const groupOf = (peer: PeerKey, facts: PeerFacts, owner?: PeerKey) => (facts.slots > 0 ? 0 : peer === owner ? 2 : 1)
const scoreOf = (job: JobId, peer: PeerKey) => hash32(`${job}/${peer}`)

interface Ranked {
  peer: PeerKey
  group: number
  score: number
}

const order = (a: Ranked, b: Ranked) => a.group - b.group || b.score - a.score || (a.peer < b.peer ? -1 : 1)

/** Candidates, best first. */
export function rankPeers(job: JobId, peers: ReadonlyMap<PeerKey, PeerFacts>, owner?: PeerKey): PeerKey[] {
  const ranked = [...peers].map(([peer, facts]) => ({
    peer,
    group: groupOf(peer, facts, owner),
    score: scoreOf(job, peer),
  }))
  return ranked.sort(order).map(one => one.peer)
}

/** Whether `self` would be among the first `count` of `rankPeers` without `except`; stops looking once it is not. */
export function isAmongFirst(
  job: JobId,
  self: PeerKey,
  peers: ReadonlyMap<PeerKey, PeerFacts>,
  count: number,
  except: PeerKey,
  owner?: PeerKey,
): boolean {
  const facts = peers.get(self)
  if (!facts) return false
  const me = { peer: self, group: groupOf(self, facts, owner), score: scoreOf(job, self) }
  let better = 0
  for (const [peer, other] of peers) {
    if (peer === self || peer === except) continue
    const ranked = { peer, group: groupOf(peer, other, owner), score: scoreOf(job, peer) }
    if (order(ranked, me) < 0 && ++better >= count) return false
  }
  return true
}
