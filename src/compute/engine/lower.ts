/** ONNX model -> graph: the inputs get their tensors, then op by op. */
import { PeerError } from '../../base/errors.ts'
import { InputValueNeeded, type LowerContext } from '../onnx/lowering.ts'
import { modelError, type OnnxModel, type OnnxOp, opText } from '../onnx/model.ts'
import { loweringOf } from '../onnx/ops/index.ts'
import { carryStrings, checkStrings } from '../onnx/strings.ts'
import { createGraphBuilder, type Graph, type Tensor } from './graph.ts'
import type { InputMaker } from './inputs.ts'

/**
 * Names every op that cannot be computed, in one error.
 * @throws PeerError MODEL_UNSUPPORTED_OP
 */
export function checkOps(model: OnnxModel): void {
  const missing = model.ops.filter(op => !loweringOf(op))
  if (missing.length === 0) return
  const opsetOf = (op: OnnxOp) => model.opsets.get(op.domain) ?? 0
  const texts = missing.map(op => `${opText(op)} (domain ${op.domain || 'ai.onnx'}, opset ${opsetOf(op)})`)
  const shown = texts.length > 12 ? [...texts.slice(0, 12), `${texts.length - 12} more`] : texts
  throw modelError(
    'MODEL_UNSUPPORTED_OP',
    `the model uses operators that this version does not compute: ${shown.join(', ')}; use another model or export it without them`,
    { ops: missing.map(op => ({ name: op.name, type: op.type, domain: op.domain, opset: opsetOf(op) })) },
  )
}

/**
 * @throws PeerError MODEL_* for whatever in the model cannot be computed, with the op's name and type
 * @throws InputValueNeeded when an op must know the values of an input
 */
export function lowerModel(model: OnnxModel, makeInput: InputMaker): Graph {
  const builder = createGraphBuilder()
  const values = new Map<string, Tensor>()
  for (const [name, constant] of model.constants) values.set(name, builder.constant(constant))
  for (const port of model.inputs) values.set(port.name, makeInput(builder, port))
  for (const op of model.ops) {
    const inputs = op.inputs.map(name => (name === '' ? undefined : values.get(name)))
    const missing = op.inputs.findIndex((name, i) => name !== '' && !inputs[i])
    if (missing >= 0) {
      const name = op.inputs[missing]
      throw modelError(
        'MODEL_UNSUPPORTED',
        `${opText(op)} reads "${name}", a second result that is not computed; export the model without it`,
      )
    }
    const results = lowerOp({ op, opset: model.opsets.get(op.domain) ?? 1, graph: builder, inputs })
    op.outputs.forEach((name, i) => {
      if (name !== '' && results[i]) values.set(name, results[i])
    })
  }
  for (const { name } of model.outputs) {
    const result = values.get(name)
    if (!result)
      throw modelError('MODEL_UNSUPPORTED', `the output "${name}" is one that is not computed; use another model`)
    builder.graph.outputs.push({ name, ...result })
  }
  return builder.graph
}

function lowerOp(context: LowerContext): Tensor[] {
  const { op, opset } = context
  const lowering = loweringOf(op)
  if (!lowering) throw modelError('MODEL_UNSUPPORTED_OP', `${opText(op)} is not supported`)
  try {
    checkStrings(context)
    return carryStrings(context, lowering(context))
  } catch (error) {
    if (!(error instanceof PeerError) || error instanceof InputValueNeeded || error.details.type !== undefined)
      throw error
    // What shapes and axes complain about does not know whose they are.
    const details = { ...error.details, op: op.name, type: op.type, opset }
    const message = `${opText(op)} (opset ${opset}): ${error.message}`
    throw new PeerError({ code: error.code, kind: error.kind, message, details, cause: error })
  }
}
