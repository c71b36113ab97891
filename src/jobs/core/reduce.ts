/**
 * The protocol core's one door: what happens to a peer goes in, what it wants done comes out, in the order in which it
 * must be done. Deterministic; never throws on what comes from outside.
 */
import { limits } from '../../base/limits.ts'
import { giveBackWaiting, onOwnResultLost, onRan, onRunFailed, startHeld, tickAssignee } from './assignee.ts'
import { compareBallots } from './ballots.ts'
import { meet, onEnds, onEndsFailed, tickEnds } from './ends.ts'
import { appendManifest, fetchFailed, hastenFetches, wantManifests, wantSpec } from './fetches.ts'
import { advance, onParams, onParamsFailed, onRoundMerged } from './gathering.ts'
import { jobOf, keepFirst, restore } from './keeping.ts'
import { onAssigneeDown, onMoreShards, onWrongResult, tickLeader } from './leader.ts'
import { assign } from './leases.ts'
import { failJob, onMerged, onResultLost } from './merging.ts'
import { onMessage, onSendFailed } from './messages.ts'
import { hastenRetries, tickEnded, tickRetries } from './outcome.ts'
import { declineOffer, endByOwner, onCandidateDown, submit, takeOffer, tickOwner } from './owner.ts'
import { prefetch } from './prefetch.ts'
import { forgetOld, runningJob } from './registry.ts'
import { roundOf, sameRound } from './rounds.ts'
import { schedule } from './scheduling.ts'
import type { Job, State, Turn } from './state.ts'
import { suspect, tellLeader, tickSuccession } from './succession.ts'
import type { CoreConfig, Effect, Event } from './types.ts'

export { compareBallots } from './ballots.ts'
export { defaultConfig } from './config.ts'
export { initialState, type State } from './state.ts'
export { view, views } from './view.ts'

/**
 * One step. The state is handed over: it is changed in place and returned, and the caller must not keep parts of it
 * (see state.ts). Effects are plain data; performing one twice does no harm.
 */
export function reduce(config: CoreConfig, state: State, event: Event): { state: State; effects: Effect[] } {
  passTime(state, event.nowMs)
  const turn: Turn = {
    config,
    state,
    nowMs: state.nowMs,
    effects: [],
    changed: new Set(),
    schedule: false,
    brought: new Map(),
  }
  call(turn, event.type, event)
  if (turn.schedule) schedule(turn)
  keepFirst(turn, jobOf(event, state))
  for (const job of turn.changed) turn.effects.push({ type: 'changed', job })
  return { state, effects: turn.effects }
}

/** More than this between two steps is not time that this peer lived through: it slept, or its clock was set. */
const stepMsMax = 1000

/**
 * The core's time is the time in which this peer was awake. A clock that is set back does not stop it, and a night's sleep or
 * a clock set forward does not expire what nobody could keep: no lease, no leader's silence, no owner's grace.
 */
function passTime(state: State, clockMs: number): void {
  if (state.clockMs === undefined) state.nowMs = clockMs
  else state.nowMs += Math.min(Math.max(clockMs - state.clockMs, 0), stepMsMax)
  state.clockMs = clockMs
}

type EventType = Event['type']
type EventOf<K extends EventType> = { [P in K]: Event & { type: P } }[K]
type Handlers = { [P in EventType]: (turn: Turn, event: EventOf<P>) => void }

/** Does something to a job that is known and not over. */
const whileRunning =
  <E extends { job: string }>(handle: (turn: Turn, job: Job, event: E) => void) =>
  (turn: Turn, event: E) => {
    const job = runningJob(turn, event.job)
    if (job) handle(turn, job, event)
  }

const handlers: Handlers = {
  tick: turn => {
    for (const job of turn.state.jobs.values()) tickJob(turn, job)
    forgetOld(turn)
    tickEnds(turn)
  },
  'peer-up': (turn, event) => {
    const { peers, jobs } = turn.state
    const known = peers.get(event.peer)
    if (!known && peers.size >= limits.peersMax) return
    const lawful = (value: number) => (value > 0 && Number.isFinite(value) ? value : 0)
    const { peer, passing } = event
    peers.set(peer, {
      itemsPerSecond: lawful(event.itemsPerSecond),
      slots: Math.floor(lawful(event.slots)),
      ...(passing && { passing }),
    })
    turn.schedule = true
    if (known) return
    meet(turn, peer)
    for (const job of jobs.values()) {
      hastenRetries(turn, job, event.peer)
      hastenFetches(turn, job)
      if (job.leader) assign(turn, job, job.leader)
    }
  },
  'peer-down': (turn, event) => {
    if (event.peer === turn.config.self) return
    const passing = turn.state.peers.get(event.peer)?.passing ?? false
    turn.state.peers.delete(event.peer)
    for (const job of turn.state.jobs.values()) {
      if (job.outcome) continue
      if (job.owner === event.peer && passing) job.ownerPassing = true
      if (job.leader) onAssigneeDown(turn, job, job.leader, event.peer)
      onCandidateDown(turn, job, event.peer)
      if (job.ballot.peer === event.peer) suspect(turn, job)
    }
  },
  restore,
  submit: (turn, event) => submit(turn, event.job, event.priority),
  manifest: whileRunning((turn, job, event) => {
    const first = job.items.length
    if (!appendManifest(turn, job, event)) return
    if (job.leader) onMoreShards(turn, job, job.leader, first)
    startHeld(turn, job)
    tellLeader(turn, job)
  }),
  'inputs-end': whileRunning((turn, job) => {
    if (!job.ownerRole) return
    job.complete = true
    turn.changed.add(job.id)
    if (job.leader) advance(turn, job, job.leader)
    tellLeader(turn, job)
  }),
  cancel: whileRunning((turn, job) => endByOwner(turn, job, 'cancelled')),
  abort: whileRunning((turn, job, event) => endByOwner(turn, job, 'failed', event.reason)),
  message: (turn, event) => onMessage(turn, event.from, event.message),
  ends: (turn, event) => onEnds(turn, event.from, event.message),
  'ends-failed': (turn, event) => onEndsFailed(turn, event.to),
  'send-failed': (turn, event) => onSendFailed(turn, event.to, event.message),
  spec: whileRunning((turn, job, event) => {
    job.specKnown = true
    job.specFetch = undefined
    job.owner = event.owner
    job.priority = event.priority
    takeOffer(turn, job)
    startHeld(turn, job)
    tickSuccession(turn, job)
  }),
  'fetch-failed': whileRunning((turn, job, event) => {
    fetchFailed(turn, event.what === 'spec' ? job.specFetch : job.manifestFetch)
    if (event.what === 'spec') declineOffer(turn, job)
    giveBackWaiting(turn, job)
  }),
  params: whileRunning((turn, job, event) => {
    onParams(turn, job, event.round)
    startHeld(turn, job)
  }),
  'params-failed': whileRunning((turn, job, event) => {
    onParamsFailed(turn, job, event.round)
    giveBackWaiting(turn, job)
  }),
  ran: whileRunning(onRan),
  'run-failed': whileRunning(onRunFailed),
  'result-lost': whileRunning((turn, job, event) => {
    if (!sameRound(roundOf(event), job.round)) return
    onOwnResultLost(job, event.shard)
    if (!job.leader) return
    const holders = onResultLost(turn, job, job.leader, event.shard)
    if (event.wrong) onWrongResult(turn, job, job.leader, event.shard, holders)
    if (!job.outcome) advance(turn, job, job.leader)
  }),
  merged: whileRunning((turn, job, event) => {
    if (job.leader && compareBallots(job.leader.ballot, event.ballot) === 0) onMerged(turn, job, job.leader, event)
  }),
  'round-merged': whileRunning((turn, job, event) => {
    const current = job.leader && compareBallots(job.leader.ballot, event.ballot) === 0
    if (!job.leader || !current || !sameRound(roundOf(event), job.round)) return
    onRoundMerged(turn, job, job.leader, event.params)
    startHeld(turn, job)
  }),
  'merge-failed': whileRunning((turn, job, event) => {
    const current = job.leader && compareBallots(job.leader.ballot, event.ballot) === 0
    if (job.leader && current) failJob(turn, job, job.leader, `the merge failed: ${event.reason}`)
  }),
}

function call<K extends EventType>(turn: Turn, type: K, event: EventOf<K>): void {
  handlers[type](turn, event)
}

/** Everything that time brings. A part may end the job, after which the later ones find nothing to do. */
function tickJob(turn: Turn, job: Job): void {
  tickRetries(turn, job)
  if (job.outcome) {
    tickEnded(turn, job)
    return
  }
  if (job.offer) wantSpec(turn, job)
  if (job.leader) {
    wantManifests(turn, job)
    tickLeader(turn, job, job.leader)
  }
  if (!job.outcome) tickOwner(turn, job)
  if (job.outcome) return
  prefetch(turn, job)
  tickAssignee(turn, job)
  tickSuccession(turn, job)
}
