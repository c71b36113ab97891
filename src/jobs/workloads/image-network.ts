/** A network of the spec on a lane's backend: prepared pixels in, raw outputs out. */
import type { Backend } from '../../compute/backends/types.ts'
import { loadModel, type Model, type PlanOptions } from '../../compute/engine/model.ts'
import { openNetwork } from '../../compute/engine/network.ts'
import { scaleAndBias } from '../../data/images/apply.ts'
import type { ImageInput } from './image-model.ts'

export interface ImageNetwork {
  /** `images`: [height, width, channels] bytes each. Resolves to the output's rows, one after the other. */
  run(images: readonly Uint8Array[]): Promise<Float32Array>
  close(): void
}

/** How a network is planned for the images of its spec; what can be wrong shows when it is planned. */
export function imagePlan(model: Model, { input, preprocess }: ImageInput): Omit<PlanOptions, 'batch'> {
  const { height, width } = input
  const { channels } = preprocess
  const size = input.layout === 'nchw' ? [undefined, channels, height, width] : [undefined, height, width, channels]
  const dims: Record<string, number> = {}
  model.inputs[0].dims?.forEach((dim, axis) => {
    const length = size[axis]
    if (typeof dim === 'string' && length !== undefined) dims[dim] = length
  })
  // Channels last is what the bytes are already: they only become floats, here.
  if (input.layout === 'nhwc') return { dims, input: 'float32' }
  return { dims, input: 'uint8', imageToTensor: scaleAndBias(preprocess) }
}

export async function openImageNetwork(
  backend: Backend,
  bytes: Uint8Array,
  spec: ImageInput & { output: string },
  batchMax: number,
): Promise<ImageNetwork> {
  const model = loadModel(bytes, { outputs: [spec.output] })
  const network = await openNetwork(backend, model, { batchMax, ...imagePlan(model, spec) })
  const { scale, bias } = scaleAndBias(spec.preprocess)

  function pack(images: readonly Uint8Array[]): Uint8Array | Float32Array {
    const { rowElements } = network
    if (spec.input.layout === 'nchw') {
      const rows = new Uint8Array(images.length * rowElements)
      images.forEach((image, n) => {
        rows.set(image, n * rowElements)
      })
      return rows
    }
    const rows = new Float32Array(images.length * rowElements)
    const channels = scale.length
    images.forEach((image, n) => {
      for (let i = 0; i < image.length; i++)
        rows[n * rowElements + i] = image[i] * scale[i % channels] + bias[i % channels]
    })
    return rows
  }

  return {
    run: async images => (await network.run(pack(images), images.length))[spec.output],
    close: () => network.dispose(),
  }
}
