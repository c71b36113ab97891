/**
 * A whole mesh's membership in one thread: production reducers on encoded messages, a virtual clock, and a world that does what
 * options.ts lists. The same options give the same run. Promised, besides what checks.ts holds after each step: once the network
 * is whole and nobody fails, all that live know each other and forget the dead within a bound, come within their degree, and
 * from then on nobody is called down; in a world that is only slow nobody ever is.
 */
import { prng } from '../../../src/base/prng.ts'
import { reduceMembership } from '../../../src/mesh/membership/membership.ts'
import { createClock } from '../clock.ts'
import { beyondDegree, notYetKnown, PromiseBroken } from './checks.ts'
import { createMember, type SimMember } from './member.ts'
import { memberNames } from './names.ts'
import type { MemberAct, MembershipOptions } from './options.ts'
import { createTransport } from './transport.ts'

/** A moment's way before zero: wall clocks say something plausible. */
const bootMs = 1_700_000_000_000
const lookMs = 250
/** After all know all the mesh is watched for this long. */
const calmMs = 8_000
/** Letting go of neighbours takes a few ticks and a `settled` connection. */
const degreeMs = 30_000

export interface MembershipResult {
  /** Virtual milliseconds from the healing until all knew all. */
  knownMs: number
  /** How often a living peer was called down in the whole run. */
  downs: number
  /** The largest messages, in bytes. */
  largest: { gossip: number; stream: number }
}

/** Throws `PromiseBroken`; `transcript`, when given, is filled. */
export function simulateMembership(options: MembershipOptions, transcript?: string[]): MembershipResult {
  const random = prng(options.seed ^ 0x3e3b)
  const clock = createClock(0)
  const names = memberNames(options.peers.length)
  const transport = createTransport(options, clock, random.next)
  const lives: (SimMember | undefined)[] = names.map(() => undefined)
  const all: SimMember[] = []
  const count = names.map(() => 0)
  const ports = names.map(() => 1)
  const wallMs = names.map(() => bootMs)
  const ended = new Set<number>()
  const log = (line: string) => transcript?.push(`${(clock.nowMs() / 1000).toFixed(3).padStart(8)} ${line}`)

  function born(index: number): void {
    if (lives[index]) return
    const member = createMember({
      options,
      index,
      life: count[index]++,
      port: ports[index],
      names,
      clock,
      random: random.next,
      transport,
      reduce: options.reduce ?? reduceMembership,
      boot: Math.round(wallMs[index] + clock.nowMs()),
      log,
    })
    log(`m${index} IS BORN`)
    ended.delete(index)
    lives[index] = member
    all.push(member)
    transport.put(index, member)
    member.begin()
  }

  function die(member: SimMember, backMs: number | undefined): void {
    log(`m${member.index} ENDS`)
    member.alive = false
    lives[member.index] = undefined
    transport.died(member)
    if (backMs === undefined) ended.add(member.index)
    else clock.after(backMs, () => born(member.index))
  }

  function perform(act: MemberAct): void {
    const member = 'peer' in act ? lives[act.peer] : undefined
    switch (act.do) {
      case 'crash':
        if (!member) return
        if (act.movesPort) ports[act.peer]++
        return die(member, act.backMs)
      case 'leave':
        member?.sayGoodbye()
        return clock.after(400, () => member?.alive && die(member, act.backMs))
      case 'pause': {
        if (!member) return
        log(`m${act.peer} PAUSES for ${act.forMs}`)
        member.pausedUntilMs = clock.nowMs() + act.forMs
        if (act.sleeps) member.soon(() => member.woke())
        return
      }
      case 'part':
        log(`PARTS ${act.group.map(index => `m${index}`).join(' ')} for ${act.forMs}`)
        return transport.part(act.group, act.forMs)
      case 'cut': {
        const [a, b] = [lives[act.a], lives[act.b]]
        if (a && b && a !== b) transport.close(a, act.b)
        return
      }
      case 'clock':
        wallMs[act.peer] += act.byMs
        return
    }
  }

  options.peers.forEach(({ bornMs }, index) => {
    clock.after(bornMs, () => born(index))
  })
  for (const act of options.acts) clock.after(act.atMs, () => perform(act))
  const lastMs = Math.max(
    options.healMs,
    ...options.peers.map(({ bornMs }) => bornMs),
    ...options.acts.map(act => act.atMs + ('backMs' in act ? (act.backMs ?? 0) : 'forMs' in act ? act.forMs : 0)),
  )
  const knownBy = options.knownMs + Math.max(0, lastMs - options.healMs)
  const living = () => lives.flatMap(member => (member ? [member] : []))
  const downs = () => all.reduce((sum, member) => sum + member.calledDown.length, 0)
  const look = (atMs: number) => {
    while (clock.step(atMs))
      if (options.onlySlow && downs() > 0) throw new PromiseBroken('a slow peer is not called dead')
  }

  look(lastMs)
  let atMs = lastMs
  for (;;) {
    const missing = notYetKnown(living(), names)
    if (missing === undefined) break
    if (atMs >= knownBy) throw new PromiseBroken(`once the network is whole, all that live know each other: ${missing}`)
    atMs += lookMs
    look(atMs)
  }
  const knownMs = atMs - lastMs
  // Word of what happened before may still come round.
  atMs += 2_000
  look(atMs)
  const before = downs()
  atMs += calmMs
  look(atMs)
  if (downs() > before) throw new PromiseBroken('in a whole network nobody that lives is called down')
  const degreeBy = atMs + degreeMs
  for (;;) {
    const over = beyondDegree(living(), options.degreeMax, member => transport.degree(member))
    if (over === undefined) break
    if (atMs >= degreeBy) throw new PromiseBroken(`nobody keeps more connections than its degree: ${over}`)
    atMs += lookMs
    look(atMs)
  }
  const missing = notYetKnown(living(), names)
  if (missing) throw new PromiseBroken(`all go on to know each other: ${missing}`)
  return {
    knownMs,
    downs: downs(),
    largest: {
      gossip: Math.max(...all.map(member => member.largest.gossip)),
      stream: Math.max(...all.map(member => member.largest.stream)),
    },
  }
}
