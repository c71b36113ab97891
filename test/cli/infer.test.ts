/** `peer infer` as a process: arrays in, arrays and times out, and one line for what is wrong. */
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { packageRoot } from '../../src/base/package-root.ts'
import { readNpy } from '../../src/data/readers/npy.ts'
import { writeNpy } from '../../src/data/writers/npy.ts'
import { makeModel } from '../compute/onnx/make-model.ts'

const scratch = mkdtempSync(join(tmpdir(), 'shardmesh-infer-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))
const at = (name: string) => join(scratch, name)

writeFileSync(
  at('model.onnx'),
  makeModel({
    opset: 13,
    inputs: { 'a=b': ['n', 2], shape: ['k'] },
    types: { shape: 7 },
    outputs: ['../y', 'y'],
    ops: [
      { type: 'Neg', inputs: ['a=b'], outputs: ['../y'] },
      { type: 'Reshape', inputs: ['../y', 'shape'], outputs: ['y'] },
    ],
  }),
)
writeFileSync(at('x.npy'), writeNpy({ type: 'float64', dims: [2, 2], data: Float64Array.of(1, 2, 3, 4) }))
writeFileSync(at('shape.npy'), writeNpy({ type: 'int64', dims: [1], data: BigInt64Array.of(-1n) }))

function infer(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const all = [join(packageRoot, 'src/cli/main.ts'), 'infer', ...args]
  return new Promise(resolve => {
    execFile(process.execPath, all, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr })
    })
  })
}

test('results are arrays in the folder, never outside, and every stage has its time', async () => {
  const inputs = ['--input', `a=b=${at('x.npy')}`, '--input', `shape=${at('shape.npy')}`]
  const { code, stdout, stderr } = await infer(scratch, ...inputs, '--out', at('out/deep'))
  expect([code, stderr]).toEqual([0, ''])
  for (const stage of ['load', 'plan', 'compile', 'run', 'write']) expect(stdout).toMatch(new RegExp(`${stage} .* ms`))
  expect(readNpy(readFileSync(at('out/deep/y.npy')), 'y').data).toEqual(Float32Array.of(-1, -2, -3, -4))
  expect(readNpy(readFileSync(at('out/deep/__y.npy')), 'y').dims).toEqual([2, 2])
  expect(existsSync(at('out/y.npy'))).toBe(false)
})

test.each([
  ['an input that the network does not know', ['--input', `z=${at('x.npy')}`], /lacks "a=b", "shape"; its inputs are/],
  ['a file that is not there', ['--input', 'a=b=nowhere.npy'], /nowhere.npy does not exist/],
  ['a file that is no array', ['--input', `a=b=${at('model.onnx')}`], /not an .npy file/],
  ['no name', ['--input', at('x.npy')], /give --input NAME=FILE.npy/],
  ['another backend', ['--backend', 'cuda'], /wasm or webgpu/],
])('%s is one line and exit code 2', async (_, args, message) => {
  const { code, stderr } = await infer(at('model.onnx'), ...args, '--out', at('out'))
  expect(code).toBe(2)
  expect(stderr).toMatch(message)
  expect(stderr.trim().split('\n')).toHaveLength(1)
})
