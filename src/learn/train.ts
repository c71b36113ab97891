/**
 * A training in this process: every round over all shards, one after the other. What a mesh does, without one; also the twin
 * that tests hold the mesh to.
 */
import { assert } from '../base/errors.ts'
import type { TableShard } from '../data/tables/types.ts'
import type { Engine } from './device/engine.ts'
import type { Setting, TrainedModel } from './method.ts'
import type { Parameters, PartialSum, Training } from './training.ts'
import { createMergeTree } from './tree.ts'

export interface TrainedResult {
  model: TrainedModel
  setting: Setting
  /** Of the method; the summary's does not count. */
  rounds: number
  /** Of the last round, and of each round that had one. */
  objective: number
  history: number[]
  /** The last parameters, of which `Training.model` makes the model again. */
  parameters: Parameters
}

export interface TrainHooks {
  /** After each round of the method. */
  onRound?: (round: number, objective: number) => void
  /** Ends it before its time: the parameters so far make the model. */
  signal?: AbortSignal
}

/**
 * @param shards the table, in order; at least one
 * @param engines shard i goes to engine i modulo their number: which one never shows in the result
 * @throws PeerError as `Training`'s functions
 */
export async function train(
  training: Training,
  shards: readonly TableShard[],
  engines: readonly Engine[],
  hooks: TrainHooks = {},
): Promise<TrainedResult> {
  assert(shards.length > 0 && engines.length > 0, 'there are shards and engines')
  const engineOf = (place: number) => engines[place % engines.length]
  const held = shards.map((shard, i) => engineOf(i).keep(shard))
  try {
    return await rounds(training, held, engineOf, hooks)
  } finally {
    held.forEach((shard, i) => {
      engineOf(i).release(shard)
    })
  }
}

async function rounds(
  training: Training,
  shards: readonly TableShard[],
  engineOf: (place: number) => Engine,
  hooks: TrainHooks,
): Promise<TrainedResult> {
  let parameters = training.start()
  const history: number[] = []
  while (parameters.stage === 'summary' || !parameters.done) {
    const tree = createMergeTree<PartialSum>(shards.length, training.merge)
    for (const [i, shard] of shards.entries()) {
      tree.add(i, await training.partial(engineOf(i), parameters, shard))
    }
    parameters = training.update(parameters, tree.end())
    if (parameters.stage === 'summary') continue
    if (Number.isFinite(parameters.objective)) history.push(parameters.objective)
    if (parameters.round > 0) hooks.onRound?.(parameters.round, parameters.objective)
    if (hooks.signal?.aborted && parameters.round > 0) break
  }
  const { model, setting } = training.model(parameters)
  return { model, setting, rounds: parameters.round, objective: parameters.objective, history, parameters }
}
