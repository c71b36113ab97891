/**
 * Who breaks the rules, and what follows, as a pure function: every offence adds to its peer's score, which halves with each
 * minute; beyond the limit the peer is refused for a while, each time for longer. No clock here: time comes with each event.
 *
 * Invariant: what an honest peer may cause weighs nothing. A lost connection, a request that is given up or comes twice, an
 * unknown protocol, an old message that took a detour, a neighbour called lost that others still hear: none is an offence.
 * Of another release even a message in an unknown form is forgiven, unless they come in floods.
 */
import type { PeerKey } from '../../base/ids.ts'
import type { Offence } from '../types.ts'

export interface ConductConfig {
  /** A score above this is not that of a mishap. */
  scoreMax: number
  /** In this time a score halves. */
  halfLifeMs: number
  /** The first refusal; each further one lasts twice as long, up to `refuseMsMax`. */
  refuseMsMin: number
  refuseMsMax: number
  /** After so long without an offence the refusals are forgotten. */
  pardonMs: number
  /** Peers whose conduct is kept in mind; beyond, the mildest is forgotten. */
  peersMax: number
}

/** What is known of one peer's conduct. */
export interface Conduct {
  score: number
  /** When the score was that. */
  scoredMs: number
  counts: Readonly<Partial<Record<Offence, number>>>
  refusals: number
  /** It is refused until then; in the past, or 0, when it is not. */
  refusedMs: number
}

export type ConductState = ReadonlyMap<PeerKey, Conduct>

export interface ConductEvent {
  nowMs: number
  peer: PeerKey
  offence: Offence
  /** It says that it runs another release than this peer, and may mean well by what this one does not understand. */
  otherRelease: boolean
}

/** To be refused until `untilMs`, and its connections closed. */
export interface Refusal {
  peer: PeerKey
  forMs: number
  untilMs: number
}

/**
 * Penalty points; 100 lead to a refusal. Five frames that no release writes exceed what a bug explains. A malformed message may
 * come from a rare bug or be part of a flood. An old message may come from a peer that passed it on in good faith.
 */
const weights: Record<Offence, number> = {
  malformed: 5,
  oversized: 20,
  'bad-frame': 20,
  forged: 10,
  replayed: 2,
  contradictory: 10,
  damaged: 5,
}
/** Eleven in a second for minutes before it is too much. */
const malformedOfOther = 0.1

const clean: Conduct = { score: 0, scoredMs: 0, counts: {}, refusals: 0, refusedMs: 0 }

/** One offence; the state that was passed stays as it is. */
export function reduceConduct(
  config: ConductConfig,
  state: ConductState,
  event: ConductEvent,
): { state: ConductState; refusal?: Refusal } {
  const { peer, offence, nowMs } = event
  const known = state.get(peer) ?? clean
  const counts = { ...known.counts, [offence]: (known.counts[offence] ?? 0) + 1 }
  const next = new Map(state)
  if (!state.has(peer) && state.size >= config.peersMax) forgetMildest(config, next, nowMs)
  // It was told to go, and what it had sent before still comes in.
  if (nowMs < known.refusedMs) return { state: next.set(peer, { ...known, counts }) }
  const weight = offence === 'malformed' && event.otherRelease ? malformedOfOther : weights[offence]
  const score = scoreAt(config, known, nowMs) + weight
  const refusals = nowMs - known.scoredMs >= config.pardonMs ? 0 : known.refusals
  if (score <= config.scoreMax) {
    return { state: next.set(peer, { ...known, score, scoredMs: nowMs, counts, refusals }) }
  }
  const forMs = Math.min(config.refuseMsMax, config.refuseMsMin * 2 ** Math.min(refusals, 20))
  const untilMs = nowMs + forMs
  next.set(peer, { score: 0, scoredMs: untilMs, counts, refusals: refusals + 1, refusedMs: untilMs })
  return { state: next, refusal: { peer, forMs, untilMs } }
}

/** Whether `peer` is refused at `nowMs`. */
export function isRefused(state: ConductState, peer: PeerKey, nowMs: number): boolean {
  return nowMs < (state.get(peer)?.refusedMs ?? 0)
}

/** All offences of one peer so far. */
export function offencesOf(state: ConductState, peer: PeerKey): number {
  return Object.values(state.get(peer)?.counts ?? {}).reduce((sum, count) => sum + count, 0)
}

function scoreAt({ halfLifeMs }: ConductConfig, { score, scoredMs }: Conduct, nowMs: number): number {
  return score * 2 ** (-Math.max(0, nowMs - scoredMs) / halfLifeMs)
}

function forgetMildest(config: ConductConfig, state: Map<PeerKey, Conduct>, nowMs: number): void {
  let mildest: { peer: PeerKey; weight: number } | undefined
  for (const [peer, conduct] of state) {
    const weight = nowMs < conduct.refusedMs ? Number.POSITIVE_INFINITY : scoreAt(config, conduct, nowMs)
    if (!mildest || weight < mildest.weight) mildest = { peer, weight }
  }
  if (mildest) state.delete(mildest.peer)
}
