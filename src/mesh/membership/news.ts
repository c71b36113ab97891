/**
 * News of newcomers on its way to the neighbours: at once, but what comes within a moment travels together, one message
 * at a time to each. A message that does not get through is not repeated: heartbeats tell the same, only later.
 */
import type { PeerKey } from '../../base/ids.ts'
import type { Requests } from '../requests/requests.ts'
import { encodeNews, newsProtocol, type Told, toldMax } from './messages.ts'

export interface News {
  /** Tells every neighbour of `peer`, but for itself and for `by`, who told this peer. */
  tell(peer: PeerKey, by?: PeerKey): void
  stop(): void
}

export interface NewsDeps {
  requests: Pick<Requests, 'request'>
  neighbours: () => PeerKey[]
  /** The newest of a peer; undefined when it is not heard any more. */
  told: (peer: PeerKey) => Told | undefined
}

/** A crowd that arrives together is told of together; a lone newcomer does not wait long. */
const collectMs = 100
const timeoutMs = 5_000

export function createNews({ requests, neighbours, told }: NewsDeps): News {
  /** For each neighbour, whom it is to be told of. */
  const waiting = new Map<PeerKey, Set<PeerKey>>()
  const busy = new Set<PeerKey>()
  let timer: NodeJS.Timeout | undefined

  function flush(): void {
    timer = undefined
    const here = new Set(neighbours())
    for (const [to, peers] of waiting) {
      if (!here.has(to)) waiting.delete(to)
      else if (!busy.has(to)) send(to, peers)
    }
  }

  function send(to: PeerKey, peers: Set<PeerKey>): void {
    const now = [...peers].slice(0, toldMax)
    for (const peer of now) peers.delete(peer)
    if (peers.size === 0) waiting.delete(to)
    const news = now.flatMap(peer => told(peer) ?? [])
    if (news.length === 0) return
    busy.add(to)
    requests
      .request(to, newsProtocol, encodeNews(news), { timeoutMs })
      .catch(() => {})
      .finally(() => {
        busy.delete(to)
        if (waiting.has(to)) schedule()
      })
  }

  function schedule(): void {
    timer ??= setTimeout(flush, collectMs)
  }

  return {
    tell(peer, by) {
      for (const to of neighbours()) {
        if (to === peer || to === by) continue
        const peers = waiting.get(to) ?? new Set()
        waiting.set(to, peers.add(peer))
      }
      if (waiting.size > 0) schedule()
    },
    stop() {
      clearTimeout(timer)
      waiting.clear()
    },
  }
}
