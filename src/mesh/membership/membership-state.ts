/** The vocabulary of membership: its knobs, what is kept of a member, what may happen, what is then to be done. */
import type { PeerKey } from '../../base/ids.ts'
import type { Announcement } from './messages.ts'

/** Every knob, with its trade-off. */
export interface MembershipConfig {
  self: PeerKey
  /** Ticks come this often. One that comes later says that this machine has too much to do. */
  tickMs: number
  /** A neighbour that is silent for this long is down. Four pings: one that is busy for a second is not. */
  silentMs: number
  /** A neighbour that was not heard for this long is asked for a sign of life, this often. */
  pingMs: number
  /** A hung neighbour's connection is given up after this long, so that it can be dialled anew. */
  hangUpMs: number
  /** A connected peer that has not said who it is, is greeted this often. */
  helloMs: number
  /** A far member is down after as many heartbeats of its own pace were missed, and a second more. */
  farBeats: number
  /** What is gossiped of a peer within this time after its connection broke was said before. Longer than gossip takes. */
  rumourMs: number
  /** The first redial; each failure doubles it, up to `redialMaxMs`. */
  redialMinMs: number
  redialMaxMs: number
  /** Of two peers that learn of each other, the one with the greater key waits this long: one dial suffices. */
  staggerMs: number
  /** A peer that others named and nobody hears is dialled after this long, even by who has neighbours enough. */
  strangerMs: number
  /** A peer that was not reached for this long is forgotten, unless a token named it. */
  forgetMs: number
  /** The same for a peer that said goodbye. */
  forgetLeftMs: number
  /**
   * Connections that a peer keeps when they are idle; two thirds of it are sought, and nobody with less than a third
   * is let go of. Gossip needs some six; more finds failures sooner, and each costs 11 ms to make and a ping to keep.
   */
  degreeMax: number
  /** A connection that carried a request so lately is in use, and kept beyond the degree. */
  idleMs: number
  /** Dials at a time of those that are not up, beside those of neighbours that are sought. */
  probesMax: number
  /**
   * The first neighbour is sought at once, who tells of all others; then one in this time up to a third of the degree, and in
   * twice this time beyond: a crowd that starts together would be busy with connections before all know all.
   */
  seekMs: number
  /** Dials at a time of neighbours that are sought. Some take seconds to fail. */
  seekingMax: number
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
  /** It said who it is over this connection. */
  greeted: boolean
  /** Not connected, and heard by gossip. */
  far: boolean
  /** What is known of it others said: its own word, whatever it is, stands above that. */
  hearsay: boolean
  /** Connected, and silent for too long. */
  hung: boolean
  /** Connected before this machine slept, and not heard since. */
  doubted: boolean
  /** When one side said that it lets go of the connection. */
  partedMs?: number
  up: boolean
  /** It said goodbye, and was not heard since. */
  left: boolean
  /** It broke the rules, and is neither heard nor dialled until then. */
  refusedMs?: number
  /** What of its heartbeats would be out of date; see `Pace`. */
  pace?: Pace
  announcement?: Announcement
  heardMs: number
  helloMs: number
  /** When it was last asked for a sign of life. */
  pingMs: number
  connectedMs: number
  /** When the connection last carried a request. */
  usedMs?: number
  /** When its connection, or a neighbour's to it, broke. */
  lostMs?: number
  dialling: boolean
  failures: number
  nextDialMs: number
  /** Since when it is not connected. */
  goneMs: number
}

/**
 * How far a peer had come, a while ago: gossip that is older than that took no detour, it is somebody's replay. Gossip itself drops
 * what it saw within the last two minutes.
 */
export interface Pace {
  boot: number
  /** Of the life before. */
  bootBefore?: number
  /** When the first heartbeat of this life came. */
  bornMs: number
  /** The newest of its announcements at `markMs`, and at an earlier mark. */
  seq: number
  markMs: number
  seqBefore?: number
}

export interface MembershipState {
  members: ReadonlyMap<PeerKey, Member>
  /** When the last tick was: a late one means that this peer stalled, not the others. */
  tickMs: number
  /** When a neighbour was sought last. */
  soughtMs?: number
  /** How late ticks came lately: who is late itself gives others longer to answer. */
  lagMs?: number
  /** When this peer, which was reported lost, says that it lives. */
  refuteMs?: number
}

export type MembershipEvent = { nowMs: number } & (
  | { type: 'tick' }
  /** The machine slept, and its clock stood still meanwhile. */
  | { type: 'woke' }
  /** Someone says that `peer` is there: the token (`seed`), mDNS, another peer. */
  | { type: 'found'; peer: PeerKey; addresses: string[]; seed: boolean }
  /** `accepted`: it dialled, and so greets first. */
  | { type: 'connected'; peer: PeerKey; accepted?: boolean }
  /** Its last connection closed. */
  | { type: 'disconnected'; peer: PeerKey }
  /** Bytes came from it over its own connection. */
  | { type: 'heard'; peer: PeerKey }
  /** The connection carried a request, either way. */
  | { type: 'used'; peer: PeerKey }
  /** It said this of itself, directly or by gossip. */
  | { type: 'announced'; peer: PeerKey; announcement: Announcement; direct: boolean }
  /** Another peer says that it heard this of `peer`, `ageMs` ago. */
  | { type: 'told'; peer: PeerKey; by: PeerKey; announcement: Announcement; ageMs: number }
  | { type: 'left'; peer: PeerKey }
  /** It closes its connection to this peer, and lives on. */
  | { type: 'parted'; peer: PeerKey }
  /** It could not be told that this peer closes the connection, which stays. */
  | { type: 'kept'; peer: PeerKey }
  /** A neighbour of `peer` gossips that the life which began at `boot` ended, or left. */
  | { type: 'reported'; peer: PeerKey; boot: number; left: boolean }
  /** It asks to be dialled. */
  | { type: 'called'; peer: PeerKey }
  | { type: 'dial-failed'; peer: PeerKey }
  /** It keeps breaking the rules. */
  | { type: 'refused'; peer: PeerKey; untilMs: number }
)

export type MembershipEffect =
  | { type: 'dial'; peer: PeerKey; addresses: string[] }
  /** Exchange announcements and acquaintances. */
  | { type: 'greet'; peer: PeerKey }
  /** Ask for a sign of life. */
  | { type: 'ping'; peer: PeerKey }
  | { type: 'up'; peer: PeerKey }
  | { type: 'down'; peer: PeerKey }
  | { type: 'hang-up'; peer: PeerKey }
  /** Tell it that the connection is not needed, and close it. */
  | { type: 'part'; peer: PeerKey }
  /** Tell neighbours, but for `by`, of a newcomer that gossip does not tell them of. */
  | { type: 'tell'; peer: PeerKey; by?: PeerKey }
  /** Gossip that it ended. */
  | { type: 'report'; peer: PeerKey; boot: number; left: boolean }
  /** Announce this peer now. */
  | { type: 'beat' }

export interface MembershipStep {
  state: MembershipState
  effects: MembershipEffect[]
}

export interface MemberStep {
  member: Member
  effects: MembershipEffect[]
}

/** Brings `up` in line with the rest, and reports it when it changed. */
export function settle(member: Member): MemberStep {
  const heard = member.connected ? !member.hung : member.far
  const up = heard && !member.left && member.refusedMs === undefined && member.announcement !== undefined
  if (up === member.up) return { member, effects: [] }
  return { member: { ...member, up }, effects: [{ type: up ? 'up' : 'down', peer: member.peer }] }
}

/** One side lets go of the connection, which closes within this time or stays. */
const partMsMax = 10_000

export function isParting(member: Member, nowMs: number): boolean {
  return member.partedMs !== undefined && nowMs - member.partedMs < partMsMax
}

const heartbeatMsMin = 1_000
const heartbeatMsMax = 10_000
/** Every heartbeat costs every peer a signature to check, some 0.2 ms, and some copies to take and pass on: 8 a second, however many peers there are. */
const heartbeatMsPeer = 125

/** The pace of heartbeats in a mesh of so many members. */
export function heartbeatMs(members: number): number {
  return Math.min(heartbeatMsMax, Math.max(heartbeatMsMin, heartbeatMsPeer * members))
}

/**
 * A far member whose announcement is this old is no longer heard. One that announced itself to few, and found many, beats
 * as slowly as all of them.
 */
export function farMs({ farBeats }: MembershipConfig, { everyMs }: Announcement, members: number): number {
  return farBeats * Math.max(everyMs, heartbeatMs(members)) + 1_000
}

export function firstDial(config: MembershipConfig, peer: PeerKey, nowMs: number): number {
  return nowMs + (config.self < peer ? 0 : config.staggerMs)
}
