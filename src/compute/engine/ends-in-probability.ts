/**
 * Whether what a network gives is a probability already, told from the graph: a softmax or sigmoid, what only moves, rounds
 * or cuts its values, and means of several. What is taken for a score by mistake would be softmaxed a second time.
 */
import { mlDomain, type OnnxModel, type OnnxOp } from '../onnx/model.ts'

const makesProbabilities = new Set(['Softmax', 'Sigmoid', 'HardSigmoid'])
/** Their first input's values come out: in another place or type, rounded, or cut to a range. */
const keepsValues = new Set([
  ...['Identity', 'Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Dropout', 'Cast', 'ZipMap', 'Transpose', 'Clip'],
  ...['QuantizeLinear', 'DequantizeLinear', 'Slice', 'Gather', 'Expand'],
])
const labelTypes = new Set(['int64', 'int32', 'string', 'bool'])
/** Deeper chains of such operators no exporter writes. */
const depthMax = 64

export function endsInProbability(model: OnnxModel): boolean {
  const makers = new Map(model.ops.flatMap(op => op.outputs.map(output => [output, op] as const)))

  /** How many probabilities are summed in `name`: 1 for one, 0 where it is something else. */
  function summed(name: string, depth = 0): number {
    const op = makers.get(name)
    if (!op || depth > depthMax) return 0
    const of = (input: number) => summed(op.inputs[input], depth + 1)
    const all = () => op.inputs.map((_, i) => of(i))
    if (op.domain === mlDomain && !keepsValues.has(op.type)) return givesProbabilities(op) ? 1 : 0
    if (makesProbabilities.has(op.type)) return 1
    if (keepsValues.has(op.type)) return of(0)
    switch (op.type) {
      case 'Concat':
      case 'Mean':
        return all().every(count => count === 1) ? 1 : 0
      case 'ReduceMean':
        return of(0) === 1 ? 1 : 0
      case 'Add':
      case 'Sum': {
        const counts = all()
        return counts.includes(0) ? 0 : counts.reduce((sum, count) => sum + count, 0)
      }
      case 'Mul':
        return meanOf(of(0) * factor(op.inputs[1])) || meanOf(of(1) * factor(op.inputs[0]))
      case 'Div':
        return isSoftmax(op) ? 1 : meanOf(of(0) / factor(op.inputs[1]))
      default:
        return 0
    }
  }

  /** The value of a constant scalar; NaN of anything else. */
  function factor(name: string): number {
    const data = model.constants.get(name)?.data
    return data?.length === 1 ? data[0] : Number.NaN
  }

  /** A softmax written out: exp(x) by its sum. */
  function isSoftmax({ inputs: [top, bottom] }: OnnxOp): boolean {
    const sum = makers.get(bottom)
    return makers.get(top)?.type === 'Exp' && /^Reduce(Sum|L1)$/.test(sum?.type ?? '') && sum?.inputs[0] === top
  }

  // Classical models give a label before the scores.
  const { name } = model.outputs.find(({ dtype }) => !labelTypes.has(dtype)) ?? model.outputs[0]
  return summed(name) === 1
}

const meanOf = (count: number): number => (Math.abs(count - 1) < 1e-5 ? 1 : 0)

/** A classical classifier whose scores are within [0, 1] and add up to 1, as far as its attributes tell. */
function givesProbabilities({ type, attributes }: OnnxOp): boolean {
  const transform = attributes.string('post_transform', 'NONE')
  if (type === 'Normalizer') return attributes.string('norm', 'MAX') === 'L1'
  if (!type.endsWith('Classifier')) return false
  if (transform === 'SOFTMAX' || transform === 'LOGISTIC') return true
  // The shares of classes in leaves, and what pairs of classes are coupled to.
  if (transform === 'NONE' && type === 'TreeEnsembleClassifier') {
    return (attributes.floats('class_weights') ?? [-1]).every(weight => weight >= 0 && weight <= 1)
  }
  return transform === 'NONE' && (attributes.floats('prob_a') ?? []).length > 0
}
