/**
 * Joining by a token's addresses: whether the first round of dials reached anyone, and the addresses that name
 * no peer, which are dialled until one answers and says who it is.
 */
import { PeerError } from '../base/errors.ts'
import type { PeerKey } from '../base/ids.ts'

/** Resolves at the first success, rejects when every target failed; both once. */
export interface Join {
  readonly outcome: Promise<void>
  succeeded(): void
  failed(target: string, error: PeerError): void
}

/** `targets`: peer keys, or addresses that name none. */
export function createJoin(targets: string[]): Join {
  const waiting = new Set(targets)
  const errors: PeerError[] = []
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  // The caller may never await it, which is no unhandled rejection.
  promise.catch(() => {})
  if (waiting.size === 0) resolve()
  return {
    outcome: promise,
    succeeded: resolve,
    failed(target, error) {
      if (!waiting.delete(target)) return
      // An own address in the token is no failure: this peer is the mesh's first.
      if (error.code !== 'DIALLED_SELF') errors.push(error)
      if (waiting.size > 0) return
      const worst = ['OTHER_MESH', 'OTHER_PEER'].map(code => errors.find(other => other.code === code))
      const telling = worst.find(found => found !== undefined) ?? errors[0]
      if (telling) reject(telling)
      else resolve()
    },
  }
}

export interface BlindDialDeps {
  address: string
  dial: (address: string) => Promise<PeerKey>
  found: (peer: PeerKey) => void
  failed: (error: PeerError) => void
  /** Milliseconds before attempt `failures + 1`. */
  backoffMs: (failures: number) => number
  signal: AbortSignal
}

/** Dials an address that names no peer until one answers there, the token turns out to be our own, or `signal`. */
export async function dialUntilFound(deps: BlindDialDeps): Promise<void> {
  for (let failures = 0; !deps.signal.aborted; failures++) {
    try {
      deps.found(await deps.dial(deps.address))
      return
    } catch (thrown) {
      if (deps.signal.aborted) return
      const error = PeerError.from(thrown, { code: 'PEER_UNREACHABLE', kind: 'transport' })
      deps.failed(error)
      if (error.code === 'DIALLED_SELF') return
    }
    await pause(deps.backoffMs(failures + 1), deps.signal)
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(done, ms)
    function done() {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done)
  })
}
