/**
 * The connections of a simulated mesh, as TCP and gossipsub behave: what is said over a connection arrives in order, late where
 * a packet was lost, and not before a partition heals; an end is seen at the other side only if word of it gets there; gossip
 * floods over the connections, and is lost hop by hop.
 */
import type { Clock } from '../clock.ts'
import type { MembershipOptions } from './options.ts'

/** Retransmission of a lost packet. */
const retryMs = 250
/** A new connection's gossip streams open some time after it. */
const gossipAfterMs = 300
/** As long as libp2p tries. */
const dialMsMax = 12_000

export interface Station {
  readonly index: number
  /** Of this process; a message to an earlier life is lost. */
  readonly life: number
  readonly port: number
  /** Runs `what` when the peer looks at it: later when it is slow, after its pause, never when it is dead. */
  soon(what: () => void): void
  /** It stands still: whoever dials it waits. */
  paused(): boolean
  connected(peer: number, accepted: boolean): void
  disconnected(peer: number): void
  gossip(bytes: Uint8Array, topic: string, from: number): void
}

interface Line {
  ends: [Station, Station]
  /** Each end's view: whether it has the connection. */
  open: [boolean, boolean]
  /** When the last message each way arrives: they keep their order. */
  lastMs: [number, number]
  madeMs: number
}

export interface Transport {
  put(index: number, station: Station | undefined): void
  /** `done(false)` when nobody answered. */
  dial(from: Station, to: number, port: number, done: (made: boolean) => void): void
  /** Over a connection; lost when it ends first. */
  send(from: Station, to: number, receive: () => void): boolean
  /** `from` ends its connections to `to`. */
  close(from: Station, to: number): void
  /** The process ended: the other ends see it. */
  died(station: Station): void
  publish(from: Station, topic: string, bytes: Uint8Array): void
  part(group: number[], forMs: number): void
  degree(station: Station): number
}

export function createTransport(options: MembershipOptions, clock: Clock, random: () => number): Transport {
  const stations: (Station | undefined)[] = []
  let lines: Line[] = []
  const parts = new Set<Set<number>>()
  const seen = new Map<Station, Set<number>>()
  let messages = 0
  const faulty = () => clock.nowMs() < options.healMs
  const delay = () => options.delayMs.min + random() * (options.delayMs.max - options.delayMs.min)
  const apart = (a: number, b: number) => [...parts].some(group => group.has(a) !== group.has(b))
  const side = (line: Line, station: Station) => (line.ends[0] === station ? 0 : 1)
  const linesOf = (station: Station) =>
    lines.filter(line => line.ends.includes(station) && line.open[side(line, station)])
  const lineTo = (station: Station, to: number) =>
    linesOf(station).find(line => line.ends[1 - side(line, station)].index === to)

  /** One end of a line is gone; the peer is told when it was its last to that other one. */
  function shut(line: Line, end: 0 | 1): void {
    if (!line.open[end]) return
    line.open[end] = false
    const station = line.ends[end]
    const other = line.ends[1 - end].index
    if (!line.open[0] && !line.open[1]) lines = lines.filter(one => one !== line)
    station.soon(() => {
      if (!lineTo(station, other)) station.disconnected(other)
    })
  }

  /** Word of an end travels as anything does; in a partition it never gets there. */
  function tellOther(line: Line, end: 0 | 1): void {
    const [a, b] = line.ends
    if (apart(a.index, b.index)) return
    clock.after(delay(), () => shut(line, end === 0 ? 1 : 0))
  }

  function deliver(line: Line, from: 0 | 1, receive: () => void): void {
    const to = from === 0 ? 1 : 0
    const [a, b] = line.ends
    if (!line.open[from]) return
    // What is under way waits for the healing, and is lost with the connection.
    if (apart(a.index, b.index)) return clock.after(retryMs, () => deliver(line, from, receive))
    if (!line.open[to]) return shut(line, from)
    const lost = faulty() || options.onlySlow ? options.packetLossRate : 0
    const wayMs = delay() + (random() < lost ? retryMs : 0)
    line.lastMs[from] = Math.max(line.lastMs[from], clock.nowMs() + wayMs)
    clock.after(line.lastMs[from] - clock.nowMs(), () => {
      if (line.open[to]) line.ends[to].soon(receive)
    })
  }

  function flood(at: Station, id: number, topic: string, bytes: Uint8Array, author: number, except?: Line): void {
    const known = seen.get(at) ?? new Set()
    seen.set(at, known)
    if (known.has(id)) return
    known.add(id)
    for (const line of linesOf(at)) {
      if (line === except || clock.nowMs() - line.madeMs < gossipAfterMs) continue
      const end = side(line, at)
      const other = line.ends[1 - end]
      if (apart(at.index, other.index) || (faulty() && random() < options.gossipLossRate)) continue
      const copies = random() < options.gossipDuplicateRate ? 2 : 1
      clock.after(delay(), () => {
        if (!line.open[1 - end]) return
        other.soon(() => {
          if (other.index !== author) {
            const first = !(seen.get(other)?.has(id) ?? false)
            // Gossipsub forgets what it saw, too.
            if (first || copies === 2) other.gossip(bytes, topic, author)
          }
          flood(other, id, topic, bytes, author, line)
        })
      })
    }
  }

  return {
    put(index, station) {
      stations[index] = station
    },
    dial(from, to, port, done) {
      const begunMs = clock.nowMs()
      const attempt = () => {
        const target = stations[to]
        const late = clock.nowMs() - begunMs >= dialMsMax
        if (late || (!apart(from.index, to) && (!target || target.port !== port))) return from.soon(() => done(false))
        if (apart(from.index, to) || target?.paused()) return clock.after(retryMs, attempt)
        if (!target || stations[from.index] !== from) return
        const line: Line = { ends: [from, target], open: [true, true], lastMs: [0, 0], madeMs: clock.nowMs() }
        const known = [lineTo(from, to), lineTo(target, from.index)]
        lines.push(line)
        if (!known[1]) target.soon(() => target.connected(from.index, true))
        from.soon(() => {
          if (!known[0]) from.connected(to, false)
          done(line.open[0])
        })
      }
      clock.after(3 * delay(), attempt)
    },
    send(from, to, receive) {
      const line = lineTo(from, to)
      if (!line) return false
      deliver(line, side(line, from), receive)
      return true
    },
    close(from, to) {
      for (const line of linesOf(from)) {
        const end = side(line, from)
        if (line.ends[1 - end].index !== to) continue
        shut(line, end)
        tellOther(line, end)
      }
    },
    died(station) {
      stations[station.index] = undefined
      for (const line of linesOf(station)) {
        const end = side(line, station)
        line.open[end] = false
        tellOther(line, end)
      }
    },
    publish(from, topic, bytes) {
      flood(from, messages++, topic, bytes, from.index)
    },
    part(group, forMs) {
      const set = new Set(group)
      parts.add(set)
      clock.after(forMs, () => parts.delete(set))
    },
    degree: station => new Set(linesOf(station).map(line => line.ends[1 - side(line, station)].index)).size,
  }
}
