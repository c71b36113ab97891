/**
 * Moves blocks between peers: serves what this peer holds, fetches what it lacks from whoever has it, from several
 * at once. A block is hashed before it is used or kept, so a wrong one never gets further than this file; what was
 * fetched is kept block by block, so a transfer that broke goes on where it was, at another peer if need be.
 */
import { PeerError } from '../../base/errors.ts'
import { type BlockId, isBlockId, type PeerKey, shortId, shortPeer } from '../../base/ids.ts'
import type { BlockStore } from '../../data/store/types.ts'
import type { Mesh } from '../../mesh/types.ts'
import { createBlockHasher } from './block-hasher.ts'
import { askedMax, createBlockSources } from './block-sources.ts'
import { createTurns } from './turns.ts'

export const blockProtocol = '/shardmesh/block/1'

export interface BlockExchange {
  /**
   * From the store, else from `holders`, the likeliest first, else from any other connected peer; a holder that is away
   * is waited for, up to 20 s. Concurrent demands for a block share one fetch, which goes on while one of them wants it.
   * Throws PeerError `BLOCK_UNAVAILABLE`, or `signal`'s reason.
   */
  get(id: BlockId, holders: readonly PeerKey[], signal?: AbortSignal): Promise<Uint8Array>
  /** What this peer holds itself. */
  local(id: BlockId): Promise<Uint8Array | undefined>
  /** Stores a block made here. */
  put(bytes: Uint8Array): Promise<BlockId>
}

/** Without a byte from the peer: a block that is slow to come is not given up while anything comes. */
const fetchTimeoutMs = 30_000

/** For a holder that restarts or sleeps: a demand that failed at once would fail its shard before the holder is back. */
const awayMsMax = 20_000

interface Fetch {
  bytes: Promise<Uint8Array>
  holders: Set<PeerKey>
  wanted: number
  abort: AbortController
}

export function createBlockExchange(mesh: Mesh, store: BlockStore): BlockExchange {
  const fetching = new Map<BlockId, Fetch>()
  const sources = createBlockSources()
  const hasher = createBlockHasher()
  /** Requests that are with a peer: it may hang, and is then not waited for. */
  const asked = new Map<PeerKey, Set<AbortController>>()

  const arrivals = new Set<(peer: PeerKey) => unknown>()

  mesh.serve(blockProtocol, serveBlocks(store))
  mesh.on('up', ({ peer }) => {
    for (const arrived of [...arrivals]) arrived(peer)
  })
  mesh.on('down', peer => {
    for (const request of asked.get(peer) ?? []) request.abort(gone(peer))
  })

  async function ask(peer: PeerKey, id: BlockId, wanted: AbortSignal): Promise<Uint8Array> {
    const request = new AbortController()
    const onAbort = () => request.abort(wanted.reason)
    wanted.addEventListener('abort', onAbort)
    const requests = asked.get(peer) ?? new Set()
    asked.set(peer, requests.add(request))
    try {
      return await mesh.request(peer, blockProtocol, Buffer.from(id, 'hex'), {
        timeoutMs: fetchTimeoutMs,
        untilIdle: true,
        signal: request.signal,
      })
    } finally {
      wanted.removeEventListener('abort', onAbort)
      requests.delete(request)
      if (requests.size === 0) asked.delete(peer)
    }
  }

  /** Hashes what came and stores it; undefined for other bytes than the block's. */
  async function keep(id: BlockId, bytes: Uint8Array): Promise<Uint8Array | undefined> {
    if (store.take) return store.take(bytes, id)
    const hashed = await hasher.hash(bytes)
    if (hashed.id !== id) return undefined
    await store.put(hashed.bytes, id)
    return hashed.bytes
  }

  /** Peers that were not asked yet: the named holders that are alive; if there are none, every connected peer. */
  function candidates(fetch: Fetch, tried: Set<PeerKey>): PeerKey[] {
    const up = mesh.peers().filter(record => record.connected)
    const reachable = new Set(up.map(record => record.peer))
    const named = [...fetch.holders].filter(peer => reachable.has(peer) && !tried.has(peer))
    if (named.length > 0) return named
    return up.flatMap(({ peer, neighbour }) => (neighbour && !tried.has(peer) ? [peer] : []))
  }

  /** Waits until a named holder that is away comes back; false when none is away, or none came in time. */
  function holderBack({ holders, abort }: Fetch, waitMs: number): Promise<boolean> {
    const up = new Set(mesh.peers().flatMap(({ peer, connected }) => (connected ? [peer] : [])))
    const away = new Set([...holders].filter(peer => peer !== mesh.self && !up.has(peer)))
    if (away.size === 0 || waitMs <= 0) return Promise.resolve(false)
    return new Promise(resolve => {
      const done = (back: boolean) => {
        clearTimeout(timer)
        arrivals.delete(arrived)
        abort.signal.removeEventListener('abort', aborted)
        resolve(back)
      }
      const arrived = (peer: PeerKey) => away.has(peer) && done(true)
      const aborted = () => done(false)
      const timer = setTimeout(aborted, waitMs)
      arrivals.add(arrived)
      abort.signal.addEventListener('abort', aborted)
    })
  }

  async function run(id: BlockId, fetch: Fetch): Promise<Uint8Array> {
    const tried = new Set<PeerKey>()
    /** Peers whose connection broke before they answered: asked again once they are back. */
    const cutOff = new Set<PeerKey>()
    const arrived = (peer: PeerKey) => cutOff.delete(peer) && tried.delete(peer)
    arrivals.add(arrived)
    try {
      return await search(id, fetch, tried, cutOff)
    } finally {
      arrivals.delete(arrived)
    }
  }

  async function search(id: BlockId, fetch: Fetch, tried: Set<PeerKey>, cutOff: Set<PeerKey>): Promise<Uint8Array> {
    const { signal } = fetch.abort
    const untilMs = performance.now() + awayMsMax
    let last: unknown
    for (;;) {
      signal.throwIfAborted()
      const peers = candidates(fetch, tried)
      if (peers.length === 0) {
        if (await holderBack(fetch, untilMs - performance.now())) continue
        throw unavailable(id, tried.size, last)
      }
      const peer = await sources.take(peers, signal)
      tried.add(peer)
      let had = false
      let came = false
      try {
        const sent = await ask(peer, id, signal)
        came = true
        const bytes = await keep(id, sent)
        came = bytes !== undefined
        if (!bytes) {
          mesh.offended(peer, 'damaged')
          throw damaged(peer, id)
        }
        had = true
        return bytes
      } catch (thrown) {
        // A store that cannot keep it is no fault of the peer, and no other peer mends it.
        if (came && thrown instanceof PeerError) {
          had = true
          throw thrown
        }
        last = thrown
        if (isCutOff(thrown)) cutOff.add(peer)
      } finally {
        sources.give(peer, had)
      }
    }
  }

  function begin(id: BlockId): Fetch {
    const fetch: Fetch = {
      bytes: Promise.resolve(new Uint8Array(0)),
      holders: new Set(),
      wanted: 0,
      abort: new AbortController(),
    }
    fetching.set(id, fetch)
    return fetch
  }

  function end(id: BlockId, fetch: Fetch): void {
    if (fetching.get(id) === fetch) fetching.delete(id)
  }

  function join(id: BlockId, holders: readonly PeerKey[]): Fetch {
    const known = fetching.get(id)
    const fetch = known ?? begin(id)
    for (const holder of holders) fetch.holders.add(holder)
    fetch.wanted++
    if (!known) {
      fetch.bytes = run(id, fetch).finally(() => end(id, fetch))
      // Whoever waits is told; nobody may be waiting any more.
      fetch.bytes.catch(() => {})
    }
    return fetch
  }

  function leave(id: BlockId, fetch: Fetch, reason: unknown): void {
    if (--fetch.wanted > 0) return
    end(id, fetch)
    fetch.abort.abort(reason)
  }

  return {
    async get(id, holders, signal) {
      const local = await store.get(id)
      if (local) return local
      signal?.throwIfAborted()
      const fetch = join(id, holders)
      if (!signal) return fetch.bytes
      return new Promise((resolve, reject) => {
        const onAbort = () => {
          leave(id, fetch, signal.reason)
          reject(signal.reason)
        }
        signal.addEventListener('abort', onAbort, { once: true })
        fetch.bytes.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
      })
    },
    local: id => store.get(id),
    put: bytes => store.put(bytes),
  }
}

/** At most `askedMax` blocks are read at a time for one peer: what it asks for beyond its window waits unread. */
function serveBlocks(store: BlockStore) {
  const inTurn = createTurns(askedMax)
  return async (from: PeerKey, body: Uint8Array): Promise<Uint8Array> => {
    const id = Buffer.from(body).toString('hex')
    if (!isBlockId(id)) throw absent()
    return inTurn(from, async () => {
      const block = await store.get(id)
      if (!block) throw absent()
      return block
    })
  }
}

/** Reads blocks that are here and asks nobody; `absent` is what it throws for one that is not. */
export function hereOnly(
  exchange: Pick<BlockExchange, 'local'>,
  absent: () => Error = notHere,
): (block: BlockId) => Promise<Uint8Array> {
  return async block => {
    const bytes = await exchange.local(block)
    if (!bytes) throw absent()
    return bytes
  }
}

function notHere(): PeerError {
  return new PeerError({ code: 'BLOCK_ABSENT', kind: 'resource', message: 'the block is not here', retry: 'elsewhere' })
}

function isCutOff(thrown: unknown): boolean {
  return thrown instanceof PeerError && thrown.kind === 'transport' && thrown.code !== 'BLOCK_ABSENT'
}

function absent(): PeerError {
  return new PeerError({ code: 'BLOCK_ABSENT', kind: 'transport', message: 'no such block here', retry: 'elsewhere' })
}

function damaged(peer: PeerKey, id: BlockId): PeerError {
  return new PeerError({
    code: 'BLOCK_DAMAGED',
    kind: 'integrity',
    message: `${shortPeer(peer)} sent other bytes than block ${shortId(id)} has: ask another peer`,
    retry: 'elsewhere',
    details: { peer, block: id },
  })
}

function gone(peer: PeerKey): PeerError {
  return new PeerError({
    code: 'CONNECTION_LOST',
    kind: 'transport',
    message: `${shortPeer(peer)} is gone or hangs: ask another peer`,
    retry: 'elsewhere',
    details: { peer },
  })
}

function unavailable(id: BlockId, asked: number, cause: unknown): PeerError {
  return new PeerError({
    code: 'BLOCK_UNAVAILABLE',
    kind: 'transport',
    message: `no reachable peer has block ${shortId(id)} (${asked} asked): it is tried again once one is back`,
    retry: 'later',
    details: { block: id, asked },
    cause,
  })
}
