/**
 * Membership as a pure function: what happens (a connection, a heartbeat, a tick) makes a new state and a list
 * of what to do (dial, greet, report). No clock, randomness or network here: time comes with each event.
 *
 * A member is *up* while it is connected, has said who it is and was heard within `silentMs`. Whoever is known
 * and not connected is dialled, later and later, until it is found or forgotten. Every pair of peers connects
 * for now; `degreeMax` is where a bounded degree begins.
 */

import type { PeerKey } from '../base/ids.ts'
import { hash32 } from '../base/prng.ts'
import type { Announcement } from './messages.ts'

/** Every knob, with its trade-off. */
export interface MembershipConfig {
  self: PeerKey
  /** A connected peer that is silent for this long is down. Five heartbeats: a stall of a few seconds passes. */
  silentMs: number
  /** Its connection is then given up after this long, so that it can be dialled anew. */
  hangUpMs: number
  /** A connected peer that has not said who it is, is greeted this often. */
  helloMs: number
  /** The first redial; each failure doubles it, up to `redialMaxMs`. */
  redialMinMs: number
  redialMaxMs: number
  /** Of two peers that learn of each other, the one with the greater key waits this long: one dial suffices. */
  staggerMs: number
  /** A peer that was not reached for this long is forgotten, unless a token named it. */
  forgetMs: number
  /** The same for a peer that said goodbye. */
  forgetLeftMs: number
  /** Connections that are sought. Others are accepted. */
  degreeMax: number
  /** Members kept in mind. */
  peersMax: number
}

export interface Member {
  peer: PeerKey
  /** Where it may be dialled: what it says itself, else what others or the token said. */
  addresses: string[]
  /** From the join token: dialled for ever. */
  seed: boolean
  connected: boolean
  up: boolean
  /** It said goodbye, and was not heard since. */
  left: boolean
  announcement?: Announcement
  heardMs: number
  helloMs: number
  dialling: boolean
  failures: number
  nextDialMs: number
  /** Since when it is not connected. */
  goneMs: number
}

export interface MembershipState {
  members: ReadonlyMap<PeerKey, Member>
  /** When the last tick was: a late one means that this peer stalled, not the others. */
  tickMs: number
}

export type MembershipEvent = { nowMs: number } & (
  | { type: 'tick' }
  /** Someone says that `peer` is there: the token (`seed`), mDNS, another peer. */
  | { type: 'found'; peer: PeerKey; addresses: string[]; seed: boolean }
  | { type: 'connected'; peer: PeerKey }
  /** Its last connection closed. */
  | { type: 'disconnected'; peer: PeerKey }
  /** Bytes came from it over its own connection. */
  | { type: 'heard'; peer: PeerKey }
  /** It said this of itself, directly or by gossip. */
  | { type: 'announced'; peer: PeerKey; announcement: Announcement }
  | { type: 'left'; peer: PeerKey }
  | { type: 'dial-failed'; peer: PeerKey }
)

export type MembershipEffect =
  | { type: 'dial'; peer: PeerKey; addresses: string[] }
  /** Exchange announcements and acquaintances. */
  | { type: 'greet'; peer: PeerKey }
  | { type: 'up'; peer: PeerKey }
  | { type: 'down'; peer: PeerKey }
  | { type: 'hang-up'; peer: PeerKey }

export interface MembershipStep {
  state: MembershipState
  effects: MembershipEffect[]
}

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
  if (event.peer === config.self) return { state, effects: [] }
  const known = state.members.get(event.peer)
  if (!known && state.members.size >= config.peersMax) return { state, effects: [] }
  const before = known ?? stranger(event.peer, event.nowMs)
  const { member, effects } = step(config, before, event)
  if (member === known || (!known && member === before)) return { state, effects }
  return { state: { ...state, members: new Map(state.members).set(member.peer, member) }, effects }
}

type PeerEvent = Exclude<MembershipEvent, { type: 'tick' }>

interface MemberStep {
  member: Member
  effects: MembershipEffect[]
}

function step(config: MembershipConfig, member: Member, event: PeerEvent): MemberStep {
  const { nowMs, peer } = event
  switch (event.type) {
    case 'found':
      return { member: found(config, member, event.addresses, event.seed, nowMs), effects: [] }
    case 'connected':
      return {
        member: {
          ...member,
          connected: true,
          left: false,
          // Who had said goodbye and is back leads a new life, and has yet to say which.
          announcement: member.left ? undefined : member.announcement,
          dialling: false,
          failures: 0,
          heardMs: nowMs,
          helloMs: nowMs,
        },
        effects: [{ type: 'greet', peer }],
      }
    case 'disconnected':
      return settle({ ...member, connected: false, goneMs: nowMs, nextDialMs: firstDial(config, peer, nowMs) })
    case 'heard':
      return settle({ ...member, heardMs: Math.max(member.heardMs, nowMs) })
    case 'announced':
      return announced(config, member, event.announcement, nowMs)
    case 'left':
      return settle({ ...member, left: true })
    case 'dial-failed': {
      const failures = member.failures + 1
      return {
        member: { ...member, dialling: false, failures, nextDialMs: nowMs + backoff(config, peer, failures) },
        effects: [],
      }
    }
  }
}

/** Brings `up` in line with the rest, and reports it when it changed. */
function settle(member: Member): MemberStep {
  const up = member.connected && !member.left && member.announcement !== undefined
  if (up === member.up) return { member, effects: [] }
  return { member: { ...member, up }, effects: [{ type: up ? 'up' : 'down', peer: member.peer }] }
}

function found(config: MembershipConfig, member: Member, addresses: string[], seed: boolean, nowMs: number): Member {
  const added = addresses.some(address => !member.addresses.includes(address))
  // While it is connected, what a peer says of itself stands above what others say of it.
  const told = member.connected && member.addresses.length > 0
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

function announced(config: MembershipConfig, member: Member, news: Announcement, nowMs: number): MemberStep {
  const old = member.announcement
  if (old && !isNewer(news, old)) return settle({ ...member, heardMs: Math.max(member.heardMs, nowMs) })
  // A goodbye is undone by a new life only: its last heartbeats may still be on their way round.
  const left = member.left && old !== undefined && news.boot === old.boot
  const firstTime = member.addresses.length === 0 && !member.connected
  const next: Member = {
    ...member,
    left,
    announcement: news,
    addresses: news.addresses.length > 0 ? news.addresses : member.addresses,
    heardMs: nowMs,
    nextDialMs: firstTime ? firstDial(config, member.peer, nowMs) : member.nextDialMs,
  }
  const settled = settle(next)
  const changed = !old || JSON.stringify(old.status) !== JSON.stringify(news.status)
  if (settled.member.up && changed && settled.effects.length === 0) {
    return { member: settled.member, effects: [{ type: 'up', peer: member.peer }] }
  }
  return settled
}

function tick(config: MembershipConfig, state: MembershipState, nowMs: number): MembershipStep {
  // While this peer stalled it heard nobody; the others get that time back.
  const stalledMs = Math.max(0, nowMs - state.tickMs - config.helloMs)
  const members = new Map<PeerKey, Member>()
  const effects: MembershipEffect[] = []
  let sought = 0
  for (const member of state.members.values()) if (member.connected || member.dialling) sought++
  for (const known of state.members.values()) {
    const excused = stalledMs === 0 ? known : { ...known, heardMs: Math.min(nowMs, known.heardMs + stalledMs) }
    const { member, effects: more } = excused.connected
      ? tickConnected(config, excused, nowMs)
      : tickAway(excused, nowMs, sought < config.degreeMax)
    effects.push(...more)
    if (member.dialling && !known.dialling) sought++
    if (!isForgotten(config, member, nowMs)) members.set(member.peer, member)
  }
  return { state: { members, tickMs: nowMs }, effects }
}

function tickConnected(config: MembershipConfig, member: Member, nowMs: number): MemberStep {
  const { peer } = member
  const silentMs = nowMs - member.heardMs
  const effects: MembershipEffect[] = []
  let next = member
  if (member.up && silentMs >= config.silentMs) {
    next = { ...next, up: false }
    effects.push({ type: 'down', peer })
  }
  if (silentMs >= config.hangUpMs) effects.push({ type: 'hang-up', peer })
  else if (!member.announcement && nowMs - member.helloMs >= config.helloMs) {
    next = { ...next, helloMs: nowMs }
    effects.push({ type: 'greet', peer })
  }
  return { member: next, effects }
}

function tickAway(member: Member, nowMs: number, wanted: boolean): MemberStep {
  const due = !member.dialling && member.addresses.length > 0 && nowMs >= member.nextDialMs
  if (!due || (member.left && !member.seed) || (!wanted && !member.seed)) return { member, effects: [] }
  const { peer, addresses } = member
  return { member: { ...member, dialling: true }, effects: [{ type: 'dial', peer, addresses }] }
}

function isForgotten(config: MembershipConfig, member: Member, nowMs: number): boolean {
  if (member.connected || member.dialling || member.seed) return false
  return nowMs - member.goneMs >= (member.left ? config.forgetLeftMs : config.forgetMs)
}

function stranger(peer: PeerKey, nowMs: number): Member {
  return {
    peer,
    addresses: [],
    seed: false,
    connected: false,
    up: false,
    left: false,
    heardMs: nowMs,
    helloMs: nowMs,
    dialling: false,
    failures: 0,
    nextDialMs: nowMs,
    goneMs: nowMs,
  }
}

function firstDial(config: MembershipConfig, peer: PeerKey, nowMs: number): number {
  return nowMs + (config.self < peer ? 0 : config.staggerMs)
}

/** Doubles with each failure; up to a quarter more by the pair's hash, so that redials do not come in step. */
function backoff(config: MembershipConfig, peer: PeerKey, failures: number): number {
  const plain = Math.min(config.redialMaxMs, config.redialMinMs * 2 ** Math.min(failures - 1, 20))
  return plain * (1 + (hash32(`${config.self} ${peer} ${failures}`) % 256) / 1024)
}

function isNewer(news: Announcement, old: Announcement): boolean {
  return news.boot !== old.boot ? news.boot > old.boot : news.seq > old.seq
}

/** As many addresses of one peer are kept as one announcement may name. */
const addressesKept = 16

function merge(first: string[], second: string[]): string[] {
  return [...new Set([...first, ...second])].slice(0, addressesKept)
}
