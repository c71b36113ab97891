/** ONNX operator -> how it becomes kernels. An operator that is not here is named to the user before anything runs. */
import type { Lowering } from '../lowering.ts'
import { mlDomain, type OnnxOp } from '../model.ts'
import { arithmetic, condition, mean, mod, pow, prelu, variadic, where } from './binary.ts'
import { concat } from './concat.ts'
import { conv } from './conv.ts'
import { convTranspose } from './conv-transpose.ts'
import { einsum } from './einsum.ts'
import { expand, pad, tile } from './expand.ts'
import { gather, gatherElements, gatherNd, scatterElements, scatterNd } from './gather.ts'
import { gemm, matMul } from './gemm.ts'
import { constant, constantOfShape, eyeLike, hardmax, oneHot, range, trilu } from './generate.ts'
import { mlLowerings } from './ml/index.ts'
import {
  batchNormalization,
  groupNormalization,
  instanceNormalization,
  layerNormalization,
  lrn,
  meanVarianceNormalization,
} from './normalization.ts'
import { averagePool, globalAveragePool, globalMaxPool, maxPool } from './pool.ts'
import { dequantizeLinear, quantizeLinear } from './quantize.ts'
import { argument, cumSum, reduction, topK } from './reduce.ts'
import { resize, upsample } from './resize.ts'
import { dropout, flatten, identity, reshape, shape, size, squeeze, unsqueeze } from './shapes.ts'
import { slice, split } from './slice.ts'
import { logSoftmax, softmax } from './softmax.ts'
import { depthToSpace, spaceToDepth, transpose } from './transpose.ts'
import { cast, castLike, clip, gelu, isInf, plain, predicate, shrink, withConstants } from './unary.ts'

const elementwise: [string, Lowering][] = [
  ['Abs', plain('abs')],
  ['Acos', plain('acos')],
  ['Acosh', plain('acosh')],
  ['Asin', plain('asin')],
  ['Asinh', plain('asinh')],
  ['Atan', plain('atan')],
  ['Atanh', plain('atanh')],
  ['Ceil', plain('ceil')],
  ['Celu', withConstants('celu', 1, 0)],
  ['Clip', clip],
  ['Cos', plain('cos')],
  ['Cosh', plain('cosh')],
  ['Elu', withConstants('elu', 1, 0)],
  ['Erf', plain('erf')],
  ['Exp', plain('exp')],
  ['Floor', plain('floor')],
  ['Gelu', gelu],
  ['HardSigmoid', withConstants('hardSigmoid', 0.2, 0.5)],
  ['HardSwish', plain('hardSwish')],
  ['IsInf', isInf],
  ['IsNaN', predicate('isNaN')],
  ['LeakyRelu', withConstants('leakyRelu', 0.01, 0)],
  ['Log', plain('log')],
  ['Mish', plain('mish')],
  ['Neg', plain('neg')],
  ['Not', predicate('logicalNot')],
  ['Reciprocal', plain('reciprocal')],
  ['Relu', plain('relu')],
  ['Round', plain('round')],
  ['Selu', withConstants('selu', 1.6732631921768188, 1.0507010221481323, ['alpha', 'gamma'])],
  ['Shrink', shrink],
  ['Sigmoid', plain('sigmoid')],
  ['Sign', plain('sign')],
  ['Sin', plain('sin')],
  ['Sinh', plain('sinh')],
  ['Softplus', plain('softplus')],
  ['Softsign', plain('softsign')],
  ['Sqrt', plain('sqrt')],
  ['Tan', plain('tan')],
  ['Tanh', plain('tanh')],
  ['ThresholdedRelu', withConstants('thresholdedRelu', 1, 0)],
]

const pairwise: [string, Lowering][] = [
  ['Add', arithmetic('add')],
  ['And', condition('and')],
  ['Div', arithmetic('div')],
  ['Equal', condition('equal')],
  ['Greater', condition('greater')],
  ['GreaterOrEqual', condition('greaterOrEqual')],
  ['Less', condition('less')],
  ['LessOrEqual', condition('lessOrEqual')],
  ['Max', variadic('max')],
  ['Mean', mean],
  ['Min', variadic('min')],
  ['Mod', mod],
  ['Mul', arithmetic('mul')],
  ['Or', condition('or')],
  ['PRelu', prelu],
  ['Pow', pow],
  ['Sub', arithmetic('sub')],
  ['Sum', variadic('add')],
  ['Where', where],
  ['Xor', condition('xor')],
]

const reductions: [string, Lowering][] = [
  ['ArgMax', argument('argMax')],
  ['ArgMin', argument('argMin')],
  ['CumSum', cumSum],
  ['ReduceL1', reduction('l1')],
  ['ReduceL2', reduction('l2')],
  ['ReduceLogSum', reduction('logSum')],
  ['ReduceLogSumExp', reduction('logSumExp')],
  ['ReduceMax', reduction('max')],
  ['ReduceMean', reduction('mean')],
  ['ReduceMin', reduction('min')],
  ['ReduceProd', reduction('prod')],
  ['ReduceSum', reduction('sum')],
  ['ReduceSumSquare', reduction('sumSquare')],
  ['TopK', topK],
]

const shapesAndPlaces: [string, Lowering][] = [
  ['Cast', cast],
  ['CastLike', castLike],
  ['Concat', concat],
  ['Constant', constant],
  ['ConstantOfShape', constantOfShape],
  ['DepthToSpace', depthToSpace],
  ['Dropout', dropout],
  ['Expand', expand],
  ['EyeLike', eyeLike],
  ['Flatten', flatten],
  ['Gather', gather],
  ['GatherElements', gatherElements],
  ['GatherND', gatherNd],
  ['Identity', identity],
  ['OneHot', oneHot],
  ['Pad', pad],
  ['Range', range],
  ['Reshape', reshape],
  ['Resize', resize],
  ['Scatter', scatterElements],
  ['ScatterElements', scatterElements],
  ['ScatterND', scatterNd],
  ['Shape', shape],
  ['Size', size],
  ['Slice', slice],
  ['SpaceToDepth', spaceToDepth],
  ['Split', split],
  ['Squeeze', squeeze],
  ['Tile', tile],
  ['Transpose', transpose],
  ['Trilu', trilu],
  ['Unsqueeze', unsqueeze],
  ['Upsample', upsample],
]

const layers: [string, Lowering][] = [
  ['AveragePool', averagePool],
  ['BatchNormalization', batchNormalization],
  ['Conv', conv],
  ['ConvTranspose', convTranspose],
  ['DequantizeLinear', dequantizeLinear],
  ['Einsum', einsum],
  ['Gemm', gemm],
  ['GlobalAveragePool', globalAveragePool],
  ['GlobalMaxPool', globalMaxPool],
  ['GroupNormalization', groupNormalization],
  ['Hardmax', hardmax],
  ['InstanceNormalization', instanceNormalization],
  ['LRN', lrn],
  ['LayerNormalization', layerNormalization],
  ['LogSoftmax', logSoftmax],
  ['MatMul', matMul],
  ['MaxPool', maxPool],
  ['MeanVarianceNormalization', meanVarianceNormalization],
  ['QuantizeLinear', quantizeLinear],
  ['Softmax', softmax],
]

/** Operators of the default domain, by type. */
export const lowerings: ReadonlyMap<string, Lowering> = new Map([
  ...elementwise,
  ...pairwise,
  ...reductions,
  ...shapesAndPlaces,
  ...layers,
])

/** How an op of any domain is computed; undefined where it is not. */
export function loweringOf({ domain, type }: Pick<OnnxOp, 'domain' | 'type'>): Lowering | undefined {
  if (domain === mlDomain) return mlLowerings.get(type)
  return domain === '' ? lowerings.get(type) : undefined
}
