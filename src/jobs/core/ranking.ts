/**
 * Who should lead a job: rendezvous hashing (Thaler and Ravishankar, 1998). Every peer ranks the live peers of its own
 * view; views that agree on who lives agree on the order, and a peer that comes or goes moves no other.
 */
import type { JobId, PeerKey } from '../../base/ids.ts'
import { hash32 } from '../../base/prng.ts'
import type { PeerFacts } from './state.ts'

/**
 * Candidates, best first: peers that compute (slots > 0) before those that do not, and an owner that does not
 * compute last of all, for it often leaves first.
 */
export function rankPeers(job: JobId, peers: ReadonlyMap<PeerKey, PeerFacts>, owner?: PeerKey): PeerKey[] {
  const scored = [...peers].map(([peer, facts]) => ({
    peer,
    group: facts.slots > 0 ? 0 : peer === owner ? 2 : 1,
    score: hash32(`${job}/${peer}`),
  }))
  scored.sort((a, b) => a.group - b.group || b.score - a.score || (a.peer < b.peer ? -1 : 1))
  return scored.map(one => one.peer)
}
