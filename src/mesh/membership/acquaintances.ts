/**
 * The list of peers that a peer knows, as it tells it: a digest, to find out whether both know the same peers, and the whole list
 * when two peers connect. Pure.
 */
import type { PeerKey } from '../../base/ids.ts'
import { hash32 } from '../../base/prng.ts'
import type { Member } from './membership-state.ts'
import { type Acquaintances, type Told, toldMax } from './messages.ts'

type Members = ReadonlyMap<PeerKey, Member>

/** Of `self`, those that it hears, and `other`: two that know the same ones, and each other, say the same. */
export function acquaintancesOf(self: PeerKey, other: PeerKey, members: Members): Acquaintances {
  let hash = hash32(self) ^ hash32(other)
  let count = 2
  for (const member of members.values()) {
    if (!member.up || member.peer === other) continue
    hash ^= hash32(member.peer)
    count++
  }
  return { count, hash: hash >>> 0 }
}

/** What is told of `member`; undefined of one that is not heard. */
export function toldOf(member: Member | undefined, nowMs: number): Told | undefined {
  if (!member?.up || !member.announcement) return undefined
  const { peer, announcement, heardMs } = member
  return { peer, announcement, ageMs: Math.max(0, Math.round(nowMs - heardMs)) }
}

/** Those that are heard, for `to`; of many, others for each, so that the mesh is mixed well. */
export function knownFor(to: PeerKey, members: Members, nowMs: number): Told[] {
  const known = [...members.values()].flatMap(member => (member.peer === to ? [] : (toldOf(member, nowMs) ?? [])))
  if (known.length <= toldMax) return known
  const order = new Map(known.map(({ peer }) => [peer, hash32(`${to} ${peer}`)]))
  return known.sort((a, b) => (order.get(a.peer) ?? 0) - (order.get(b.peer) ?? 0)).slice(0, toldMax)
}
