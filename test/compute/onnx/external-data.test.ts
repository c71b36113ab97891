/** Weights in files beside the model: read where they are, refused where the model points out of its folder. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import protobuf from 'protobufjs/minimal.js'
import { afterAll, expect, test } from 'vitest'
import { createReferenceBackend } from '../../../src/compute/backends/reference/index.ts'
import { loadModel, planModel } from '../../../src/compute/engine/model.ts'
import { openSession } from '../../../src/compute/engine/session.ts'
import { externalFolder } from '../../../src/compute/onnx/external-data.ts'
import { inlineExternal } from '../../../src/compute/onnx/inline-external.ts'
import { decodeRawModel, encodeRawModel } from '../../../src/compute/onnx/schema.ts'
import { shared } from '../../fixtures/shared.ts'
import { makeModel } from './make-model.ts'

const scratch = mkdtempSync(join(tmpdir(), 'shardmesh-external-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))
const folder = join(scratch, 'model')
mkdirSync(folder)
const weights = Float32Array.of(9, 9, 1, 2, 3)
writeFileSync(join(folder, 'weights.bin'), weights)
writeFileSync(join(scratch, 'secret.bin'), weights)
symlinkSync(join(scratch, 'secret.bin'), join(folder, 'link.bin'))

/** x + w, with w of three values described by external data entries. */
function model(entries: Record<string, string>): Uint8Array {
  const add = { type: 'Add', inputs: ['x', 'w'], outputs: ['y'] }
  const plain = makeModel({ opset: 13, inputs: { x: [3] }, outputs: ['y'], ops: [add] })
  const writer = new protobuf.Writer()
  writer.uint32((7 << 3) | 2).fork() // a second graph message: protobuf joins it to the first
  writer.uint32((5 << 3) | 2).fork()
  writer
    .uint32(8)
    .int64(3)
    .uint32(16)
    .int32(1)
    .uint32((8 << 3) | 2)
    .string('w')
  for (const [key, value] of Object.entries(entries)) {
    writer.uint32((13 << 3) | 2).fork()
    writer.uint32(10).string(key).uint32(18).string(value).ldelim()
  }
  writer.uint32(14 << 3).int32(1)
  writer.ldelim().ldelim()
  return Buffer.concat([plain, writer.finish()])
}

const load = (entries: Record<string, string>) => loadModel(model(entries), { readExternal: externalFolder(folder) })

test('weights are read from their place in a file of the folder', async () => {
  const session = openSession(createReferenceBackend(), load({ location: 'weights.bin', offset: '8', length: '12' }))
  const { y } = await session.run({ x: { type: 'float32', dims: [3], data: Float32Array.of(10, 20, 30) } })
  expect(y.data).toEqual(Float32Array.of(11, 22, 33))
})

test.each([
  ['a folder above', { location: '../secret.bin' }, /outside the model's folder/],
  ['an absolute path', { location: join(scratch, 'secret.bin') }, /outside the model's folder/],
  ['a way out and back', { location: '../model/../secret.bin' }, /outside the model's folder/],
  ['a link that leads out', { location: 'link.bin' }, /outside the model's folder/],
  ['the folder itself', { location: '.' }, /outside the model's folder/],
  ['nothing', {}, /outside the model's folder/],
  ['a file that is not there', { location: 'other.bin' }, /not in the model's folder/],
  ['more than there is', { location: 'weights.bin', offset: '12', length: '12' }, /20 bytes and not the 24/],
  ['another length than its shape', { location: 'weights.bin' }, /holds 5 values/],
  ['a negative offset', { location: 'weights.bin', offset: '-4' }, /offset "-4"/],
])('%s is refused', (_, entries, message) => {
  expect(() => load(entries)).toThrow(message)
})

test('without a folder such a model is refused', () => {
  expect(() => loadModel(model({ location: 'weights.bin' }))).toThrow(/lies in another file/)
})

test('a model that travels holds its weights, and runs as before without the folder', async () => {
  const outside = model({ location: 'weights.bin', offset: '8', length: '12' })
  const whole = inlineExternal(outside, externalFolder(folder))
  const session = openSession(createReferenceBackend(), loadModel(whole))
  const { y } = await session.run({ x: { type: 'float32', dims: [3], data: Float32Array.of(10, 20, 30) } })
  expect(y.data).toEqual(Float32Array.of(11, 22, 33))
  // What is whole already, or no model, keeps its bytes, and what leads out of the folder is refused here too.
  expect(inlineExternal(whole, externalFolder(folder))).toBe(whole)
  expect(() => inlineExternal(model({ location: 'link.bin' }), externalFolder(folder))).toThrow(/outside the model/)
  const damaged = new Uint8Array([255, 255])
  expect(inlineExternal(damaged, externalFolder(folder))).toBe(damaged)
})

test('networks with attributes survive the way into one file', async () => {
  if (!shared) {
    console.warn('SKIPPED 1 test: no ../shared models to put weights into')
    return
  }
  const bytes = readFileSync(join(shared, 'models/mnist.onnx'))
  const again = encodeRawModel(decodeRawModel(bytes))
  const [planned, replanned] = [bytes, again].map(file => planModel(loadModel(file), { batch: 1 }))
  expect(replanned.program).toEqual(planned.program)
  expect(replanned.weights.map(weight => weight.key)).toEqual(planned.weights.map(weight => weight.key))
})
