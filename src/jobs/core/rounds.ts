/**
 * Rounds of an iterative job: parameters out, a partial from each shard back, merged in shard order, updated to the next
 * parameters, until done. A result belongs to (round, hash of its parameters, shard) and to no other. A job that is computed
 * once is a job that never leaves its first round, which has no parameters.
 *
 * Invariants: a leader that grants holds the round's parameters; under one ballot rounds only go up; a peer says that it is
 * in a round (inventory, disk) only while it holds that round's parameters. So a successor finds them at whoever tells it
 * of the round, or goes on from the round before: as partials and updates depend on parameters and inputs alone, a round
 * that is computed again gives the same bits.
 */
import type { PeerKey } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import { compareBallots } from './ballots.ts'
import type { Job, LeaderRole, Turn } from './state.ts'
import type { RoundHead } from './types.ts'

export const firstRound: RoundHead = { round: 0 }

/** The round that a message speaks of: without a word the first one. */
export const roundOf = (message: { round?: RoundHead }): RoundHead => message.round ?? firstRound

export const sameRound = (a: RoundHead, b: RoundHead) => a.round === b.round && a.params === b.params

/** The round as a part of a message or effect: absent in the first one. */
export const inRound = (head: RoundHead): { round?: RoundHead } => (head.round === 0 ? {} : { round: head })

/** The newest round whose parameters this peer holds: what it tells others, and what it takes up after a restart. */
export const firmRound = (job: Job): RoundHead => (job.paramsHere ? job.round : (job.roundBefore ?? firstRound))

/** The job goes on in another round: what was leased and computed here belongs to the one before. */
export function enterRound(turn: Turn, job: Job, head: RoundHead, paramsHere: boolean): void {
  for (const [shard, running] of job.held) {
    if (running) turn.effects.push({ type: 'abandon', job: job.id, shard })
  }
  if (job.held.size > 0) turn.schedule = true
  if (job.paramsHere) job.roundBefore = job.round
  job.held.clear()
  job.running = 0
  job.unacked.clear()
  job.results.clear()
  job.round = head
  job.paramsHere = paramsHere || head.params === undefined
  job.paramsFetch = undefined
  turn.changed.add(job.id)
}

/**
 * The leader of our ballot says which round it is in. True when that is the round we are in now; false when its word is old.
 * A new leader may have to go back; from then on it only goes up.
 */
export function followRound(turn: Turn, job: Job, head: RoundHead): boolean {
  const told = compareBallots(job.roundBallot, job.ballot) === 0
  if (!sameRound(head, job.round)) {
    if (told && head.round <= job.round.round) return false
    enterRound(turn, job, head, false)
  }
  job.roundBallot = job.ballot
  return true
}

/** A digest is no reason to go back: what is here may be what the new leader asks for next. */
export function hearRound(turn: Turn, job: Job, head: RoundHead): void {
  if (head.round > job.round.round) followRound(turn, job, head)
}

/**
 * Empties the leader's books for a round that begins; who computed a shard before is asked for it again.
 * @param merged the round before was: what each peer did in it stays counted
 */
export function clearBooks(leader: LeaderRole, merged = false): void {
  const self = leader.ballot.peer
  for (const [shard, { holders }] of leader.results) {
    leader.homes.set(shard, holders.find(one => one !== self) ?? self)
  }
  for (const facts of leader.assignees.values()) {
    facts.leased.clear()
    if (merged) facts.itemsBefore += facts.itemsDone
    facts.itemsDone = 0
    facts.home = []
    facts.homeNext = 0
  }
  for (const shard of [...leader.homes.keys()].sort((a, b) => a - b)) {
    leader.assignees.get(leader.homes.get(shard) ?? '')?.home.push(shard)
  }
  leader.results.clear()
  leader.earlyResults.clear()
  leader.earlyWorking.clear()
  leader.leases.clear()
  leader.attempts.clear()
  leader.lost.clear()
  leader.done = new Uint8Array(0)
  leader.itemsDone = 0
  leader.errors = 0
  leader.cursor = 0
  leader.mergeNext = 0
  leader.endSent = false
}

/** Somebody was further than this leader knows: its round may be taken up once the parameters are here. */
export function noteAhead(turn: Turn, job: Job, leader: LeaderRole, from: PeerKey, head: RoundHead): void {
  if (head.round <= job.round.round || head.round > limits.roundsMax || from === turn.config.self) return
  const { ahead } = leader
  if (ahead && sameRound(ahead.head, head)) {
    if (!ahead.holders.includes(from) && ahead.holders.length < 8) ahead.holders.push(from)
    return
  }
  if (ahead && ahead.head.round >= head.round) return
  leader.ahead = { head, holders: [from], asked: 1, dueMs: turn.nowMs + turn.config.fetchMs }
  turn.effects.push({ type: 'fetch-params', job: job.id, round: head, from })
}

/** The parameters of the round ahead were not to be had from the last one asked: the next, or never mind. */
export function askAhead(turn: Turn, job: Job, leader: LeaderRole): void {
  const { ahead } = leader
  if (!ahead) return
  if (ahead.asked >= ahead.holders.length || ahead.head.round <= job.round.round) {
    leader.ahead = undefined
    return
  }
  ahead.dueMs = turn.nowMs + turn.config.fetchMs
  turn.effects.push({ type: 'fetch-params', job: job.id, round: ahead.head, from: ahead.holders[ahead.asked++] })
}
