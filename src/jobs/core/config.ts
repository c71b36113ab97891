/** The knobs' usual values. They suit a LAN, where a message takes milliseconds and a closed connection is seen at once. */
import type { PeerKey } from '../../base/ids.ts'
import type { CoreConfig } from './types.ts'

/** Usual settings for the peer `self`; spread over it to change some. */
export function defaultConfig(self: PeerKey): CoreConfig {
  return {
    self,
    leaseMs: 12_000,
    renewMs: 3_000,
    digestMs: 1_000,
    leaderSilenceMs: 5_000,
    claimStaggerMs: 400,
    inventoryMs: 2_000,
    offerMs: 5_000,
    creditMs: 2_000,
    attemptsMax: 4,
    rememberMs: 24 * 3_600_000,
    retryMs: 250,
    fetchMs: 30_000,
    speculateMs: 1_000,
    ownerGraceMs: 120_000,
    lookaheadShards: 4096,
  }
}

/** The n-th retry's wait (n from 0): doubles from `retryMs`, to 32 times it. */
export function backoffMs(config: CoreConfig, n: number): number {
  return config.retryMs * 2 ** Math.min(n, 5)
}
