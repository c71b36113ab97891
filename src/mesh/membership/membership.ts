/**
 * Membership as a pure function: what happens (a connection, a heartbeat, a tick) makes a new state and a list
 * of what to do (dial, greet, report). No clock, randomness or network here: time comes with each event.
 *
 * Nobody connects to everybody: a peer seeks some *neighbours* and lets go of what is beyond `degreeMax`; of the others,
 * who are *far*, it hears by gossip. A member is *up* while it has said who it is and is heard: a neighbour over its own
 * connection, within `silentMs`; a far one by its gossiped heartbeats. Whoever sees a connection break, or a neighbour
 * fall silent, gossips a report, so that all know at once; who was reported and lives says so.
 *
 * Who is not up is dialled, later and later, until it is found or forgotten: so two halves of a mesh find together again.
 */
import type { PeerKey } from '../../base/ids.ts'
import { hash32 } from '../../base/prng.ts'
import { announced, told } from './membership-announced.ts'
import {
  firstDial,
  isParting,
  type Member,
  type MemberStep,
  type MembershipConfig,
  type MembershipEvent,
  type MembershipState,
  type MembershipStep,
  settle,
} from './membership-state.ts'
import { tick } from './membership-tick.ts'

export function emptyMembership(nowMs: number): MembershipState {
  return { members: new Map(), tickMs: nowMs }
}

/** One step; the state that was passed stays as it is. */
export function reduceMembership(
  config: MembershipConfig,
  state: MembershipState,
  event: MembershipEvent,
): MembershipStep {
  if (event.type === 'tick') return tick(config, state, event.nowMs)
  if (event.type === 'woke') return woke(state, event.nowMs)
  if (event.peer === config.self) return aboutSelf(config, state, event)
  const known = state.members.get(event.peer)
  const begins = ['found', 'connected', 'announced', 'told'].includes(event.type)
  if (!known && (state.members.size >= config.peersMax || !begins)) return { state, effects: [] }
  if (known?.refusedMs !== undefined && !always.has(event.type)) {
    // A connection that was made before it was refused.
    return { state, effects: event.type === 'connected' ? [{ type: 'hang-up', peer: event.peer }] : [] }
  }
  const before = known ?? stranger(event.peer, event.nowMs)
  const { member, effects } = step(config, before, event, state.members.size)
  if (member === known || (!known && member === before)) return { state, effects }
  return { state: { ...state, members: new Map(state.members).set(member.peer, member) }, effects }
}

/** What happens to a refused peer's connections and dials; all else passes it by. */
const always = new Set<MembershipEvent['type']>(['refused', 'disconnected', 'dial-failed'])

type PeerEvent = Exclude<MembershipEvent, { type: 'tick' | 'woke' }>

/** Who is called lost says that it lives, once the others no longer take its word for an old one. */
function aboutSelf(config: MembershipConfig, state: MembershipState, event: PeerEvent): MembershipStep {
  if (event.type !== 'reported' || state.refuteMs !== undefined) return { state, effects: [] }
  return { state: { ...state, refuteMs: event.nowMs + 1.2 * config.rumourMs }, effects: [] }
}

/** This machine slept: whether a connection outlived that is asked, and not waited for. */
function woke(state: MembershipState, nowMs: number): MembershipStep {
  const members = new Map<PeerKey, Member>()
  for (const member of state.members.values()) {
    const { connected, far } = member
    const heardMs = connected || far ? nowMs : member.heardMs
    members.set(member.peer, { ...member, heardMs, pingMs: 0, doubted: connected, nextDialMs: nowMs })
  }
  return { state: { ...state, members, tickMs: nowMs }, effects: [] }
}

function step(config: MembershipConfig, member: Member, event: PeerEvent, members: number): MemberStep {
  const { nowMs, peer } = event
  switch (event.type) {
    case 'found':
      return { member: found(config, member, event.addresses, event.seed, nowMs), effects: [] }
    case 'connected':
      return connected(member, event.accepted ?? false, nowMs)
    case 'disconnected':
      return disconnected(config, member, nowMs)
    case 'heard':
      return settle({ ...member, heardMs: Math.max(member.heardMs, nowMs), hung: false, doubted: false })
    case 'used':
      return { member: { ...member, usedMs: nowMs }, effects: [] }
    case 'announced':
      return announced(config, member, event.announcement, event.direct, nowMs)
    case 'told':
      return told(config, member, event, members)
    case 'left': {
      const { member: next, effects } = settle({ ...member, left: true, far: false })
      return { member: next, effects: [...effects, ...report(member, true)] }
    }
    case 'parted':
      return { member: { ...member, partedMs: nowMs }, effects: [] }
    case 'kept':
      return { member: { ...member, partedMs: undefined, usedMs: nowMs }, effects: [] }
    case 'reported':
      return reported(member, event.boot, event.left, nowMs)
    case 'called':
      return called(member)
    case 'refused':
      return refused(member, event.untilMs)
    case 'dial-failed': {
      const failures = member.failures + 1
      return {
        member: { ...member, dialling: false, failures, nextDialMs: nowMs + backoff(config, peer, failures) },
        effects: [],
      }
    }
  }
}

function connected(member: Member, accepted: boolean, nowMs: number): MemberStep {
  const next: Member = {
    ...member,
    connected: true,
    greeted: false,
    far: false,
    hung: false,
    doubted: false,
    partedMs: undefined,
    left: false,
    // Who had said goodbye and is back leads a new life, and has yet to say which.
    announcement: member.left ? undefined : member.announcement,
    dialling: false,
    failures: 0,
    connectedMs: nowMs,
    heardMs: nowMs,
    helloMs: nowMs,
    pingMs: nowMs,
  }
  return { member: next, effects: accepted ? [] : [{ type: 'greet', peer: member.peer }] }
}

/** A connection that one side let go of is no failure: the peer lives on, far. Any other is one, and is reported. */
function disconnected(config: MembershipConfig, member: Member, nowMs: number): MemberStep {
  const { peer } = member
  const away: Member = {
    ...member,
    connected: false,
    greeted: false,
    hung: false,
    doubted: false,
    partedMs: undefined,
    goneMs: nowMs,
    nextDialMs: firstDial(config, peer, nowMs),
  }
  if (isParting(member, nowMs)) return settle({ ...away, far: member.up, heardMs: nowMs })
  // A dial that its maker gave up too late to take it back: nothing was to be heard over it, and nothing is lost with it.
  if (!member.greeted) return settle({ ...away, far: member.up })
  const lost = settle({ ...away, lostMs: nowMs })
  const news = member.connected && !member.left && !member.hung && member.refusedMs === undefined
  return { member: lost.member, effects: [...lost.effects, ...(news ? report(member, false) : [])] }
}

/** What others are to know of `member`'s end: nothing of one that never said who it was, and nothing twice. */
function report(member: Member, left: boolean): MemberStep['effects'] {
  if (!member.announcement || member.left || !member.connected) return []
  return [{ type: 'report', peer: member.peer, boot: member.announcement.boot, left }]
}

/** A neighbour of `member` lost it; whoever has a connection to it knows better. */
function reported(member: Member, boot: number, left: boolean, nowMs: number): MemberStep {
  const old = member.announcement
  if (member.connected || (old && old.boot > boot)) return { member, effects: [] }
  return settle({ ...member, far: false, left: member.left || left, lostMs: nowMs, goneMs: nowMs })
}

/** It breaks the rules: for a while this peer has nothing to do with it. That it lives on is others' business. */
function refused(member: Member, refusedMs: number): MemberStep {
  const { member: next, effects } = settle({ ...member, refusedMs, far: false })
  return { member: next, effects: [...effects, { type: 'hang-up', peer: member.peer }] }
}

/** A far peer cannot reach this one, and asks to be dialled. */
function called(member: Member): MemberStep {
  const { peer, addresses } = member
  if (member.connected || member.dialling || addresses.length === 0) return { member, effects: [] }
  return { member: { ...member, dialling: true }, effects: [{ type: 'dial', peer, addresses }] }
}

function found(config: MembershipConfig, member: Member, addresses: string[], seed: boolean, nowMs: number): Member {
  const added = addresses.some(address => !member.addresses.includes(address))
  // While it is up, what a peer says of itself stands above what others say of it.
  const told = (member.connected || member.far) && member.addresses.length > 0
  if ((!added || told) && member.seed === (member.seed || seed)) return member
  return {
    ...member,
    // The newest first: a peer that came back under another port is not found under the old one.
    addresses: told ? member.addresses : merge(addresses, member.addresses),
    seed: member.seed || seed,
    failures: 0,
    nextDialMs: seed ? nowMs : firstDial(config, member.peer, nowMs),
  }
}

function stranger(peer: PeerKey, nowMs: number): Member {
  return {
    peer,
    addresses: [],
    seed: false,
    connected: false,
    greeted: false,
    far: false,
    hearsay: false,
    hung: false,
    doubted: false,
    up: false,
    left: false,
    heardMs: nowMs,
    helloMs: nowMs,
    pingMs: nowMs,
    connectedMs: nowMs,
    dialling: false,
    failures: 0,
    nextDialMs: nowMs,
    goneMs: nowMs,
  }
}

/** As many addresses of one peer are kept as one announcement may name. */
const addressesKept = 16

function merge(first: string[], second: string[]): string[] {
  return [...new Set([...first, ...second])].slice(0, addressesKept)
}

/** Doubles with each failure; up to a quarter more by the pair's hash, so that redials do not come in step. */
function backoff(config: MembershipConfig, peer: PeerKey, failures: number): number {
  const plain = Math.min(config.redialMaxMs, config.redialMinMs * 2 ** Math.min(failures - 1, 20))
  return plain * (1 + (hash32(`${config.self} ${peer} ${failures}`) % 256) / 1024)
}
