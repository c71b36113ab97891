/** The parts that several messages share, each as a pair: how it goes out, how it comes in. */
import { PeerError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import type { Ballot, JobOutcome, ManifestHead, RoundHead, ShardResult } from '../core/types.ts'
import {
  type Fields,
  fields,
  flag,
  idIn,
  idOut,
  idsIn,
  idsOut,
  invalid,
  list,
  peerKey,
  present,
  reason,
  whole,
} from './fields.ts'

/** More ballots than any job can have; keeps `counter + 1` exact. */
const ballotCounterMax = 2 ** 40

export function ballotOut({ counter, peer }: Ballot): unknown {
  return [counter, peer]
}

export function ballotIn(value: unknown): Ballot {
  if (!Array.isArray(value) || value.length !== 2) throw invalid('ballot is a counter and a peer', value)
  return { counter: whole(value[0], ballotCounterMax, 'ballot counter'), peer: peerKey(value[1], 'ballot peer') }
}

/** Also the ballot before any: a job that its owner ended before anybody led it has no other. */
export function anyBallotIn(value: unknown): Ballot {
  if (Array.isArray(value) && value.length === 2 && value[0] === 0 && value[1] === '') return { counter: 0, peer: '' }
  return ballotIn(value)
}

export function headOut({ count, head }: ManifestHead): unknown {
  return head === undefined ? [count] : [count, idOut(head)]
}

export function headIn(value: unknown): ManifestHead {
  if (!Array.isArray(value) || value.length < 1 || value.length > 2)
    throw invalid('manifest is a count and a head', value)
  const count = whole(value[0], limits.shardsMax, 'manifest count')
  if (count > 0 !== (value.length === 2)) throw invalid('manifest head is absent exactly when the count is 0')
  return count === 0 ? { count } : { count, head: idIn(value[1], 'manifest head') }
}

/** As a field of a message, absent in the first round. */
export function roundOut(map: { round?: RoundHead }): { round?: unknown } {
  const { round } = map
  if (!round || round.round === 0) return {}
  return { round: round.params === undefined ? [round.round] : [round.round, idOut(round.params)] }
}

/** Every round but the first has parameters. */
export function roundIn(map: Fields): { round?: RoundHead } {
  const { round } = map
  if (round === undefined) return {}
  if (!Array.isArray(round) || round.length !== 2) throw invalid('round is a number and its parameters', round)
  const number = whole(round[0], limits.roundsMax, 'round')
  if (number === 0) throw invalid('the first round is not named')
  return { round: { round: number, params: idIn(round[1], 'parameters') } }
}

const phases = ['final', 'cancelled', 'failed'] as const

export function outcomeOut(outcome: JobOutcome): unknown {
  const { phase, ballot, result } = outcome
  return present({
    phase: phases.indexOf(phase),
    ballot: ballotOut(ballot),
    result: result === undefined ? undefined : idOut(result),
    reason: outcome.reason,
    byTime: outcome.byTime,
  })
}

export function outcomeIn(value: unknown): JobOutcome {
  const map = fields(value, 'outcome')
  const outcome: JobOutcome = {
    phase: phases[whole(map.phase, phases.length - 1, 'phase')],
    ballot: anyBallotIn(map.ballot),
  }
  if (map.result !== undefined) outcome.result = idIn(map.result, 'result')
  if (map.reason !== undefined) outcome.reason = reason(map.reason)
  if (map.byTime !== undefined && flag(map.byTime, 'byTime')) {
    if (outcome.phase !== 'failed') throw invalid('only a failure is by time')
    outcome.byTime = true
  }
  if ((outcome.phase === 'final') !== (outcome.result !== undefined)) throw invalid('only a final outcome has a result')
  return outcome
}

export function optionalOutcomeIn(map: Fields): { outcome?: JobOutcome } {
  return map.outcome === undefined ? {} : { outcome: outcomeIn(map.outcome) }
}

export function shardsIn(value: unknown, what: string): number[] {
  return list(value, limits.messageShardsMax, what, shardIn)
}

export function shardIn(value: unknown): number {
  return whole(value, limits.shardsMax - 1, 'shard')
}

/** By columns: a long list of results costs 32 bytes and a few for each. */
export function resultsOut(results: readonly ShardResult[]): unknown {
  return {
    shards: results.map(result => result.shard),
    blocks: idsOut(results.map(result => result.block)),
    errors: results.map(result => result.errors),
  }
}

export function resultsIn(value: unknown): ShardResult[] {
  const map = fields(value, 'results')
  const shards = shardsIn(map.shards, 'shards')
  const blocks = idsIn(map.blocks, limits.messageShardsMax, 'blocks')
  const errors = list(map.errors, limits.messageShardsMax, 'errors', item =>
    whole(item, limits.shardItemsMax, 'errors'),
  )
  if (blocks.length !== shards.length || errors.length !== shards.length)
    throw invalid('results have columns of one length')
  return shards.map((shard, index) => ({ shard, block: blocks[index], errors: errors[index] }))
}

/** What is too large to be sent is the sender's mistake. */
export function tooLarge(what: string, bytes: number, bytesMax: number): PeerError {
  return new PeerError({
    code: 'MESSAGE_TOO_LARGE',
    kind: 'protocol',
    message: `${what} of ${bytes} bytes is larger than the ${bytesMax} that may be sent: send less at once`,
    details: { bytes, bytesMax },
  })
}
