/**
 * The protocol's promises, held against what peers say and do, without looking into their state. A broken promise throws
 * `PromiseBroken`, whose message names it.
 */
import type { BlockId, PeerKey } from '../../src/base/ids.ts'
import type { Ballot, Effect, JobOutcome, JobView } from '../../src/jobs/core/types.ts'

export class PromiseBroken extends Error {
  override readonly name = 'PromiseBroken'
}

function promise(holds: boolean, what: string): void {
  if (!holds) throw new PromiseBroken(what)
}

const lower = (a: Ballot, b: Ballot) => a.counter < b.counter || (a.counter === b.counter && a.peer < b.peer)
const show = (ballot: Ballot) => `(${ballot.counter} ${ballot.peer})`

/** The ballot that an effect acts under, if it is an act of a leader or an assignee. */
function actsUnder(effect: Effect): Ballot | undefined {
  if (effect.type === 'merge-shard' || effect.type === 'merge-end') return effect.ballot
  if (effect.type === 'gossip') return effect.message.outcome ? undefined : effect.message.ballot
  if (effect.type !== 'send') return undefined
  const { message } = effect
  switch (message.type) {
    case 'grant':
    case 'revoke':
    case 'claim':
    case 'inventory':
    case 'renew':
    case 'results':
    case 'results-ack':
      return message.ballot
    case 'offer-reply':
      return message.accepted ? message.ballot : undefined
    default:
      return undefined
  }
}

/** Watches one life of one peer. */
export function watchPeer(peer: PeerKey) {
  let highest: Ballot = { counter: 0, peer: '' }
  let ended: JobOutcome | undefined
  let merging: { ballot: Ballot; next: number; lost: Set<number> } | undefined
  return {
    lost(shard: number): void {
      // Word of an older merge's loss may come late: what this merge has not had yet, it has not lost.
      if (merging && shard < merging.next) merging.lost.add(shard)
    },
    effect(effect: Effect): void {
      const ballot = actsUnder(effect)
      if (ballot) {
        promise(
          !lower(ballot, highest),
          `no act under a superseded ballot: ${peer} ${effect.type} ${show(ballot)} after ${show(highest)}`,
        )
        highest = ballot
      }
      const works =
        effect.type === 'run' || effect.type === 'merge-shard' || effect.type === 'merge-end' || ballot !== undefined
      promise(!(ended && works), `an ended job never runs again: ${peer} ${effect.type} after ${ended?.phase}`)
      if (effect.type === 'ended') ended = effect.outcome
      if (effect.type === 'gossip') {
        const { itemsDone, itemsTotal, shardsDone, shards, phase } = effect.message
        const counts = `${itemsDone} of ${itemsTotal} items, ${shardsDone} of ${shards} shards at ${peer}`
        promise(itemsDone <= itemsTotal && shardsDone <= shards, `none counts twice: ${counts}`)
        promise(phase !== 'merging' || itemsDone === itemsTotal, `none is missing when the merge ends: ${counts}`)
      }
      if (effect.type === 'merge-shard') {
        if (!merging || lower(merging.ballot, effect.ballot))
          merging = { ballot: effect.ballot, next: 0, lost: new Set() }
        const { shard } = effect.result
        if (!merging.lost.delete(shard)) {
          promise(shard === merging.next, `merge-shard comes in shard order: ${peer} got ${shard}, not ${merging.next}`)
          merging.next++
        }
      }
    },
  }
}

export type PeerWatch = ReturnType<typeof watchPeer>

/** A merge was finished from these blocks. */
export function checkMerge(parts: readonly BlockId[], serial: readonly BlockId[]): void {
  promise(
    parts.length === serial.length,
    `every shard is merged exactly once: ${parts.length} parts of ${serial.length}`,
  )
  parts.forEach((part, shard) => {
    promise(part === serial[shard], `the merge equals the serial run at shard ${shard}`)
  })
}

export interface Ending {
  peer: PeerKey
  view: JobView | undefined
}

export interface Expected {
  result: BlockId
  /** How the job may have ended. */
  phases: JobOutcome['phase'][]
  /** Peers that must know the end, whatever happened. */
  mustKnow: PeerKey[]
}

/** After healing: every peer that knows the job knows its one end. */
export function checkEnding(endings: readonly Ending[], expected: Expected): void {
  for (const { peer, view } of endings) {
    if (!view) {
      promise(!expected.mustKnow.includes(peer), `${peer} knows the job`)
      continue
    }
    promise(
      view.outcome !== undefined,
      `after healing every job ends: at ${peer} it is ${view.phase}, ${view.shardsDone} of ${view.shardsTotal} shards`,
    )
    const { phase, result, reason } = view.outcome!
    promise(
      expected.phases.includes(phase),
      `the job ends ${expected.phases.join(' or ')}: ${peer} has ${phase} ${reason ?? ''}`,
    )
    if (phase === 'final') promise(result === expected.result, `the result equals the serial run's at ${peer}`)
  }
  const finals = new Set(endings.flatMap(({ view }) => (view?.outcome ? [view.outcome.phase] : [])))
  if (expected.phases.length === 1) promise(finals.size <= 1, `one end for all: ${[...finals].join(', ')}`)
}
