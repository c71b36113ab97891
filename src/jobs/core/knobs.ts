/** Every time and bound by which the protocol can be tuned; usual values, and the worst cases they give, are in config.ts. */
import type { PeerKey } from '../../base/ids.ts'

/** Every knob, with its trade-off. */
export interface CoreConfig {
  self: PeerKey
  /** A grant not renewed for this long goes to another. Longer survives longer stalls, shorter recovers sooner. */
  leaseMs: number
  /** An assignee renews this often. Three renewals fit into a lease, so that two may be lost. */
  renewMs: number
  /** Leases and renewals are stretched where there are so many peers that a leader would hear more than this. */
  renewalsPerSecondMax: number
  /** A result that was delivered and not acknowledged in this time is sent again. Longer than a slow link needs. */
  ackMs: number
  /** A digest goes out this often while a job runs; a leader silent for `leaderSilenceMs` is suspected. */
  digestMs: number
  leaderSilenceMs: number
  /** The r-th ranked candidate waits r times this long before it claims, so that claims rarely collide. */
  claimStaggerMs: number
  /** So many candidates fetch spec and manifests ahead, to be able to lead when everyone who reads them is gone. */
  candidatesMax: number
  /** A new leader waits this long for inventories before it leases what nobody mentioned. */
  inventoryMs: number
  /** An owner waits this long for an answer to its offer before it asks the next candidate. */
  offerMs: number
  /** A leader keeps about this much work queued at each assignee: enough to hide a round trip. */
  creditMs: number
  /** Shards handed to the driver for each of its slots: one computes, the others' inputs arrive. The rest waits in the core, where priorities still apply. */
  aheadPerSlot: number
  /** Where that is less work than this, as many as make it up: shards of microseconds do not wait for one another's way to the lane and back. */
  aheadMs: number
  /** A shard that failed on this many attempts fails its job; attempts for which something could not be fetched do not count. */
  attemptsMax: number
  /** Ended jobs are remembered this long, so that a peer back from absence learns of the end. */
  rememberMs: number
  /** First wait before a refused offer, a failed fetch or a failed send is tried again; doubles up to 32 times this. */
  retryMs: number
  /** A fetch that has not answered in this time is asked for again. Longer than any honest fetch. */
  fetchMs: number
  /** A lease must be this old before an idle peer gets a second one on the same shard. */
  speculateMs: number
  /** A job whose owner is gone before all inputs were read, or whose manifests or inputs nobody has, fails after this time. */
  ownerGraceMs: number
  /** The same where its owner came for one command alone: gone once, it does not come back. */
  passingGraceMs: number
  /** Jobs that are over are compared with a peer in turn this often, besides with everyone who is met. */
  endsMs: number
  /** No shard further than this beyond the merge is leased, or in proportion more for more than 512 lanes: bounds the results that wait to be merged. */
  lookaheadShards: number
}
