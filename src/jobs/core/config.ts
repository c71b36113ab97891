/**
 * The knobs' usual values. They suit a LAN, where a message takes milliseconds and a closed connection is seen at once.
 *
 * How long orphaned work waits until it is leased again, at worst, while some peer has a free lane (d: a message's way):
 *
 * | what is lost | noticed by | then | worst |
 * |---|---|---|---|
 * | an assignee | closed connection | leased in the same step | d |
 * | the leader | closed connection | the first candidate claims in the same step, gathers inventories | inventoryMs + d |
 * | an assignee hangs | membership, in 2 s | leased in the same step | 2 s + d |
 * | the leader hangs | membership, in 2 s | as above | 2 s + inventoryMs + d |
 * | an assignee, unnoticed by membership | its lease expires | leased at the next tick | leaseMs + tick + d |
 * | the leader, unnoticed | leaderSilenceMs without a digest | as above | leaderSilenceMs + inventoryMs + tick + d |
 *
 * Each candidate that is lost with the leader adds claimStaggerMs. Gathering ends as soon as every live peer has answered,
 * which is usually after one round trip. So: within 1 s of a closed connection and within 3 s of a hang, for d up to 100 ms.
 * Where leaders last only for moments, each doubles the silence that the next one is given, and one that is called lost gets a
 * quarter of it (succession.ts). In a mesh of more than `renewalsPerSecondMax * renewMs` peers leases are longer, and membership alone keeps the 3 s.
 */
import type { PeerKey } from '../../base/ids.ts'
import type { CoreConfig } from './types.ts'

/** Usual settings for the peer `self`; spread over it to change some. */
export function defaultConfig(self: PeerKey): CoreConfig {
  return {
    self,
    leaseMs: 2_800,
    renewMs: 800,
    renewalsPerSecondMax: 250,
    ackMs: 12_000,
    digestMs: 500,
    leaderSilenceMs: 2_250,
    claimStaggerMs: 250,
    candidatesMax: 3,
    inventoryMs: 600,
    offerMs: 5_000,
    creditMs: 2_000,
    aheadPerSlot: 3,
    aheadMs: 10,
    attemptsMax: 4,
    rememberMs: 24 * 3_600_000,
    retryMs: 250,
    fetchMs: 30_000,
    speculateMs: 1_000,
    ownerGraceMs: 120_000,
    passingGraceMs: 10_000,
    endsMs: 8_000,
    lookaheadShards: 4096,
  }
}

/** The n-th retry's wait (n from 0): doubles from `retryMs`, to 32 times it. */
export function backoffMs(config: CoreConfig, n: number): number {
  return config.retryMs * 2 ** Math.min(n, 5)
}

/** The lease term where `peers` may hold leases: longer in a crowd, so that renewals stay within what a leader can hear. */
export function leaseTermMs(config: CoreConfig, peers: number): number {
  const renewMs = Math.max(config.renewMs, (peers / config.renewalsPerSecondMax) * 1000)
  return (config.leaseMs * renewMs) / config.renewMs
}
