/** Operators that a model brings itself, against onnxruntime; and functions that cannot be. */
import { expect, test } from 'vitest'
import { createReferenceBackend } from '../../../src/compute/backends/reference/index.ts'
import { loadModel } from '../../../src/compute/engine/model.ts'
import { openSession } from '../../../src/compute/engine/session.ts'
import { expectAsOnnxruntime } from './against-onnxruntime.ts'
import { type FunctionInit, type ModelInit, makeModel, type OpInit } from './make-model.ts'

const floatType = 1
const call = (type: string, inputs: string[], outputs: string[], attributes?: OpInit['attributes']): OpInit => ({
  ...{ type, inputs, outputs, domain: 'local' },
  ...(attributes && { attributes }),
})

/** leaky(x) + y, and x as it is. */
const leakySum: FunctionInit = {
  ...{ name: 'LeakySum', inputs: ['x', 'y'], outputs: ['z', 'same'], attributes: ['slope'] },
  ops: [
    { type: 'LeakyRelu', inputs: ['x'], outputs: ['t'], attributes: { alpha: { ref: 'slope', type: floatType } } },
    { type: 'Add', inputs: ['t', 'y'], outputs: ['z'] },
    { type: 'Identity', inputs: ['x'], outputs: ['same'] },
  ],
}
/** Twice the function above, one behind the other. */
const twice: FunctionInit = {
  ...{ name: 'Twice', inputs: ['x'], outputs: ['t'], attributes: [], defaults: { slope: { float: 0.25 } } },
  ops: [
    {
      type: 'LeakySum',
      domain: 'local',
      inputs: ['x', 'x'],
      outputs: ['a', 'b'],
      attributes: { slope: { ref: 'slope', type: floatType } },
    },
    {
      type: 'LeakySum',
      domain: 'local',
      inputs: ['a', 'b'],
      outputs: ['t', ''],
      attributes: { slope: { float: 0.5 } },
    },
  ],
}
const init = (change: Partial<ModelInit>): ModelInit => ({
  ...{ opset: 17, inputs: { x: ['N', 4] }, outputs: ['y'], functions: [leakySum, twice], ops: [] },
  ...change,
})
const inputs = { x: { type: 'float32' as const, dims: [2, 4], data: Float32Array.of(-3, -1, 0, 1, 2, -0.5, 4, -8) } }
const holds = (change: Partial<ModelInit>) =>
  expectAsOnnxruntime(createReferenceBackend(), makeModel(init(change)), inputs)

test('a call with its attribute, two calls with others, tensors of the same names inside', async () => {
  await holds({
    ops: [
      call('LeakySum', ['x', 'x'], ['t', 'same'], { slope: { float: 0.1 } }),
      call('LeakySum', ['t', 'same'], ['y', 'unused'], { slope: { float: 0.9 } }),
    ],
  })
})

test('an attribute that nobody gives is the operator’s own default', async () => {
  const absent = { ...leakySum, attributes: [], defaults: { slope: { float: 0.01 } } }
  const { y } = await holds({ functions: [absent], ops: [call('LeakySum', ['x', 'x'], ['y', 'rest'])] })
  expect(y.data[0]).toBeCloseTo(-3 - 0.03, 5)
})

test('functions that call functions, with a default of the outer one', async () => {
  await holds({ ops: [call('Twice', ['x'], ['y'])] })
})

test('what goes in may come out as it is, which onnxruntime refuses', async () => {
  const through: FunctionInit = { name: 'Through', inputs: ['x'], outputs: ['x'], ops: [] }
  const model = makeModel(init({ functions: [through], ops: [call('Through', ['x'], ['y'])] }))
  const session = openSession(createReferenceBackend(), loadModel(model))
  const { y } = await session.run(inputs)
  expect([...y.data]).toEqual([...inputs.x.data])
  session.dispose()
})

test('a function that calls itself, is refused by name', () => {
  const loop: FunctionInit = { name: 'Loop', inputs: ['x'], outputs: ['y'], ops: [call('Loop', ['x'], ['y'])] }
  expect(() => loadModel(makeModel(init({ functions: [loop], ops: [call('Loop', ['x'], ['y'])] })))).toThrow(
    'the model\'s function "Loop" calls itself',
  )
})

test('functions that double at each level are bounded', () => {
  const functions = Array.from({ length: 40 }, (_, level): FunctionInit => {
    const inner = (input: string, output: string): OpInit =>
      level === 0 ? { type: 'Relu', inputs: [input], outputs: [output] } : call(`F${level - 1}`, [input], [output])
    return { name: `F${level}`, inputs: ['x'], outputs: ['y'], ops: [inner('x', 't'), inner('t', 'y')] }
  })
  expect(() => loadModel(makeModel(init({ functions, ops: [call('F39', ['x'], ['y'])] })))).toThrow('more than')
})
