/** One membership that a test feeds with events: virtual time, small knobs. */
import { expect } from 'vitest'
import { emptyMembership, reduceMembership } from '../../../src/mesh/membership/membership.ts'
import type {
  MembershipConfig,
  MembershipEffect,
  MembershipEvent,
  MembershipState,
} from '../../../src/mesh/membership/membership-state.ts'
import type { Announcement } from '../../../src/mesh/membership/messages.ts'
import { statusOf } from '../statuses.ts'

const config: MembershipConfig = {
  self: 'm',
  tickMs: 250,
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
  degreeMax: 6,
  idleMs: 10_000,
  probesMax: 2,
  seekMs: 1_000,
  seekingMax: 3,
  peersMax: 8,
}

export function say(seq: number, more: Partial<Announcement> = {}): Announcement {
  const addresses = ['/ip4/10.0.0.1/tcp/1']
  return { boot: 1, seq, everyMs: 1_000, degree: 1, status: statusOf('fig'), addresses, ...more }
}

/** Feeds events to a reducer; `effects` are those of the last one. */
export class Run {
  state: MembershipState = emptyMembership(0)
  now = 0
  readonly config: MembershipConfig
  constructor(more: Partial<MembershipConfig> = {}) {
    this.config = { ...config, ...more }
  }
  at(nowMs: number, event: MembershipEvent extends infer E ? (E extends unknown ? Omit<E, 'nowMs'> : never) : never) {
    this.now = nowMs
    const before = structuredClone(this.state)
    const { state, effects } = reduceMembership(this.config, this.state, { ...event, nowMs })
    // Pure: what was passed is as it was.
    expect(this.state).toEqual(before)
    this.state = state
    return effects
  }
  /** Ticks every 250 ms up to `endMs`; every effect with its time. */
  until(endMs: number): (MembershipEffect & { ms: number })[] {
    const all: (MembershipEffect & { ms: number })[] = []
    for (let ms = this.now + 250; ms <= endMs; ms += 250) {
      all.push(...this.at(ms, { type: 'tick' }).map(effect => ({ ...effect, ms })))
    }
    return all
  }
}

/** A neighbour that said who it is. */
export function neighbour(run: Run, peer: string, nowMs = 0, more: Partial<Announcement> = {}): void {
  run.at(nowMs, { type: 'connected', peer })
  run.at(nowMs, { type: 'announced', peer, announcement: say(1, more), direct: true })
}
