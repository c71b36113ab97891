/**
 * Timer events of a membership: detects silence, asks, dials, disconnects and forgets peers. Invariant: a
 * tick excuses the silence that this peer's own stall made, and never brings the sought connections above the degree.
 */
import type { PeerKey } from '../../base/ids.ts'
import { hash32 } from '../../base/prng.ts'
import {
  farMs,
  isParting,
  type Member,
  type MemberStep,
  type MembershipConfig,
  type MembershipEffect,
  type MembershipState,
  type MembershipStep,
  settle,
} from './membership-state.ts'

/** A peer that is this late for long is of little use anyway. */
const lagMsMax = 1_000
/** Of the lag at one tick, what is left of it at the next: a single stall is forgotten in some three seconds. */
const lagKept = 0.8

export function tick(config: MembershipConfig, state: MembershipState, nowMs: number): MembershipStep {
  // While this peer stalled it heard nobody; the others get that time back.
  const stalledMs = Math.max(0, nowMs - state.tickMs - config.pingMs)
  const lagMs = Math.min(lagMsMax, Math.max(nowMs - state.tickMs - config.pingMs, lagKept * (state.lagMs ?? 0)))
  const patient = lagMs > 0 ? { ...config, silentMs: config.silentMs + 2 * lagMs } : config
  const members = new Map<PeerKey, Member>()
  const effects: MembershipEffect[] = []
  const up = [...state.members.values()].filter(member => member.up).length
  for (const known of state.members.values()) {
    // After a long stall what they said meanwhile is about to be read.
    const leastMs = stalledMs >= config.silentMs && !known.hung ? nowMs - config.silentMs / 2 : 0
    const heardMs = Math.max(leastMs, Math.min(nowMs, known.heardMs + stalledMs))
    const waited = stalledMs === 0 ? known : { ...known, heardMs }
    const pardoned = waited.refusedMs !== undefined && nowMs >= waited.refusedMs
    const excused = pardoned ? { ...waited, refusedMs: undefined, nextDialMs: nowMs, failures: 0 } : waited
    const { member, effects: more } = excused.connected
      ? tickNeighbour(patient, excused, nowMs)
      : tickAway(config, excused, up, nowMs)
    effects.push(...more)
    if (!isForgotten(config, member, nowMs)) members.set(member.peer, member)
  }
  const late = nowMs - state.tickMs > 1.5 * config.tickMs
  const { probes, sought } = toDial(config, members, late, state.soughtMs ?? Number.NEGATIVE_INFINITY, nowMs)
  for (const member of [...probes, ...sought]) {
    members.set(member.peer, { ...member, dialling: true })
    effects.push({ type: 'dial', peer: member.peer, addresses: member.addresses })
  }
  for (const member of toPart(config, members, nowMs)) {
    members.set(member.peer, { ...member, partedMs: nowMs })
    effects.push({ type: 'part', peer: member.peer })
  }
  const refute = state.refuteMs !== undefined && nowMs >= state.refuteMs
  if (refute) effects.push({ type: 'beat' })
  return {
    state: {
      members,
      tickMs: nowMs,
      lagMs: Math.max(0, lagMs),
      soughtMs: sought.length > 0 ? nowMs : state.soughtMs,
      refuteMs: refute ? undefined : state.refuteMs,
    },
    effects,
  }
}

function tickNeighbour(config: MembershipConfig, member: Member, nowMs: number): MemberStep {
  const { peer } = member
  const silentMs = nowMs - member.heardMs
  const effects: MembershipEffect[] = []
  let next = member
  // One that has not greeted may be a dial that its maker gave up: gossip says whether the peer is up.
  if (silentMs >= config.silentMs && !member.hung && member.greeted) {
    const settled = settle({ ...next, hung: true })
    next = settled.member
    effects.push(...settled.effects)
    const { announcement } = member
    if (member.up && announcement) effects.push({ type: 'report', peer, boot: announcement.boot, left: false })
  }
  if (silentMs >= (member.doubted ? config.silentMs : config.hangUpMs)) {
    return { member: next, effects: [...effects, { type: 'hang-up', peer }] }
  }
  if (!member.greeted && nowMs - member.helloMs >= config.helloMs) {
    next = { ...next, helloMs: nowMs }
    effects.push({ type: 'greet', peer })
  } else if (member.announcement && silentMs >= config.pingMs && nowMs - member.pingMs >= config.pingMs) {
    next = { ...next, pingMs: nowMs }
    effects.push({ type: 'ping', peer })
  }
  return { member: next, effects }
}

function tickAway(config: MembershipConfig, member: Member, up: number, nowMs: number): MemberStep {
  const { announcement } = member
  if (!member.far || (announcement && nowMs - member.heardMs < farMs(config, announcement, up)))
    return { member, effects: [] }
  return settle({ ...member, far: false, goneMs: nowMs })
}

interface ToDial {
  /** Members that no peer has heard from lately. */
  probes: Member[]
  /** Neighbours to be, in an order of this peer's own, so that the mesh is mixed well. */
  sought: Member[]
}

function toDial(
  config: MembershipConfig,
  members: ReadonlyMap<PeerKey, Member>,
  late: boolean,
  soughtMs: number,
  nowMs: number,
): ToDial {
  const all = [...members.values()]
  const ready = all.filter(
    member =>
      !member.connected &&
      !member.dialling &&
      member.refusedMs === undefined &&
      member.addresses.length > 0 &&
      nowMs >= member.nextDialMs &&
      (!member.left || member.seed),
  )
  if (ready.length === 0) return { probes: [], sought: [] }
  const busy = all.filter(member => member.connected || member.dialling).length
  const isProbe = (member: Member) => !member.far && (member.seed || isLost(config, member, nowMs))
  const dialling = all.filter(member => member.dialling)
  const probing = dialling.filter(isProbe).length
  const probes = bySeed(ready.filter(isProbe)).slice(0, Math.max(0, config.probesMax - probing))
  const seeking = dialling.length - probing
  const enough = busy + probes.length >= degreeWanted(config)
  // The first connection is enough to begin with, and a machine that is late has enough to do.
  const connected = all.filter(member => member.connected)
  const firstMs = Math.min(nowMs, ...connected.map(member => member.connectedMs))
  const few = busy < degreeLeast(config)
  const pauseMs = connected.length === 0 ? 0 : config.seekMs * (few ? 1 : 2) * (late ? 2 : 1)
  const waitedMs = nowMs - Math.max(soughtMs, firstMs)
  if (enough || seeking >= (late ? 1 : config.seekingMax) || waitedMs < pauseMs) return { probes, sought: [] }
  const order = (member: Member) => hash32(`${config.self} ${member.peer}`)
  const full = (member: Member) => ((member.announcement?.degree ?? 0) >= config.degreeMax ? 1 : 0)
  const sought = ready
    .filter(member => !probes.includes(member))
    .sort((a, b) => full(a) - full(b) || order(a) - order(b))
    .slice(0, 1)
  return { probes, sought }
}

/** It was up once, or was named long enough ago that gossip would have told of it. */
function isLost(config: MembershipConfig, member: Member, nowMs: number): boolean {
  return member.announcement !== undefined || nowMs - member.goneMs >= config.strangerMs
}

function bySeed(members: Member[]): Member[] {
  return members.toSorted((a, b) => Number(b.seed) - Number(a.seed) || a.nextDialMs - b.nextDialMs)
}

export function degreeWanted({ degreeMax }: MembershipConfig): number {
  return Math.ceil((2 * degreeMax) / 3)
}

function degreeLeast({ degreeMax }: MembershipConfig): number {
  return Math.ceil(degreeMax / 3)
}

/** A connection so young may be about to be used. */
const settleMs = 2_000
/** In one tick: both sides may let go of each other's neighbours at once. */
const partsMax = 4

/** Beyond the degree: idle neighbours that have enough others, those with the most first. */
function toPart(config: MembershipConfig, members: ReadonlyMap<PeerKey, Member>, nowMs: number): Member[] {
  const connected = [...members.values()].filter(member => member.connected && !isParting(member, nowMs))
  const excess = connected.length - config.degreeMax
  if (excess <= 0) return []
  const least = degreeLeast(config)
  const degree = (member: Member) => member.announcement?.degree ?? 0
  const order = (member: Member) => hash32(`${config.self} ${member.peer}`)
  return connected
    .filter(
      member =>
        degree(member) > least &&
        nowMs - member.connectedMs >= settleMs &&
        (member.usedMs === undefined || nowMs - member.usedMs >= config.idleMs),
    )
    .sort((a, b) => degree(b) - degree(a) || order(b) - order(a))
    .slice(0, Math.min(excess, partsMax))
}

function isForgotten(config: MembershipConfig, member: Member, nowMs: number): boolean {
  if (member.connected || member.far || member.dialling || member.seed) return false
  return nowMs - member.goneMs >= (member.left ? config.forgetLeftMs : config.forgetMs)
}
