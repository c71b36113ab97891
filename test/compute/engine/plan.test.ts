/** The planner's memory: nothing that is needed at one time overlaps, and reuse really happens. */
import { expect, test } from 'vitest'
import { prng } from '../../../src/base/prng.ts'
import { createGraphBuilder } from '../../../src/compute/engine/graph.ts'
import { liveness, overlap, planGraph } from '../../../src/compute/engine/plan.ts'
import { bufferBytes, type Program } from '../../../src/compute/engine/program.ts'
import { unaryOps } from '../../../src/compute/kernels/unary.ts'
import { elementsOf } from '../../../src/compute/tensor/shape.ts'

/** A random graph of unary steps: each reads any tensor made before. */
function randomProgram(seed: number): Program {
  const random = prng(seed)
  const builder = createGraphBuilder()
  const dims = () => [1 + random.int(300)]
  const tensors = [builder.input('x', dims(), 'float32')]
  for (let i = 1 + random.int(30); i > 0; i--) {
    // Mostly the newest one, so that chains free what is behind them.
    const from = random.int(3) ? tensors[tensors.length - 1] : random.pick(tensors)
    const params = { count: elementsOf(from.dims), op: unaryOps.neg, alpha: 0, beta: 0 }
    tensors.push(builder.emit('unary', `op${i}`, params, [from], dims()))
  }
  const last = tensors[tensors.length - 1]
  builder.graph.outputs.push({ name: 'y', value: last.value, dims: last.dims, type: last.type })
  return planGraph(builder.graph, 1).program
}

test('buffers that live at one time share neither bytes nor a slot, over 200 random graphs', () => {
  let reused = 0
  for (let seed = 0; seed < 200; seed++) {
    const { steps, buffers, arenaBytes, slots } = randomProgram(seed)
    const lives = liveness(steps, buffers)
    buffers.forEach((a, i) => {
      expect(a.offset + bufferBytes(a)).toBeLessThanOrEqual(arenaBytes)
      expect(slots[a.slot]).toBeGreaterThanOrEqual(bufferBytes(a))
      buffers.slice(0, i).forEach((b, j) => {
        const apart = a.offset >= b.offset + bufferBytes(b) || b.offset >= a.offset + bufferBytes(a)
        if (overlap(lives[i], lives[j])) expect(apart && a.slot !== b.slot).toBe(true)
        else if (!apart) reused++
      })
    })
  }
  expect(reused).toBeGreaterThan(100)
})

test('a chain needs two places, however long it is', () => {
  const builder = createGraphBuilder()
  let tensor = builder.input('x', [64], 'float32')
  for (let i = 0; i < 20; i++) {
    tensor = builder.emit('unary', 'neg', { count: 64, op: unaryOps.neg, alpha: 0, beta: 0 }, [tensor], [64])
  }
  builder.graph.outputs.push({ name: 'y', value: tensor.value, dims: [64], type: tensor.type })
  const { program } = planGraph(builder.graph, 1)
  expect(program.slots).toEqual([256, 256])
  expect(program.arenaBytes).toBe(512)
})
