/** Embedding of images as a workload: what one value of a network is for each image. */
import { assert, PeerError } from '../../../base/errors.ts'
import type { Backend } from '../../../compute/backends/types.ts'
import { openImageNetwork } from '../image-network.ts'
import { createImageShards } from '../images.ts'
import { rowsMerger } from '../rows/merge.ts'
import { encodeRows } from '../rows/result.ts'
import type { ShardRunner, Workload } from '../workload.ts'
import { type EmbedSpec, embedColumns, parseEmbedSpec } from './spec.ts'

const modelFile = 'model'

/** Images a batch: enough that a layer's weights are read once for many, few enough to stay in a cache. */
const batchMax = 32

const rowsOfImages = (kind: string): Workload => ({
  kind,
  files: body => [{ name: modelFile, ...parseEmbedSpec(body).file }],
  open: (body, files, backend) => openEmbedder(parseEmbedSpec(body), files.get(modelFile), backend),
  merger: (body, sink) => rowsMerger(kind, embedColumns(parseEmbedSpec(body)), 'path', sink),
})

export const embed = rowsOfImages('embed')
/** Features are an embedding by a network of our own. */
export const features = rowsOfImages('features')

async function openEmbedder(spec: EmbedSpec, bytes: Uint8Array | undefined, backend: Backend): Promise<ShardRunner> {
  assert(bytes, 'a lane is given every file that the spec names')
  const network = await openImageNetwork(backend, bytes, spec, batchMax)
  const shards = createImageShards([spec], batchMax)
  const { width } = spec
  return {
    async run(blocks) {
      const vectors: Float32Array[] = []
      const { paths, errors } = await shards.run(blocks, {
        begin() {},
        async compute(images) {
          const output = await network.run(images.map(([pixels]) => pixels))
          if (output.length !== images.length * width) {
            throw new PeerError({
              code: 'MODEL_OUTPUT',
              kind: 'model',
              message: `${spec.name} gives ${output.length / images.length} values an image, not ${width}`,
            })
          }
          vectors.push(output)
        },
      })
      const unread = new Set(errors.map(error => error.row))
      const keys = paths.filter((_, row) => !unread.has(row))
      const numbers = new Float32Array(keys.length * width)
      let at = 0
      for (const part of vectors) {
        numbers.set(part, at)
        at += part.length
      }
      const result = {
        keys,
        firstRow: 0,
        rows: keys.length,
        numbers,
        texts: [],
        errors: errors.map(({ row, reason }) => ({ path: paths[row], reason })),
        numericClasses: [backend.numericClass],
      }
      return { bytes: encodeRows(result), items: paths.length, errors: errors.length }
    },
    close: () => network.close(),
  }
}
