/**
 * Keeps the one account of who breaks the rules, from wherever it is noticed: gossip, requests, frames, job messages; says in
 * one line whom this peer refuses, and for how long.
 */
import { type PeerKey, shortPeer } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import type { Offence } from '../types.ts'
import { type ConductConfig, type ConductState, isRefused, offencesOf, reduceConduct } from './conduct.ts'

export interface Judge {
  /** `peer` did what no honest peer does. */
  offended(peer: PeerKey, offence: Offence): void
  isRefused(peer: PeerKey): boolean
  /** All offences of `peer`, and for how long it is still refused: 0 when it is not. */
  account(peer: PeerKey): { offences: number; refusedMs: number }
}

export interface JudgeDeps {
  self: PeerKey
  /** Monotonic milliseconds. */
  nowMs: () => number
  /** For people; undefined of one that never said. */
  nameOf: (peer: PeerKey) => string | undefined
  /** It says that it runs another release, or has not said which. */
  otherRelease: (peer: PeerKey) => boolean
  /** Close its connections, and have none with it until then. */
  refuse: (peer: PeerKey, untilMs: number) => void
  warn: (message: string) => void
  /** How long the first refusal lasts; default: that of `conductConfig`. */
  refuseMs?: number
}

/** What a peer runs with. */
export const conductConfig: ConductConfig = {
  scoreMax: 100,
  halfLifeMs: 60_000,
  refuseMsMin: 60_000,
  refuseMsMax: 600_000,
  pardonMs: 3_600_000,
  peersMax: limits.peersMax,
}

export function createJudge(deps: JudgeDeps): Judge {
  const config = { ...conductConfig, refuseMsMin: deps.refuseMs ?? conductConfig.refuseMsMin }
  let state: ConductState = new Map()
  return {
    offended(peer, offence) {
      if (peer === deps.self) return
      const event = { nowMs: deps.nowMs(), peer, offence, otherRelease: deps.otherRelease(peer) }
      const { state: next, refusal } = reduceConduct(config, state, event)
      state = next
      if (!refusal) return
      deps.refuse(peer, refusal.untilMs)
      const name = deps.nameOf(peer)
      const who = name === undefined ? shortPeer(peer) : `${name} (${shortPeer(peer)})`
      const counts = Object.entries(state.get(peer)?.counts ?? {}).map(([kind, count]) => `${count} ${kind}`)
      deps.warn(
        `refuses ${who} for ${refusal.forMs / 1000} s: it keeps sending what breaks the rules (${counts.join(', ')}); if it is yours, install the same release there, or ask who else holds the join token`,
      )
    },
    isRefused: peer => isRefused(state, peer, deps.nowMs()),
    account(peer) {
      const refusedMs = Math.max(0, (state.get(peer)?.refusedMs ?? 0) - deps.nowMs())
      return { offences: offencesOf(state, peer), refusedMs }
    },
  }
}
