/**
 * Classifies the images of a shard on one lane: runs every network on them in batches, and keeps the probabilities.
 */
import { assert, PeerError } from '../../../base/errors.ts'
import type { Backend } from '../../../compute/backends/types.ts'
import { type ImageNetwork, openImageNetwork } from '../image-network.ts'
import { createImageShards } from '../images.ts'
import type { ShardRunner } from '../workload.ts'
import { encodeShardScores } from './result.ts'
import type { ClassifySpec, ScoreKind } from './spec.ts'

/** Images a batch: enough that a layer's weights are read once for many, few enough to stay in a cache. */
const batchMax = 32

/** Raw outputs of one row to probabilities, in the order of the job's labels. */
export function toScores(raw: Float32Array, kind: ScoreKind, classes: readonly number[], out: Float32Array): void {
  if (kind === 'softmax') {
    let max = Number.NEGATIVE_INFINITY
    for (const value of raw) if (value > max) max = value
    let sum = 0
    for (const value of raw) sum += Math.exp(value - max)
    for (let i = 0; i < raw.length; i++) out[classes[i]] = Math.exp(raw[i] - max) / sum
  } else {
    const scores = kind === 'sigmoid' ? raw.map(value => 1 / (1 + Math.exp(-value))) : raw
    const all = scores.length === 1 && classes.length === 2 ? [1 - scores[0], scores[0]] : scores
    for (let i = 0; i < classes.length; i++) out[classes[i]] = all[i]
  }
}

async function openNetworks(
  spec: ClassifySpec,
  file: (place: number) => Uint8Array | undefined,
  backend: Backend,
): Promise<ImageNetwork[]> {
  return Promise.all(
    spec.models.map((model, place) => {
      const bytes = file(place)
      assert(bytes, 'a lane is given every file that the spec names')
      return openImageNetwork(backend, bytes, model, batchMax)
    }),
  )
}

export async function openClassifier(
  spec: ClassifySpec,
  file: (place: number) => Uint8Array | undefined,
  backend: Backend,
): Promise<ShardRunner> {
  const networks = await openNetworks(spec, file, backend)
  const shards = createImageShards(spec.models, batchMax)
  const labels = spec.labels.length

  async function compute(
    images: readonly Uint8Array[][],
    rows: readonly number[],
    scores: readonly Float32Array[],
  ): Promise<void> {
    for (const [m, network] of networks.entries()) {
      const output = await network.run(images.map(pixels => pixels[m]))
      const width = spec.models[m].binary ? 1 : labels
      if (output.length !== images.length * width) {
        throw new PeerError({
          code: 'MODEL_OUTPUT',
          kind: 'model',
          message: `${spec.models[m].name} gives ${output.length / images.length} values an image for ${labels} labels`,
        })
      }
      rows.forEach((row, i) => {
        const raw = output.subarray(i * width, (i + 1) * width)
        toScores(
          raw,
          spec.models[m].score,
          spec.models[m].classes,
          scores[m].subarray(row * labels, (row + 1) * labels),
        )
      })
    }
  }

  return {
    async run(blocks) {
      let scores: Float32Array[] = []
      const { paths, errors } = await shards.run(blocks, {
        begin: items => {
          scores = spec.models.map(() => new Float32Array(items * labels))
        },
        compute: (images, rows) => compute(images, rows, scores),
      })
      const bytes = encodeShardScores({ paths, errors, scores, numericClass: backend.numericClass })
      return { bytes, items: paths.length, errors: errors.length }
    },
    close() {
      for (const network of networks) network.close()
    },
  }
}
