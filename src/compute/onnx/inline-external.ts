/**
 * A model with "external data" as one file, as it must be to travel: the weights that lie beside it are put inside.
 * What this program does not read of a model is lost on the way.
 */
import { PeerError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { modelError } from './model.ts'
import { decodeRawModel, encodeRawModel, type RawModel } from './schema.ts'
import { externalLocation, type ReadExternal, readFrom } from './tensor-proto.ts'

/**
 * @param bytes the model's file; given back as they are where nothing lies outside of them
 * @throws PeerError MODEL_EXTERNAL_DATA, MODEL_TOO_LARGE, MODEL_NOT_ONNX
 */
export function inlineExternal(bytes: Uint8Array, readExternal: ReadExternal): Uint8Array {
  let raw: RawModel
  try {
    raw = decodeRawModel(bytes)
  } catch (cause) {
    throw new PeerError({ code: 'MODEL_NOT_ONNX', kind: 'model', message: 'this is not an ONNX model', cause })
  }
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
