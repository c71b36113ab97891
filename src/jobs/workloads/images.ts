/**
 * Shards of images on a lane: decodes and prepares them a few at a time, and hands them to whoever computes. While a batch
 * computes, the next one's images are decoded; while a shard computes, the next one's first.
 */
import { assert, PeerError } from '../../base/errors.ts'
import { prepareImage } from '../../data/images/apply.ts'
import type { ImagePreprocess } from '../../data/images/preprocess.ts'
import { readShard, type ShardItem } from '../../data/sharding.ts'
import { provenDecoder } from './proof.ts'

/** What takes images: their size and how they are brought to it. */
export interface ImageTaker {
  input: { height: number; width: number }
  preprocess: ImagePreprocess
}

export interface ImageShardWork {
  /** Before the first batch: how many items there are, unreadable ones included. */
  begin(items: number): void
  /**
   * @param images for each image its bytes [height, width, channels] for every taker
   * @param rows the images' places in the shard
   */
  compute(images: readonly Uint8Array[][], rows: readonly number[]): Promise<void>
}

export interface ImageShards {
  /** Resolves to the items' paths, and by place why some could not be read. */
  run(
    blocks: Uint8Array[],
    work: ImageShardWork,
  ): Promise<{ paths: string[]; errors: { row: number; reason: string }[] }>
}

/** Images decoded at once: libuv has four threads, and each decoded image is whole in memory. */
const decodesMax = 4

/** One image, prepared in every distinct way; or why it cannot be read. */
type Prepared = { pixels: Uint8Array[] } | { error: string }

/** @param batchMax images of a batch */
export function createImageShards(takers: readonly ImageTaker[], batchMax: number): ImageShards {
  const { distinct, ofTaker } = preparations(takers)
  const bytesOf = distinct.map((_, p) => {
    const { input, preprocess } = takers[ofTaker.indexOf(p)]
    return input.height * input.width * preprocess.channels
  })
  /** Shards compute in the order in which they came: the next one's first images are decoded meanwhile. */
  let turn: Promise<unknown> = Promise.resolve()

  async function run(blocks: Uint8Array[], { begin, compute }: ImageShardWork, before: Promise<unknown>) {
    const { items } = readShard(blocks)
    const errors: { row: number; reason: string }[] = []
    const load = (from: number) => mapFew(items.slice(from, from + batchMax), item => prepare(item, distinct, bytesOf))
    let coming = load(0)
    coming.catch(() => {}) // seen in its turn
    await before
    begin(items.length)
    for (let from = 0; from < items.length; from += batchMax) {
      const prepared = await coming
      coming = load(from + batchMax)
      coming.catch(() => {}) // seen in its turn, unless this batch fails first
      const images: Uint8Array[][] = []
      const rows: number[] = []
      prepared.forEach((one, i) => {
        if ('error' in one) errors.push({ row: from + i, reason: one.error })
        else {
          images.push(ofTaker.map(p => one.pixels[p]))
          rows.push(from + i)
        }
      })
      if (images.length > 0) await compute(images, rows)
    }
    return { paths: items.map(item => item.path), errors }
  }

  return {
    run(blocks, work) {
      const mine = run(blocks, work, turn)
      turn = mine.catch(() => {}) // its caller hears of it
      return mine
    },
  }
}

/** Takers that want the same pixels share them. */
function preparations(takers: readonly ImageTaker[]) {
  const distinct: ImagePreprocess[] = []
  const keys: string[] = []
  const ofTaker = takers.map(({ preprocess }) => {
    const { resize, cropBefore, centerCrop, flipChannels, channels } = preprocess
    const key = JSON.stringify([resize, cropBefore, centerCrop, flipChannels, channels])
    if (!keys.includes(key)) {
      keys.push(key)
      distinct.push(preprocess)
    }
    return keys.indexOf(key)
  })
  return { distinct, ofTaker }
}

async function prepare(
  item: ShardItem,
  how: readonly ImagePreprocess[],
  bytesOf: readonly number[],
): Promise<Prepared> {
  if (!item.bytes) return { error: item.error ?? 'not read' }
  try {
    const decodeImage = await provenDecoder()
    const image = await decodeImage(item.bytes)
    const pixels = how.map(one => prepareImage(image, one))
    pixels.forEach((made, p) => {
      assert(made.byteLength === bytesOf[p], 'an image is prepared to the size of its taker')
    })
    return { pixels }
  } catch (thrown) {
    if (!(thrown instanceof PeerError) || thrown.kind !== 'input') throw thrown
    // A row of its own, if it is the image that is at fault: the machine may have got into trouble since the proof.
    await provenDecoder(true)
    return { error: thrown.message }
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
