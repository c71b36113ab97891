/** Trainings as a mesh drives them: several backends, partials in any order, everything through its bytes. */
import { prng } from '../../src/base/prng.ts'
import type { TableShard } from '../../src/data/tables/types.ts'
import type { Engine } from '../../src/learn/device/engine.ts'
import { parseTrainOptions, type TrainInit } from '../../src/learn/options.ts'
import { type TrainedResult, train } from '../../src/learn/train.ts'
import { createTraining } from '../../src/learn/training.ts'
import { createMergeTree } from '../../src/learn/tree.ts'
import { cut, type PlainTable } from './shards.ts'

export function trainOn(
  engine: Engine,
  init: TrainInit,
  table: PlainTable,
  sizes: readonly number[] = [],
): Promise<TrainedResult> {
  const shards = cut(table, sizes)
  return train(createTraining(parseTrainOptions(init), shards[0].columns), shards, [engine])
}

/** The bytes of the last parameters. Every peer makes its own training from the options. */
export async function trainOverBytes(
  engines: readonly Engine[],
  init: TrainInit,
  shards: readonly TableShard[],
  seed: number,
): Promise<Uint8Array> {
  const options = parseTrainOptions(init)
  const peers = engines.map(() => createTraining(options, shards[0].columns))
  const random = prng(seed)
  let leader = peers[0]
  let bytes = leader.encodeParameters(leader.start())
  for (;;) {
    const parameters = leader.decodeParameters(bytes)
    if (parameters.stage === 'rounds' && parameters.done) return bytes
    const tree = createMergeTree(shards.length, leader.merge)
    for (const shard of shuffled(shards, random.int)) {
      const peer = random.int(peers.length)
      const partial = await peers[peer].partial(engines[peer], peers[peer].decodeParameters(bytes), shard)
      tree.add(shard.index, leader.decodePartial(peers[peer].encodePartial(partial), parameters))
    }
    bytes = leader.encodeParameters(leader.update(parameters, tree.end()))
    // Another one leads the next round: nothing but the bytes goes on.
    leader = createTraining(options, shards[0].columns)
  }
}

function shuffled<T>(items: readonly T[], int: (bound: number) => number): T[] {
  const left = [...items]
  return items.map(() => left.splice(int(left.length), 1)[0])
}

/** The largest difference as a share of the largest number. */
export function relative(got: ArrayLike<number>, want: ArrayLike<number>): number {
  if (got.length !== want.length) return Number.POSITIVE_INFINITY
  let [off, scale] = [0, 0]
  for (let i = 0; i < want.length; i++) {
    off = Math.max(off, Number.isNaN(got[i]) ? Number.POSITIVE_INFINITY : Math.abs(got[i] - want[i]))
    scale = Math.max(scale, Math.abs(want[i]))
  }
  return off / scale
}
