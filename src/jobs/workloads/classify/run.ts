/**
 * Classifies the images of a shard on one lane: decodes and prepares them a few at a time, runs every network
 * on them in batches, and keeps the probabilities. While a batch computes, the next one's images are decoded.
 */
import { assert, PeerError } from '../../../base/errors.ts'
import type { Backend } from '../../../compute/backends/types.ts'
import { prepareImage } from '../../../data/images/apply.ts'
import { decodeImage } from '../../../data/images/decode.ts'
import { readShard, type ShardItem } from '../../../data/sharding.ts'
import type { ShardOutput, ShardRunner } from '../workload.ts'
import { type ImageNetwork, openImageNetwork } from './network.ts'
import { encodeShardScores } from './result.ts'
import type { ClassifyModel, ClassifySpec, ScoreKind } from './spec.ts'

/** Images a batch: enough that a layer's weights are read once for many, few enough to stay in a cache. */
const batchMax = 32

/** Images decoded at once: libuv has four threads, and each decoded image is whole in memory. */
const decodesMax = 4

/** One image, prepared for every network; or why it cannot be read. */
type Prepared = { pixels: Uint8Array[] } | { error: string }

/** Networks that want the same pixels share them. */
function preparations(models: readonly ClassifyModel[]) {
  const distinct: ClassifyModel['preprocess'][] = []
  const keys: string[] = []
  const ofModel = models.map(({ preprocess: { resize, centerCrop, channels } }, m) => {
    const key = JSON.stringify([resize, centerCrop, channels])
    if (!keys.includes(key)) {
      keys.push(key)
      distinct.push(models[m].preprocess)
    }
    return keys.indexOf(key)
  })
  return { distinct, ofModel }
}

async function prepare(
  item: ShardItem,
  how: ReturnType<typeof preparations>['distinct'],
  bytesOf: number[],
): Promise<Prepared> {
  if (!item.bytes) return { error: item.error ?? 'not read' }
  try {
    const image = await decodeImage(item.bytes)
    const pixels = how.map(one => prepareImage(image, one))
    pixels.forEach((made, p) => {
      assert(made.byteLength === bytesOf[p], 'an image is prepared to the size of the network')
    })
    return { pixels }
  } catch (thrown) {
    // An image that cannot be read is a row of its own; anything else would be a bug of ours.
    if (thrown instanceof PeerError && thrown.kind === 'input') return { error: thrown.message }
    throw thrown
  }
}

/** `items` mapped in order, at most `decodesMax` at once. */
async function mapFew<T, R>(items: readonly T[], run: (item: T) => Promise<R>): Promise<R[]> {
  const results = new Array<R>(items.length)
  let next = 0
  const lane = async () => {
    for (let i = next++; i < items.length; i = next++) results[i] = await run(items[i])
  }
  await Promise.all(Array.from({ length: Math.min(decodesMax, items.length) }, lane))
  return results
}

/** Raw outputs of one row to probabilities, in the order of the job's labels. */
export function toScores(raw: Float32Array, kind: ScoreKind, classes: readonly number[], out: Float32Array): void {
  if (kind === 'softmax') {
    let max = Number.NEGATIVE_INFINITY
    for (const value of raw) if (value > max) max = value
    let sum = 0
    for (const value of raw) sum += Math.exp(value - max)
    for (let i = 0; i < raw.length; i++) out[classes[i]] = Math.exp(raw[i] - max) / sum
  } else {
    for (let i = 0; i < raw.length; i++) out[classes[i]] = kind === 'sigmoid' ? 1 / (1 + Math.exp(-raw[i])) : raw[i]
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
  const { distinct, ofModel } = preparations(spec.models)
  const bytesOf = distinct.map((_, p) => {
    const { input, preprocess } = spec.models[ofModel.indexOf(p)]
    return input.height * input.width * preprocess.channels
  })
  const labels = spec.labels.length

  async function compute(
    images: readonly Uint8Array[][],
    rows: readonly number[],
    scores: readonly Float32Array[],
  ): Promise<void> {
    for (const [m, network] of networks.entries()) {
      const output = await network.run(images.map(pixels => pixels[ofModel[m]]))
      if (output.length !== images.length * labels) {
        throw new PeerError({
          code: 'MODEL_OUTPUT',
          kind: 'model',
          message: `${spec.models[m].name} gives ${output.length / images.length} values an image for ${labels} labels`,
        })
      }
      rows.forEach((row, i) => {
        const raw = output.subarray(i * labels, (i + 1) * labels)
        toScores(
          raw,
          spec.models[m].score,
          spec.models[m].classes,
          scores[m].subarray(row * labels, (row + 1) * labels),
        )
      })
    }
  }

  /** Shards compute in the order in which they came: the next one's first images are decoded meanwhile. */
  let turn: Promise<unknown> = Promise.resolve()

  async function runInTurn(blocks: Uint8Array[]): Promise<ShardOutput> {
    const before = turn
    const mine = run(blocks, before)
    turn = mine.catch(() => {}) // its caller hears of it
    return mine
  }

  async function run(blocks: Uint8Array[], before: Promise<unknown>): Promise<ShardOutput> {
    const { items } = readShard(blocks)
    const scores = spec.models.map(() => new Float32Array(items.length * labels))
    const errors: { row: number; reason: string }[] = []
    const load = (from: number) => mapFew(items.slice(from, from + batchMax), item => prepare(item, distinct, bytesOf))
    let coming = load(0)
    coming.catch(() => {}) // seen in its turn
    await before
    for (let from = 0; from < items.length; from += batchMax) {
      const prepared = await coming
      coming = load(from + batchMax)
      coming.catch(() => {}) // seen in its turn, unless this batch fails first
      const images: Uint8Array[][] = []
      const rows: number[] = []
      prepared.forEach((one, i) => {
        if ('error' in one) errors.push({ row: from + i, reason: one.error })
        else {
          images.push(one.pixels)
          rows.push(from + i)
        }
      })
      if (images.length > 0) await compute(images, rows, scores)
    }
    const paths = items.map(item => item.path)
    const bytes = encodeShardScores({ paths, errors, scores, numericClass: backend.numericClass })
    return { bytes, items: items.length, errors: errors.length }
  }

  return {
    run: runInTurn,
    close() {
      for (const network of networks) network.close()
    },
  }
}
