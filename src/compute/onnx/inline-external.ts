/**
 * A model with "external data" as one file, as it must be to travel: the weights that lie beside it are put inside.
 * What this program does not read of a model is lost on the way.
 */
import { limits } from '../../base/limits.ts'
import { modelError } from './model.ts'
import { decodeRawModel, encodeRawModel, type RawModel } from './schema.ts'
import { externalLocation, type ReadExternal, readFrom } from './tensor-proto.ts'

/**
 * @param bytes the model's file; given back as they are where nothing lies outside of them, and where they are no model
 * @throws PeerError MODEL_EXTERNAL_DATA, MODEL_TOO_LARGE
 */
export function inlineExternal(bytes: Uint8Array, readExternal: ReadExternal): Uint8Array {
  const raw = rawOf(bytes)
  if (!raw) return bytes
  const nodes = raw.graph?.nodes ?? []
  const tensors = [
    ...(raw.graph?.initializers ?? []),
    ...nodes.flatMap(node => node.attributes.flatMap(attribute => (attribute.t ? [attribute.t] : []))),
  ]
  const outside = tensors.filter(tensor => tensor.dataLocation === externalLocation)
  if (outside.length === 0) return bytes
  let total = bytes.length
  for (const tensor of outside) {
    const data = readFrom(tensor, `the tensor "${tensor.name}"`, readExternal)
    total += data.length
    if (total > limits.modelBytesMax) {
      throw modelError(
        'MODEL_TOO_LARGE',
        `the model and its weights have more than ${limits.modelBytesMax} bytes; use a smaller one`,
      )
    }
    tensor.rawData = data
    tensor.dataLocation = 0
    tensor.externalData = []
  }
  return encodeRawModel(raw)
}

/** Undefined for what is no model: whoever loads it says so. */
function rawOf(bytes: Uint8Array): RawModel | undefined {
  try {
    return decodeRawModel(bytes)
  } catch {
    return undefined
  }
}
