/**
 * The owner's part: to find a first leader in rank order, to tell the leader of inputs as they are read, and to cancel.
 * Every offer carries a fresh ballot, so that of two candidates that both accept the later one leads.
 */
import type { JobId, PeerKey } from '../../base/ids.ts'
import { compareBallots } from './ballots.ts'
import { backoffMs } from './config.ts'
import { wantManifests, wantSpec } from './fetches.ts'
import { becomeLeader } from './leader.ts'
import { endOf, finish, tell } from './outcome.ts'
import { rankPeers } from './ranking.ts'
import { ensureJob } from './registry.ts'
import { allRead, type Job, type State, send, type Turn } from './state.ts'
import { obey, refuse, tellLeader } from './succession.ts'
import type { Digest, StreamMessage } from './types.ts'

export function submit(turn: Turn, id: JobId, priority: number): void {
  const { self } = turn.config
  const job = ensureJob(turn, id, self)
  if (!job || job.outcome || job.ownerRole) return
  job.owner = self
  job.specKnown = true
  job.priority = priority
  job.ownerRole = {
    // Submitted again after a restart, to read the inputs on: no ballot is offered twice, and whoever leads goes on.
    offers: Math.max(job.kept?.offers ?? 0, job.ballot.counter),
    asked: new Set(),
    rounds: 0,
    offerDueMs: turn.nowMs,
    led: job.ballot.counter > 0,
    tellDueMs: Number.POSITIVE_INFINITY,
  }
  makeOffer(turn, job)
}

/** Offers the job to the best candidate not yet asked; after everyone was asked, waits before it asks again. */
function makeOffer(turn: Turn, job: Job): void {
  const role = job.ownerRole
  if (!role || role.led || turn.nowMs < role.offerDueMs) return
  const peer = rankPeers(job.id, turn.state.peers, job.owner).find(one => !role.asked.has(one))
  if (peer === undefined) {
    role.asked.clear()
    role.offerDueMs = turn.nowMs + backoffMs(turn.config, role.rounds)
    role.rounds++
    return
  }
  role.asked.add(peer)
  role.offers++
  role.offered = { counter: Math.max(role.offers, job.ballot.counter + 1), peer }
  role.offerDueMs = turn.nowMs + turn.config.offerMs
  send(turn, peer, { type: 'offer', job: job.id, ballot: role.offered, manifest: job.known, complete: allRead(job) })
}

/** The present candidate will not lead. */
function nextOffer(turn: Turn, job: Job): void {
  const role = job.ownerRole
  if (!role || role.led) return
  role.offered = undefined
  role.offerDueMs = turn.nowMs
  makeOffer(turn, job)
}

/** At the candidate. */
export function onOffer(turn: Turn, from: PeerKey, message: StreamMessage & { type: 'offer' }): void {
  const { ballot } = message
  if (ballot.peer !== turn.config.self) return
  const job = ensureJob(turn, message.job, from)
  if (!job) {
    replyOffer(turn, from, message, 'too many jobs run here')
    return
  }
  if (job.outcome || compareBallots(ballot, job.ballot) < 0) {
    refuse(turn, job, from)
    if (from === turn.config.self) replyOffer(turn, from, message, 'a higher ballot leads')
    return
  }
  if (job.leader && compareBallots(ballot, job.leader.ballot) === 0) {
    replyOffer(turn, from, message)
    return
  }
  if (compareBallots(ballot, job.ballot) === 0) {
    replyOffer(turn, from, message, 'this ballot was used before')
    return
  }
  if (!job.ownerRole && message.manifest.count > job.target.count) {
    job.target = message.manifest
    job.targetFrom = from
    job.complete = message.complete
  }
  job.offer = { from, ballot }
  if (job.specKnown) takeOffer(turn, job)
  else wantSpec(turn, job)
}

function replyOffer(
  turn: Turn,
  to: PeerKey,
  offer: Pick<StreamMessage & { type: 'offer' }, 'job' | 'ballot'>,
  reason?: string,
): void {
  const { job, ballot } = offer
  send(turn, to, { type: 'offer-reply', job, ballot, accepted: reason === undefined, reason })
}

/** The spec is here: lead, if the offer came from the one who signed it and no higher ballot came meanwhile. */
export function takeOffer(turn: Turn, job: Job): void {
  const offer = job.offer
  job.offer = undefined
  if (!offer) return
  const answer = { job: job.id, ballot: offer.ballot }
  if (job.owner !== offer.from) {
    replyOffer(turn, offer.from, answer, 'the offer is not from the job owner')
    return
  }
  if (compareBallots(offer.ballot, job.ballot) <= 0) {
    replyOffer(turn, offer.from, answer, 'a higher ballot leads')
    return
  }
  obey(turn, job, offer.ballot)
  replyOffer(turn, offer.from, answer)
  becomeLeader(turn, job, offer.ballot, [])
  wantManifests(turn, job)
}

/** The spec could not be had: the owner had better ask somebody else. */
export function declineOffer(turn: Turn, job: Job): void {
  const offer = job.offer
  job.offer = undefined
  if (offer) replyOffer(turn, offer.from, { job: job.id, ballot: offer.ballot }, 'the job could not be fetched')
}

/** At the owner. */
export function onOfferReply(
  turn: Turn,
  job: Job,
  from: PeerKey,
  message: StreamMessage & { type: 'offer-reply' },
): void {
  const role = job.ownerRole
  if (!role || message.ballot.peer !== from) return
  const current = role.offered !== undefined && compareBallots(role.offered, message.ballot) === 0
  if (message.accepted && current) {
    obey(turn, job, message.ballot)
    return
  }
  if (!message.accepted && current) {
    nextOffer(turn, job)
    return
  }
  // Too late: a later candidate was asked, or leads already.
  if (message.accepted && role.offered && from !== turn.config.self) {
    send(turn, from, { type: 'superseded', job: job.id, ballot: role.offered })
  } else if (message.accepted && compareBallots(message.ballot, job.ballot) < 0) refuse(turn, job, from)
}

export function onOfferUndelivered(turn: Turn, job: Job, message: StreamMessage & { type: 'offer' }): void {
  const offered = job.ownerRole?.offered
  if (offered && compareBallots(offered, message.ballot) === 0) nextOffer(turn, job)
}

/** The owner's user cancels, or the owner cannot go on. At any other peer this does nothing. */
export function endByOwner(turn: Turn, job: Job, phase: 'cancelled' | 'failed', reason?: string): void {
  if (job.owner !== turn.config.self || job.outcome) return
  const leaders = new Set([job.ballot.peer, job.ownerRole?.offered?.peer])
  finish(turn, job, { phase, ballot: job.ballot, reason }, true)
  if (!job.outcome) return
  for (const peer of leaders) {
    if (!peer || peer === turn.config.self) continue
    tell(
      turn,
      job,
      peer,
      phase === 'cancelled'
        ? { type: 'cancel', job: job.id }
        : { type: 'outcome', job: job.id, outcome: job.outcome, ...endOf(job) },
    )
  }
}

export function tickOwner(turn: Turn, job: Job): void {
  const role = job.ownerRole
  if (role) {
    if (!role.led && turn.nowMs >= role.offerDueMs) {
      if (role.offered) nextOffer(turn, job)
      else makeOffer(turn, job)
    }
    if (role.led && turn.nowMs >= role.tellDueMs) tellLeader(turn, job)
    return
  }
  // An owner that lost its memory cannot read on: nobody else can either.
  const known = job.seen?.complete || (job.complete && job.known.count === job.target.count)
  if (job.owner === turn.config.self && !known && turn.nowMs - job.knownMs >= turn.config.ownerGraceMs) {
    endByOwner(turn, job, 'failed', 'its owner restarted before all inputs were read: submit it again')
  }
}

/**
 * What an owner that stands still (its disk is full) can say all the same, since it promises nothing new: a leader that took
 * over from it does not know yet that the inputs were read to the end, and nobody else could tell it.
 */
export function standstillWord(state: State, self: PeerKey, heard: Digest): StreamMessage | undefined {
  const job = state.jobs.get(heard.job)
  if (!job || job.owner !== self || job.outcome || heard.complete || heard.outcome || !allRead(job)) return undefined
  return { type: 'manifest', job: job.id, manifest: job.known, complete: true }
}

/** The candidate that was asked is gone. */
export function onCandidateDown(turn: Turn, job: Job, peer: PeerKey): void {
  if (job.ownerRole?.offered?.peer === peer) nextOffer(turn, job)
}
