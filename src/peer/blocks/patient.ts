/** Fetching blocks with patience. */
import { PeerError } from '../../base/errors.ts'
import type { BlockExchange } from './block-exchange.ts'

/** Who holds a block may be too busy to be heard, or on its way back: so long it is waited for, asked this often. */
const patienceMs = 10_000
const askMs = 500

/** Waits for holders that do not answer. */
export function patient(exchange: BlockExchange): BlockExchange {
  return {
    ...exchange,
    async get(id, holders, signal) {
      const untilMs = performance.now() + patienceMs
      for (;;) {
        try {
          return await exchange.get(id, holders, signal)
        } catch (thrown) {
          const passing = thrown instanceof PeerError && thrown.kind === 'transport' && !signal?.aborted
          if (!passing || performance.now() >= untilMs) throw thrown
        }
        await new Promise(resolve => setTimeout(resolve, askMs))
      }
    },
  }
}
