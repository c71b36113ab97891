/**
 * Takes in what a peer says of itself and what other peers say of it. Invariant: the newest of a peer's own statements
 * holds, and each of them overrides hearsay.
 */
import {
  farMs,
  firstDial,
  type Member,
  type MemberStep,
  type MembershipConfig,
  type MembershipEffect,
  type MembershipEvent,
  type Pace,
  settle,
} from './membership-state.ts'
import type { Announcement } from './messages.ts'

/** `direct`: over its own connection; else by gossip, which tells of a neighbour's status alone, not that it is heard. */
export function announced(
  config: MembershipConfig,
  member: Member,
  news: Announcement,
  direct: boolean,
  nowMs: number,
): MemberStep {
  const old = member.announcement
  // Right after a connection broke, its last heartbeats are still on their way round.
  const stale = member.lostMs !== undefined && nowMs - member.lostMs < config.rumourMs && old?.boot === news.boot
  const alive = direct || (!member.connected && !stale)
  const greeted = member.greeted || (direct && member.connected)
  const heard = alive ? { heardMs: Math.max(member.heardMs, nowMs), hung: false, doubted: false } : {}
  const supersedes = !old || member.hearsay || isNewer(news, old) || isReborn(member, news, direct, nowMs)
  if (!supersedes) return settle({ ...member, greeted, ...(direct ? heard : {}) })
  // A goodbye is undone by a new life only: its last heartbeats may still be on their way round.
  const left = member.left && old !== undefined && news.boot === old.boot
  const firstTime = member.addresses.length === 0 && !member.connected
  const settled = settle({
    ...member,
    ...heard,
    greeted,
    left,
    far: !member.connected && (member.far || (alive && !direct)) && !left,
    hearsay: false,
    pace: paceOf(member.pace, news, nowMs),
    announcement: news,
    addresses: news.addresses.length > 0 ? news.addresses : member.addresses,
    nextDialMs: firstTime ? firstDial(config, member.peer, nowMs) : member.nextDialMs,
  })
  const changed = !old || JSON.stringify(old.status) !== JSON.stringify(news.status)
  const effects: MembershipEffect[] =
    settled.member.up && changed && settled.effects.length === 0 ? [{ type: 'up', peer: member.peer }] : settled.effects
  // Its own first words over a connection: gossip may not reach it yet.
  const newcomer = direct && old?.boot !== news.boot
  return { member: settled.member, effects: newcomer ? [...effects, { type: 'tell', peer: member.peer }] : effects }
}

/**
 * What one peer says of another is good for making acquaintance, and for as long as the other's own heartbeats take:
 * it never replaces what is known of one that is up, and ends as the silence of a far peer does.
 */
export function told(
  config: MembershipConfig,
  member: Member,
  event: Extract<MembershipEvent, { type: 'told' }>,
  members: number,
): MemberStep {
  const { announcement: news, ageMs, nowMs, by, peer } = event
  const old = member.announcement
  const heardMs = nowMs - ageMs
  if (member.connected || (member.up && !member.hearsay) || ageMs >= farMs(config, news, members)) return same(member)
  const newLife = old && old.boot !== news.boot
  if (newLife && old.boot > news.boot && !isReborn(member, news, false, nowMs)) return same(member)
  if (old && !newLife && (member.left || old.seq >= news.seq)) return same(member)
  // It ended, or a neighbour of its own said so; only what was heard after that tells otherwise.
  if (member.lostMs !== undefined && heardMs - member.lostMs < config.rumourMs) return same(member)
  const settled = settle({
    ...member,
    // Of a stranger, that is when it was first named.
    heardMs: old ? Math.max(member.heardMs, heardMs) : heardMs,
    left: false,
    far: true,
    hearsay: true,
    announcement: news,
    addresses: news.addresses.length > 0 ? news.addresses : member.addresses,
    nextDialMs: member.addresses.length === 0 ? firstDial(config, peer, nowMs) : member.nextDialMs,
  })
  const tell: MembershipEffect[] = old?.boot === news.boot ? [] : [{ type: 'tell', peer, by }]
  return { member: settled.member, effects: [...settled.effects, ...tell] }
}

/** Longer than gossip of an earlier life is on its way. */
const rebornMs = 10_000

/**
 * A later life may have the smaller number: its machine's clock was set back, or starts from nothing each time. Who says so over
 * its own connection lives now; of others it is believed once they have been gone for a while, unless that life was seen before.
 */
function isReborn(member: Member, news: Announcement, direct: boolean, nowMs: number): boolean {
  const { announcement: old, pace, up, lostMs, goneMs } = member
  if (!old || news.boot >= old.boot || news.boot === pace?.bootBefore) return false
  return direct || (!up && nowMs - Math.max(lostMs ?? 0, goneMs) >= rebornMs)
}

/** What is more than this out of date was not on its way all the time: gossip lives for seconds, a silent connection for 15. */
const outOfDateMs = 60_000

function paceOf(pace: Pace | undefined, { boot, seq }: Announcement, nowMs: number): Pace {
  if (pace?.boot !== boot) return { boot, bootBefore: pace?.boot, bornMs: nowMs, seq, markMs: nowMs }
  if (nowMs - pace.markMs < outOfDateMs) return pace
  return { ...pace, seq, markMs: nowMs, seqBefore: pace.seq }
}

/**
 * How gossip of `member` stands to what is known of it: news; `stale`, and not worth passing on; `replayed`, long superseded; or
 * `contradictory`, other than what it said under the same number.
 */
export function judgeNews(
  member: Member | undefined,
  news: Announcement,
  nowMs: number,
): 'news' | 'stale' | 'replayed' | 'contradictory' {
  const { announcement: old, pace, hearsay } = member ?? {}
  if (!member || !old || isNewer(news, old) || isReborn(member, news, false, nowMs)) return 'news'
  if (hearsay || !pace) return 'stale'
  if (news.boot < pace.boot) {
    return news.boot === pace.bootBefore && nowMs - pace.bornMs >= outOfDateMs ? 'replayed' : 'stale'
  }
  if (news.seq === old.seq) return sameWords(news, old) ? 'stale' : 'contradictory'
  return pace.seqBefore !== undefined && news.seq <= pace.seqBefore ? 'replayed' : 'stale'
}

function sameWords(a: Announcement, b: Announcement): boolean {
  const words = ({ everyMs, degree, status, addresses }: Announcement) =>
    JSON.stringify([everyMs, degree, Object.entries(status).sort(), addresses])
  return words(a) === words(b)
}

const same = (member: Member): MemberStep => ({ member, effects: [] })

function isNewer(news: Announcement, old: Announcement): boolean {
  return news.boot !== old.boot ? news.boot > old.boot : news.seq > old.seq
}
