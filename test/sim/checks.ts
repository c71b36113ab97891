/**
 * The protocol's promises, held against what peers say and do. Most are judged from outside, without a look into a peer's
 * state; `checkBooks` counts its books again in the simplest way. A broken promise throws `PromiseBroken`, which names it.
 */
import { type BlockId, blockId, type JobId, type PeerKey } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import { roundOf, sameRound } from '../../src/jobs/core/rounds.ts'
import type { Job, State } from '../../src/jobs/core/state.ts'
import type { Ballot, Effect, JobOutcome, JobView, RoundHead } from '../../src/jobs/core/types.ts'
import type { Serial } from './toy.ts'

export class PromiseBroken extends Error {
  override readonly name = 'PromiseBroken'
}

export function promise(holds: boolean, what: string): void {
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

/** The job that an effect is about, where it is one. */
export function jobOfEffect(effect: Effect): JobId | undefined {
  if (effect.type === 'send-ends') return undefined
  return effect.type === 'send' || effect.type === 'gossip' ? effect.message.job : effect.job
}

interface Merging {
  ballot: Ballot
  round: RoundHead
  next: number
  lost: Set<number>
}

/** Watches what one peer does in one job. A life that begins with what the one before stored goes on under its watch. */
export function watchPeer(peer: PeerKey) {
  let highest: Ballot = { counter: 0, peer: '' }
  let ended: JobOutcome | undefined
  let merging: Merging | undefined

  function merge(effect: Effect & { type: 'merge-shard' }): void {
    const round = roundOf(effect)
    const same = merging && !lower(merging.ballot, effect.ballot)
    if (!merging || !same || merging.round.round < round.round) {
      merging = { ballot: effect.ballot, round, next: 0, lost: new Set() }
    }
    promise(sameRound(merging.round, round), `rounds only go up under one ballot: ${peer} merges in ${round.round}`)
    const { shard } = effect.result
    if (merging.lost.delete(shard)) return
    promise(shard === merging.next, `merge-shard comes in shard order: ${peer} got ${shard}, not ${merging.next}`)
    merging.next++
  }

  return {
    lost(shard: number, round: RoundHead): void {
      // Word of an older merge's loss may come late: what this merge has not had yet, it has not lost.
      if (merging && sameRound(merging.round, round) && shard < merging.next) merging.lost.add(shard)
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
      if (effect.type === 'merge-shard') merge(effect)
    },
  }
}

export type PeerWatch = ReturnType<typeof watchPeer>

/** The merge of a round was finished from these blocks. */
export function checkMerge(round: RoundHead, parts: readonly Uint8Array[], { rounds }: Serial): void {
  const serial = rounds[round.round]
  promise(serial && sameRound(serial.head, round), `the parameters equal the serial run's in round ${round.round}`)
  promise(
    parts.length === serial.parts.length,
    `every shard is merged exactly once: ${parts.length} parts of ${serial.parts.length}`,
  )
  parts.forEach((part, shard) => {
    promise(blockId(part) === serial.parts[shard], `the merge equals the serial run at shard ${shard}`)
  })
}

/** What waits to be told again at one peer for one job: an end, a cancel and the few shards that failed since. */
const retriesMax = 256

/** Queues within their bounds, and books that agree with a recount. */
export function checkBooks(peer: PeerKey, state: State): void {
  promise(state.peers.size <= limits.peersMax && state.jobs.size <= limits.jobsMax, `few enough peers at ${peer}`)
  for (const job of state.jobs.values()) {
    promise(job.retries.size <= retriesMax, `retries are few: ${job.retries.size} at ${peer}`)
    promise(job.held.size <= limits.messageShardsMax, `few enough leases are held: ${job.held.size} at ${peer}`)
    for (const shard of job.unacked.keys()) {
      promise(job.results.has(shard), `what waits to be sent is there: ${shard} at ${peer}`)
    }
    if (job.outcome) {
      const left = job.held.size + job.unacked.size + job.results.size + (job.leader ? 1 : 0)
      promise(left === 0, `an ended job holds nothing: ${left} at ${peer}`)
    }
    checkLeader(peer, job)
  }
}

function checkLeader(peer: PeerKey, job: Job): void {
  const { leader } = job
  if (!leader) return
  let leases = 0
  for (const [shard, list] of leader.leases) {
    leases += list.length
    promise(list.length === 1 || list.length === 2, `a shard has at most two leases: ${list.length} at ${peer}`)
    promise(!leader.results.has(shard), `a shard that is done is leased to nobody: ${shard} at ${peer}`)
    for (const { peer: to } of list) {
      promise(leader.assignees.get(to)?.leased.has(shard) === true, `leases are booked twice: ${shard} at ${peer}`)
    }
  }
  let booked = 0
  for (const { leased } of leader.assignees.values()) booked += leased.size
  promise(booked === leases, `leases are booked twice: ${booked} and ${leases} at ${peer}`)
  let items = 0
  for (const shard of leader.results.keys()) items += job.items[shard]
  promise(items === leader.itemsDone, `items done are those of the results: ${items} at ${peer}`)
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
  const ends = new Set(endings.flatMap(({ view }) => (view?.outcome ? [describeEnd(view.outcome)] : [])))
  promise(ends.size <= 1, `one end for all: ${[...ends].join(' | ')}`)
  const [unaware] = endings.filter(({ view }) => !view)
  const [aware] = endings.filter(({ view }) => view?.outcome)
  promise(!(unaware && aware), `who meets learns what ended: ${aware?.peer} knows the job, ${unaware?.peer} does not`)
}

const describeEnd = ({ phase, ballot, result, reason }: JobOutcome) =>
  `${phase} ${show(ballot)} ${(result ?? reason ?? '').slice(0, 80)}`
