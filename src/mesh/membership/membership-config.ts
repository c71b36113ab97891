/** The knobs of membership as peers run with them. What each means and costs is said where it is declared. */
import type { PeerKey } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import type { MembershipConfig } from './membership-state.ts'

/** Milliseconds between two ticks of the membership. */
export const tickMs = 250
const degreeMaxDefault = 12

/** What a peer runs with; `degreeMax` is its user's choice. */
export function membershipConfig(self: PeerKey, degreeMax = degreeMaxDefault): MembershipConfig {
  return {
    self,
    tickMs,
    silentMs: 2_000,
    pingMs: 500,
    hangUpMs: 15_000,
    helloMs: 1_000,
    farBeats: 4,
    rumourMs: 500,
    redialMinMs: 500,
    redialMaxMs: 30_000,
    staggerMs: 1_000,
    strangerMs: 5_000,
    forgetMs: 600_000,
    forgetLeftMs: 60_000,
    degreeMax,
    idleMs: 10_000,
    probesMax: 4,
    seekMs: 1_000,
    seekingMax: 3,
    peersMax: limits.peersMax,
  }
}
