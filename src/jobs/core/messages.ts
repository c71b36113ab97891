/**
 * The table of handlers by message type. What comes from another peer is never trusted to be in place: an unknown job, an
 * older ballot, a sender that may not say this, are answered or ignored, and never thrown at.
 */
import type { PeerKey } from '../../base/ids.ts'
import { onGrant, onResultsAck, onResultsUndelivered, onRevoke } from './assignee.ts'
import { compareBallots } from './ballots.ts'
import { adoptHead, wantManifests } from './fetches.ts'
import { advance } from './gathering.ts'
import { onInventory, onRenew, onResults, onShardFailed, onUndelivered } from './leader.ts'
import { noteHeard } from './leases.ts'
import { absorb, finish, retryTell } from './outcome.ts'
import { onOffer, onOfferReply, onOfferUndelivered } from './owner.ts'
import { ensureJob, runningJob } from './registry.ts'
import type { Job, LeaderRole, Turn } from './state.ts'
import { admits, obey, onClaim, onDigest, onSuperseded, refuse } from './succession.ts'
import type { Message, StreamMessage } from './types.ts'

type MessageType = Message['type']
type MessageOf<K extends MessageType> = { [P in K]: Message & { type: P } }[K]
type Handlers = { [P in MessageType]: (turn: Turn, from: PeerKey, message: MessageOf<P>) => void }

/** A message for the leader of its ballot: the job and our leading role, if we still have it. */
function asLeader<M extends StreamMessage & { ballot: { counter: number; peer: PeerKey } }>(
  handle: (turn: Turn, job: Job, leader: LeaderRole, from: PeerKey, message: M) => void,
): (turn: Turn, from: PeerKey, message: M) => void {
  return (turn, from, message) => {
    const job = turn.state.jobs.get(message.job)
    if (!job) return
    obey(turn, job, message.ballot)
    if (job.leader) {
      noteHeard(job.leader, from)
      handle(turn, job, job.leader, from, message)
    } else if (job.outcome || compareBallots(message.ballot, job.ballot) < 0) refuse(turn, job, from)
  }
}

/** A message from the leader of its ballot, under which we then are. */
function fromLeader<M extends StreamMessage & { ballot: { counter: number; peer: PeerKey } }>(
  handle: (turn: Turn, job: Job, from: PeerKey, message: M) => void,
): (turn: Turn, from: PeerKey, message: M) => void {
  return (turn, from, message) => {
    if (message.ballot.peer !== from) return
    const job = ensureJob(turn, message.job)
    if (job && admits(turn, job, from, message.ballot)) handle(turn, job, from, message)
  }
}

const handlers: Handlers = {
  offer: onOffer,
  'offer-reply': (turn, from, message) => {
    const job = turn.state.jobs.get(message.job)
    if (job?.outcome && message.accepted) refuse(turn, job, from)
    else if (job) onOfferReply(turn, job, from, message)
  },
  manifest: (turn, from, message) => {
    const job = turn.state.jobs.get(message.job)
    if (!job) return
    if (job.outcome) return refuse(turn, job, from)
    if (job.owner !== from) return
    adoptHead(job, message.manifest, message.complete, from)
    if (!job.leader) return
    wantManifests(turn, job)
    // Perhaps nothing is left to read and this was only the word that it is complete.
    leaderGoesOn(turn, job)
  },
  grant: fromLeader(onGrant),
  revoke: fromLeader((turn, job, _from, message) => onRevoke(turn, job, message)),
  renew: asLeader(onRenew),
  results: asLeader(onResults),
  'results-ack': fromLeader((_turn, job, _from, message) => onResultsAck(job, message)),
  'shard-failed': asLeader(onShardFailed),
  claim: onClaim,
  inventory: asLeader((turn, job, leader, from, message) => {
    onInventory(turn, job, leader, from, message)
    wantManifests(turn, job)
  }),
  superseded: onSuperseded,
  cancel: (turn, from, message) => {
    const job = runningJob(turn, message.job)
    if (job && job.owner === from) {
      finish(turn, job, { phase: 'cancelled', ballot: job.ballot }, job.leader !== undefined)
    }
  },
  outcome: (turn, from, message) => {
    const job = turn.state.jobs.get(message.job)
    const entitled = from === job?.owner || from === message.outcome.ballot.peer
    if (job && entitled) absorb(turn, job, from, message.outcome, message.end)
  },
  digest: onDigest,
}

function leaderGoesOn(turn: Turn, job: Job): void {
  if (job.leader) advance(turn, job, job.leader)
}

function call<K extends MessageType>(turn: Turn, from: PeerKey, type: K, message: MessageOf<K>): void {
  handlers[type](turn, from, message)
}

export function onMessage(turn: Turn, from: PeerKey, message: Message): void {
  call(turn, from, message.type, message)
}

/** An acknowledged send did not get through: whoever sent it decides what that means. */
export function onSendFailed(turn: Turn, to: PeerKey, message: StreamMessage): void {
  const job = turn.state.jobs.get(message.job)
  if (!job) return
  if (message.type === 'outcome' || message.type === 'cancel') {
    retryTell(turn, job, to, message)
    return
  }
  if (job.outcome) return
  switch (message.type) {
    case 'offer':
      onOfferUndelivered(turn, job, message)
      return
    case 'results':
      onResultsUndelivered(turn, job, message)
      return
    case 'manifest':
      if (job.ownerRole) job.ownerRole.tellDueMs = turn.nowMs + turn.config.retryMs
      return
    case 'inventory':
      if (compareBallots(message.ballot, job.ballot) === 0) job.inventoryDueMs = turn.nowMs + turn.config.retryMs
      return
    case 'shard-failed':
      if (compareBallots(message.ballot, job.ballot) === 0) retryTell(turn, job, to, message)
      return
    case 'grant':
    case 'claim':
      if (job.leader && compareBallots(message.ballot, job.leader.ballot) === 0) {
        onUndelivered(turn, job, job.leader, to, message)
      }
      return
    // The sender repeats the rest: renewals by the clock, the others with the next question.
    default:
      return
  }
}
