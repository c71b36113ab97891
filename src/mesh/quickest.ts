/**
 * Which of a peer's addresses to dial first. libp2p dials one after the other and waits seconds for each that is silent; a peer
 * has addresses of networks that this machine is not in. So a plain connection is tried to each at a time, a little apart, as
 * browsers do (RFC 8305, "happy eyeballs"); whether the right peer is there, the dial itself finds out.
 */
import type { Multiaddr } from '@multiformats/multiaddr'
import { tryAddress } from './probe.ts'

const apartMs = 100
/** The third attempt of TCP at a lost packet comes after three seconds. */
const trialMs = 4_000

/** Those that answer first, then those that have not said no, then the rest. Resolves with the first answer. */
export async function quickestFirst(addresses: Multiaddr[], signal?: AbortSignal): Promise<Multiaddr[]> {
  if (addresses.length < 2 || signal?.aborted) return addresses
  const rank = new Map<Multiaddr, number>(addresses.map(address => [address, 1]))
  await new Promise<void>(resolve => {
    let left = addresses.length
    const timers = addresses.map((address, i) =>
      setTimeout(async () => {
        const outcome = await tryAddress(address.toString(), trialMs)
        rank.set(address, outcome === 'open' ? 0 : 2)
        if (outcome === 'open' || --left === 0) done()
      }, i * apartMs),
    )
    const done = () => {
      for (const timer of timers) clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    signal?.addEventListener('abort', done)
  })
  return addresses.toSorted((a, b) => (rank.get(a) ?? 1) - (rank.get(b) ?? 1))
}
