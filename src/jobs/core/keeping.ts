/**
 * What outlives a restart. Every step ends here: whatever it changed of a job's durable facts goes out as `keep` effects in
 * front of all others, so that a driver which performs effects in order has stored a promise before it is made (as in
 * etcd's raft, where a `Ready` says what to persist before its messages go). Invariant: `job.kept` equals what the driver
 * was last told to store.
 */
import type { JobId } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import { compareBallots } from './ballots.ts'
import { firmRound, inRound, roundOf, sameRound } from './rounds.ts'
import { type Job, newJob, type State, type Turn } from './state.ts'
import type { Effect, Event, JobKept, JobOutcome, ManifestHead, ShardResult } from './types.ts'

/** This peer now holds the result's block. */
export function holdResult(turn: Turn, job: Job, result: ShardResult): void {
  const known = job.results.get(result.shard)
  job.results.set(result.shard, result)
  if (known?.block === result.block) return
  const brought = turn.brought.get(job.id)
  if (brought) brought.push(result)
  else turn.brought.set(job.id, [result])
}

/** The job's durable facts as they are now. */
function durable(job: Job): JobKept {
  return {
    owner: job.owner,
    priority: job.priority,
    startedMs: job.startedMs,
    ballot: job.ballot,
    specKnown: job.specKnown,
    // After a restart the manifests are read once more: that they were here before stays true.
    known: job.kept && job.kept.known.count > job.known.count ? job.kept.known : job.known,
    target: job.target,
    complete: job.complete,
    ...inRound(firmRound(job)),
    // Right after a restart the role is not taken up yet, and its ballots are used up all the same.
    offers: job.ownerRole?.offers ?? job.kept?.offers,
    outcome: job.outcome,
    endedMs: job.endedMs,
    seen: job.outcome && job.seen,
  }
}

const sameHead = (a: ManifestHead, b: ManifestHead) => a.count === b.count && a.head === b.head
const sameEnd = (a: JobOutcome | undefined, b: JobOutcome | undefined) =>
  a === b || (a?.phase === b?.phase && a?.result === b?.result && a !== undefined && b !== undefined)

/** Whether what is stored still says all. Start, totals and reasons are for people, and not worth a write of their own. */
function isKept(job: Job, kept: JobKept): boolean {
  return (
    kept.owner === job.owner &&
    kept.specKnown === job.specKnown &&
    kept.complete === job.complete &&
    kept.priority === job.priority &&
    kept.offers === (job.ownerRole?.offers ?? kept.offers) &&
    compareBallots(kept.ballot, job.ballot) === 0 &&
    sameRound(roundOf(kept), firmRound(job)) &&
    kept.known.count >= job.known.count &&
    sameHead(kept.target, job.target) &&
    sameEnd(kept.outcome, job.outcome)
  )
}

function keep(job: Job, first: Effect[]): void {
  const worth = job.specKnown || job.ballot.counter > 0 || job.outcome !== undefined
  if (!worth || (job.kept && isKept(job, job.kept))) return
  const justEnded = job.outcome !== undefined && job.kept !== undefined && !job.kept.outcome
  // First of all: results of the round before must not be found beside the new round's record.
  const otherRound = job.kept !== undefined && !sameRound(roundOf(job.kept), firmRound(job))
  if (otherRound) first.push({ type: 'forget-results', job: job.id })
  job.kept = durable(job)
  first.push({ type: 'keep', job: job.id, kept: job.kept })
  // Those that came before the round's parameters did could not be kept under another round's record.
  if (otherRound && job.paramsHere && job.results.size > 0)
    first.push({ type: 'keep-results', job: job.id, results: [...job.results.values()] })
  if (justEnded) first.push({ type: 'forget', job: job.id, record: false })
}

/** Puts in front of the step's effects what must be stored first. `about`: the one job that the event could change, if it is one. */
export function keepFirst(turn: Turn, about: JobId | undefined): void {
  const first: Effect[] = []
  if (about === undefined) for (const job of turn.state.jobs.values()) keep(job, first)
  else {
    const job = turn.state.jobs.get(about)
    if (job) keep(job, first)
  }
  for (const [id, results] of turn.brought) {
    const job = turn.state.jobs.get(id)
    // What is kept is of the record's round: a restart could not tell that it is of another.
    if (job && !job.outcome && job.paramsHere) first.push({ type: 'keep-results', job: id, results })
  }
  if (first.length > 0) turn.effects.unshift(...first)
}

/**
 * A job as it was before this peer's restart. Roles begin anew: a leader of the kept ballot waits to hear whether it was
 * succeeded before it claims a higher one; an owner whose inputs were all read goes on looking for a leader if none
 * ever accepted. Its results are told to the leader as an inventory.
 */
export function restore(turn: Turn, event: Event & { type: 'restore' }): void {
  const { kept } = event
  const { jobs } = turn.state
  if (jobs.has(event.job) || jobs.size >= limits.jobsMax) return
  const job = newJob(event.job, turn.state, kept.owner)
  jobs.set(event.job, job)
  turn.changed.add(event.job)
  job.kept = kept
  job.priority = kept.priority
  job.startedMs = kept.startedMs
  job.ballot = kept.ballot
  job.specKnown = kept.specKnown
  job.target = kept.target
  job.complete = kept.complete
  job.round = roundOf(kept)
  if (kept.outcome) {
    job.outcome = kept.outcome
    job.endedMs = kept.endedMs
    job.seen = kept.seen
    return
  }
  for (const result of event.results) if (result.shard < limits.shardsMax) job.results.set(result.shard, result)
  job.restored = true
  if (kept.owner === turn.config.self && kept.offers !== undefined && kept.complete) {
    job.ownerRole = {
      offers: Math.max(kept.offers, kept.ballot.counter),
      asked: new Set(),
      rounds: 0,
      offerDueMs: turn.nowMs,
      led: kept.ballot.counter > 0,
      tellDueMs: Number.POSITIVE_INFINITY,
    }
  }
  if (job.results.size > 0 && kept.ballot.counter > 0 && kept.ballot.peer !== turn.config.self) {
    job.inventoryDueMs = turn.nowMs
  }
}

/** The event's job, where it names one. */
export function jobOf(event: Event, state: State): JobId | undefined {
  if (event.type === 'message' || event.type === 'send-failed') return event.message.job
  // Ticks and peers that come and go may change any job; a new one may also have pushed an old one out.
  return 'job' in event && state.jobs.has(event.job) ? event.job : undefined
}
