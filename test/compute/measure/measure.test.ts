/** What `peer bench` measures: every kernel, on operands that fit, on both backends; and what it makes of the times. */
import { afterAll, describe, expect, test } from 'vitest'
import { createReferenceBackend } from '../../../src/compute/backends/reference/index.ts'
import type { Backend } from '../../../src/compute/backends/types.ts'
import { createWasmBackend } from '../../../src/compute/backends/wasm/backend.ts'
import { createWebGpuBackend } from '../../../src/compute/backends/webgpu/backend.ts'
import { loadModel, planModel } from '../../../src/compute/engine/model.ts'
import { stepCost } from '../../../src/compute/engine/program.ts'
import { kernels } from '../../../src/compute/kernels/index.ts'
import { measuredShapes } from '../../../src/compute/measure/kernel-shapes.ts'
import { paceOf, timeKernel } from '../../../src/compute/measure/kernels.ts'
import { randomInputs, timeNetwork } from '../../../src/compute/measure/networks.ts'
import { stepTimes } from '../../../src/compute/measure/timing.ts'
import { makeModel } from '../onnx/make-model.ts'
import { haveWebGpu } from '../webgpu.ts'

const ceilings = { flopsPerSecond: 1e11, bytesPerSecond: 1e10 }

test('every kernel is measured', () => {
  const measured = new Set(measuredShapes.map(shape => shape.kernel))
  expect(Object.keys(kernels).filter(name => !measured.has(name as keyof typeof kernels))).toEqual([])
})

test('operands are as long as the kernels read, and indices point inside', async () => {
  const reference = createReferenceBackend()
  // The scalar reference makes these in seconds; the shapes that are left differ from one of them in sizes alone.
  const quick = measuredShapes
    .map(shape => ({ shape, made: shape.program() }))
    .filter(({ made }) => stepCost(made.program.steps[0]).flops < 1.3e8)
  expect(new Set(quick.map(({ shape }) => shape.kernel)).size).toBe(Object.keys(kernels).length)
  for (const { shape, made } of quick) {
    const executable = await reference.compile(made.program, made.weights)
    const { out } = await executable.run(made.inputs)
    expect([shape.kernel, shape.text, out.some(Number.isNaN)]).toEqual([shape.kernel, shape.text, false])
  }
})

test('the pace is the work by the time, and the ceiling is whichever of arithmetic and memory takes longer', () => {
  expect(paceOf(10, { flops: 5e8, bytes: 1e6 }, ceilings)).toEqual({
    ms: 10,
    gflopsPerSecond: 50,
    gigabytesPerSecond: 0.1,
    ofCeiling: 0.5,
  })
  expect(paceOf(10, { flops: 5e8, bytes: 8e7 }, ceilings).ofCeiling).toBeCloseTo(0.8)
  expect(paceOf(0, { flops: 1, bytes: 1 }, ceilings).ofCeiling).toBe(0)
})

const network = makeModel({
  opset: 13,
  inputs: { x: ['n', 3, 16, 16] },
  outputs: ['y'],
  ops: [
    { type: 'MaxPool', inputs: ['x'], outputs: ['a'], attributes: { kernel_shape: [2, 2], strides: [2, 2] } },
    { type: 'Sigmoid', inputs: ['a'], outputs: ['b'] },
    { type: 'MaxPool', inputs: ['b'], outputs: ['c'], attributes: { kernel_shape: [2, 2], strides: [2, 2] } },
    { type: 'Softmax', inputs: ['c'], outputs: ['y'], attributes: { axis: 1 } },
  ],
})

function describeMeasuring(name: string, open: () => Promise<Backend>): void {
  describe(name, () => {
    const opened = open()
    afterAll(async () => (await opened).dispose())

    test('ceilings are numbers of a machine, not of an optimised-away loop', async () => {
      const measured = await (await opened).ceilings?.()
      expect(measured?.flopsPerSecond).toBeGreaterThan(1e8)
      expect(measured?.flopsPerSecond).toBeLessThan(1e15)
      expect(measured?.bytesPerSecond).toBeGreaterThan(1e7)
      expect(measured?.bytesPerSecond).toBeLessThan(1e14)
    })

    test('a kernel has a time', async () => {
      const shape = measuredShapes.find(({ kernel }) => kernel === 'normalize')
      if (!shape) throw new Error('normalize is measured')
      const timing = await timeKernel(await opened, shape, ceilings, 20)
      expect(timing).toMatchObject({ kernel: 'normalize', shape: '197x768' })
      expect(timing.ms).toBeGreaterThan(0)
      expect(timing.ofCeiling).toBeGreaterThan(0)
    })

    test('a network is told stage by stage, kernel by kernel and step by step', async () => {
      const backend = await opened
      const model = loadModel(network)
      const timing = await timeNetwork(backend, model, ceilings, 60)
      expect(timing.runs.map(run => run.batch)).toEqual([1, 8])
      for (const run of timing.runs) expect(run.rowsPerSecond).toBeCloseTo((run.batch / run.ms) * 1000)
      const planned = planModel(model, { batch: 1, layout: backend.layout })
      expect(timing.kernels.reduce((sum, row) => sum + row.steps, 0)).toBe(planned.program.steps.length)
      expect(timing.kernels.reduce((sum, row) => sum + row.share, 0)).toBeCloseTo(1)
      expect(timing.kernels.map(row => row.ms)).toEqual(timing.kernels.map(row => row.ms).sort((a, b) => b - a))
      const steps = await stepTimes(backend, planned, randomInputs(planned), 20)
      expect(steps.map(({ step }) => step)).toEqual(planned.program.steps)
    })
  })
}

describeMeasuring('wasm', createWasmBackend)
if (await haveWebGpu('measuring on WebGPU')) describeMeasuring('webgpu', createWebGpuBackend)
