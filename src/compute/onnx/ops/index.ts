/** ONNX operator -> how it becomes kernels. An operator that is not here is named to the user before anything runs. */
import type { Lowering } from '../lowering.ts'
import { batchNormalization } from './batch-normalization.ts'
import { arithmetic } from './binary.ts'
import { concat } from './concat.ts'
import { conv } from './conv.ts'
import { gemm, matMul } from './gemm.ts'
import { averagePool, globalAveragePool, globalMaxPool, maxPool } from './pool.ts'
import { cast, constant, dropout, flatten, gather, identity, reshape, shape, squeeze, unsqueeze } from './shapes.ts'
import { slice } from './slice.ts'
import { logSoftmax, softmax } from './softmax.ts'
import { transpose } from './transpose.ts'
import { clip, plain, withConstants } from './unary.ts'

/** Operators of the default domain, by type. */
export const lowerings: ReadonlyMap<string, Lowering> = new Map<string, Lowering>([
  ['Abs', plain('abs')],
  ['Add', arithmetic('add')],
  ['AveragePool', averagePool],
  ['BatchNormalization', batchNormalization],
  ['Cast', cast],
  ['Ceil', plain('ceil')],
  ['Clip', clip],
  ['Concat', concat],
  ['Constant', constant],
  ['Conv', conv],
  ['Div', arithmetic('div')],
  ['Dropout', dropout],
  ['Erf', plain('erf')],
  ['Exp', plain('exp')],
  ['Flatten', flatten],
  ['Floor', plain('floor')],
  ['Gather', gather],
  ['Gemm', gemm],
  ['GlobalAveragePool', globalAveragePool],
  ['GlobalMaxPool', globalMaxPool],
  ['HardSigmoid', withConstants('hardSigmoid', 0.2, 0.5)],
  ['HardSwish', plain('hardSwish')],
  ['Identity', identity],
  ['LeakyRelu', withConstants('leakyRelu', 0.01, 0)],
  ['Log', plain('log')],
  ['LogSoftmax', logSoftmax],
  ['MatMul', matMul],
  ['Max', arithmetic('max')],
  ['MaxPool', maxPool],
  ['Min', arithmetic('min')],
  ['Mul', arithmetic('mul')],
  ['Neg', plain('neg')],
  ['Reciprocal', plain('reciprocal')],
  ['Relu', plain('relu')],
  ['Reshape', reshape],
  ['Shape', shape],
  ['Sigmoid', plain('sigmoid')],
  ['Slice', slice],
  ['Softmax', softmax],
  ['Sqrt', plain('sqrt')],
  ['Squeeze', squeeze],
  ['Sub', arithmetic('sub')],
  ['Tanh', plain('tanh')],
  ['Transpose', transpose],
  ['Unsqueeze', unsqueeze],
])
