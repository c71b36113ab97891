/**
 * The order between the disk and the world: effects are performed in the order in which the core gave them, and none
 * before what was to be kept ahead of it is on disk. Writes that come together are written together. While the disk
 * refuses, nothing is performed: the peer stands still, and says so.
 */
import type { Effect } from '../../jobs/core/types.ts'
import { joinSends } from './joined-messages.ts'
import type { Journal } from './journal.ts'

export interface EffectQueueDeps {
  journal: Journal
  perform: (effect: Effect) => void
  /** The disk refused; it is asked again after `retryMs`. */
  refused: (thrown: unknown) => void
}

export interface EffectQueue {
  add(effects: readonly Effect[]): void
  /** The disk refuses: nothing should be added that can be done without. */
  readonly stalled: boolean
  stop(): Promise<void>
}

const retryMs = 500

export function createEffectQueue({ journal, perform, refused }: EffectQueueDeps): EffectQueue {
  let waiting: Effect[] = []
  let draining: Promise<void> | undefined
  let stalled = false
  let stopped = false

  async function drain(): Promise<void> {
    // Not before `draining` is set; and what comes in the same turn is written together.
    await Promise.resolve()
    while (!stopped && (journal.dirty || waiting.length > 0)) {
      const ready = waiting
      waiting = []
      try {
        if (journal.dirty) await journal.commit()
        stalled = false
      } catch (thrown) {
        waiting = [...ready, ...waiting]
        stalled = true
        refused(thrown)
        await new Promise(resolve => setTimeout(resolve, retryMs))
        continue
      }
      for (const effect of joinSends(ready)) if (!stopped) perform(effect)
    }
    draining = undefined
  }

  return {
    add(effects) {
      for (const effect of effects) {
        if (effect.type === 'keep') journal.keep(effect.job, effect.kept)
        else if (effect.type === 'keep-results') journal.keepResults(effect.job, effect.results)
        else if (effect.type === 'forget') journal.forget(effect.job, effect.record)
        else if (effect.type === 'forget-results') journal.forgetResults(effect.job)
        if (draining || journal.dirty) waiting.push(effect)
        else perform(effect)
      }
      if (journal.dirty || waiting.length > 0) draining ??= drain()
    },
    get stalled() {
      return stalled
    },
    async stop() {
      stopped = true
      await draining
      if (journal.dirty) await journal.commit().catch(refused)
    },
  }
}
