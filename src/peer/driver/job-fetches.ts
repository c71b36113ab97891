/**
 * What the core asks to be brought here before a job can go on: its signed spec, its manifests, the parameters of a round.
 * Each question is answered by one event, or by one a manifest; a failure is an answer too, after which the core asks
 * elsewhere.
 */
import { PeerError } from '../../base/errors.ts'
import type { BlockId, JobId, PeerKey } from '../../base/ids.ts'
import type { Effect } from '../../jobs/core/types.ts'
import type { BlockExchange } from '../blocks/block-exchange.ts'
import type { BlockHolds } from '../blocks/block-holds.ts'
import type { JobBook } from './job-book.ts'
import type { LocalEvent } from './local-event.ts'
import type { RoundBlocks } from './round-blocks.ts'

export interface JobFetchesDeps {
  book: JobBook
  exchange: BlockExchange
  holds: BlockHolds
  rounds: RoundBlocks
  /** Who may hold a job's blocks, the best first. */
  holders: (job: JobId) => PeerKey[]
  dispatch: (event: LocalEvent) => void
  /** The parameters of a round are here. */
  roundBegins: (job: JobId, params: BlockId) => void
  warning: (message: string) => void
}

export interface JobFetches {
  spec(effect: Extract<Effect, { type: 'fetch-spec' }>): void
  manifest(effect: Extract<Effect, { type: 'fetch-manifest' }>): void
  params(effect: Extract<Effect, { type: 'fetch-params' }>): void
}

export function createJobFetches(deps: JobFetchesDeps): JobFetches {
  const { book, exchange, holds, rounds, holders, dispatch, roundBegins, warning } = deps

  function fetchSpec({ job, from }: Extract<Effect, { type: 'fetch-spec' }>): void {
    book.readSpec(job, from).then(
      ({ spec }) => dispatch({ type: 'spec', job, owner: spec.submitter, priority: spec.priority }),
      (thrown: unknown) => {
        if (thrown instanceof PeerError && thrown.kind === 'integrity')
          warning(`job ${job.slice(0, 8)}: ${thrown.message}`)
        dispatch({ type: 'fetch-failed', job, what: 'spec' })
      },
    )
  }

  function fetchManifest({ job, manifest, from, known }: Extract<Effect, { type: 'fetch-manifest' }>): void {
    const record = book.get(job)
    const tell = (index: number, block: BlockId, shards: { items: number }[]) =>
      dispatch({ type: 'manifest', job, index, block, shards: shards.map(shard => ({ items: shard.items })) })
    // What was read before, for another effect, the core may not have been told in time.
    let at = 0
    record?.manifests.forEach((block, index) => {
      const count = record.counts[index]
      if (index >= known.count && index < manifest.count) tell(index, block, record.shards.slice(at, at + count))
      at += count
    })
    book.readManifests(job, manifest, from, tell).catch((thrown: unknown) => {
      if (thrown instanceof PeerError && thrown.kind === 'integrity')
        warning(`job ${job.slice(0, 8)}: ${thrown.message}`)
      dispatch({ type: 'fetch-failed', job, what: 'manifest' })
    })
  }

  function fetchParams({ job, round, from }: Extract<Effect, { type: 'fetch-params' }>): void {
    const block = round.params
    if (block === undefined) return dispatch({ type: 'params', job, round })
    rounds.parameters(job, block)
    holds
      .hold(job, block)
      .then(() => exchange.get(block, [from, ...holders(job)]))
      .then(
        () => {
          roundBegins(job, block)
          dispatch({ type: 'params', job, round })
        },
        () => dispatch({ type: 'params-failed', job, round }),
      )
  }

  return { spec: fetchSpec, manifest: fetchManifest, params: fetchParams }
}
