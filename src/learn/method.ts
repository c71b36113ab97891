/**
 * What a learning method is: how it starts, what a shard adds to a round, how two such partial sums become one, and what
 * follows from the sum of all. Everything but `partial` is a function of its arguments alone, so that one process, or a
 * mesh whose leader changes, drive it to the same bits.
 *
 * Invariant: `partial` depends on the parameters and the shard alone, `merge` is called in the order of a fixed tree
 * (tree.ts), and the parameters hold everything that the next round needs, an optimiser's memory too.
 */
import type { TableShard } from '../data/tables/types.ts'
import type { Arrays, Layout } from './arrays.ts'
import type { Engine } from './device/engine.ts'
import type { TrainOptions } from './options.ts'
import type { Summary } from './summary.ts'
import type { Transform } from './transform.ts'

/** What holds for all rounds of a training. */
export interface Setting<O extends TrainOptions = TrainOptions> {
  readonly options: O
  readonly summary: Summary
  readonly transform: Transform
}

export interface Update {
  arrays: Arrays
  /** Of the parameters that the round began with; what it is, the method's name says (inertia, log-likelihood, loss). */
  objective: number
  done: boolean
  /** Of the last round; absent: it did, or there was nothing to converge. */
  converged?: boolean
}

/** What was learnt, in the space of x' (transform.ts), row-major. */
export type TrainedModel =
  | { kind: 'kmeans'; k: number; centers: Float64Array }
  | {
      kind: 'gmm'
      k: number
      covariance: 'full' | 'tied' | 'diag' | 'spherical'
      weights: Float64Array
      /** [k, features] */
      means: Float64Array
      /** [k, d, d], [d, d], [k, d] or [k] */
      covariances: Float64Array
    }
  | { kind: 'softmax' | 'svm' | 'linear'; outputs: number; weights: Float64Array; bias: Float64Array }
  | {
      kind: 'pca'
      components: number
      /** [components, features], each of length 1. */
      directions: Float64Array
      /** Of the rows along each direction, over rows - 1. */
      variances: Float64Array
      /** Of all features together. */
      totalVariance: number
    }

export interface Method<O extends TrainOptions> {
  /** What the objective is called in reports, and whether it falls. */
  readonly objective: { name: string; falls: boolean }
  /** Whether `update` itself ends after `roundsMax`. */
  readonly endsItself?: true
  parameterLayout(setting: Setting<O>): Layout
  /** What a shard adds under these parameters; without them, the most that it ever adds. */
  partialLayout(setting: Setting<O>, parameters?: Arrays): Layout
  /** @throws PeerError LEARN_BAD_OPTIONS, LEARN_NO_LABEL where the data does not go with the options */
  start(setting: Setting<O>): Arrays
  partial(setting: Setting<O>, engine: Engine, parameters: Arrays, shard: TableShard, round: number): Promise<Arrays>
  /** Default: element by element. */
  merge?(a: Arrays, b: Arrays): Arrays
  update(setting: Setting<O>, parameters: Arrays, merged: Arrays, round: number): Update
  model(setting: Setting<O>, parameters: Arrays): TrainedModel
}

/** Names a program by all that decides it, so that one engine serves several trainings. */
export function programKey({ options, summary, transform }: Setting, ...more: (string | number)[]): string {
  const steps = `${transform.shift ? 'shift' : ''} ${transform.scale ? 'scale' : ''}`
  return [options.method, summary.features, steps, ...more].join(' ')
}
