/** `peer bench` as a process: what it prints, writes and remembers, and one line for what is wrong. */
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { packageRoot } from '../../src/base/package-root.ts'
import { knownRate } from '../../src/peer/known-rates.ts'
import { makeModel } from '../compute/onnx/make-model.ts'

const scratch = mkdtempSync(join(tmpdir(), 'shardmesh-bench-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))
const at = (name: string) => join(scratch, name)

writeFileSync(
  at('model.onnx'),
  makeModel({
    opset: 13,
    inputs: { x: ['n', 4] },
    outputs: ['y'],
    ops: [{ type: 'Softmax', inputs: ['x'], outputs: ['y'] }],
  }),
)

function bench(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const all = [join(packageRoot, 'src/cli/main.ts'), 'bench', '--data', at('home'), '--seconds', '0.02', ...args]
  return new Promise(resolve => {
    execFile(process.execPath, all, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr })
    })
  })
}

test('named kernels are measured, with progress aside and everything in the file', async () => {
  const { code, stdout, stderr } = await bench('--kernel', 'softmax', '--kernel', 'affine', '--json', at('out.json'))
  expect(code).toBe(0)
  expect(stdout).toMatch(/GFLOP\/s \(multiply-adds on registers\) and .* GB\/s/)
  expect(stdout).toMatch(/softmax +2364x197 /)
  expect(stderr).toMatch(/kernel 2 of 2: softmax, 2364x197/)
  const report = JSON.parse(readFileSync(at('out.json'), 'utf8'))
  expect(report.kernels.map((row: { kernel: string }) => row.kernel)).toEqual(['affine', 'softmax'])
  expect(report.machine.cores).toBe(availableParallelism())
  expect(existsSync(at('home/rates.json'))).toBe(false)
})

test("a network's stages are told, compared where asked, and its rate is remembered for the peer", async () => {
  const { code, stdout } = await bench('--model', scratch, '--compare', 'onnxruntime-web', '--json', at('net.json'))
  expect(code).toBe(0)
  for (const stage of ['load', 'plan', 'compile', 'run, batch 1', 'run, batch 8']) expect(stdout).toContain(stage)
  expect(stdout).toMatch(/onnxruntime-web on one thread: .* times as fast/)
  const { device, networks } = JSON.parse(readFileSync(at('net.json'), 'utf8'))
  const cores = availableParallelism()
  const known = await knownRate(at('home'), `${cores} CPU ${cores === 1 ? 'worker' : 'workers'} (${device})`)
  const best = Math.max(...networks[0].runs.map((run: { rowsPerSecond: number }) => run.rowsPerSecond))
  expect(known).toBeCloseTo(best * cores)
})

test.each([
  [['--kernel', 'gem'], 'there is no kernel "gem"; did you mean gemm?'],
  [['--kernel', 'zzzzzz'], 'the kernels are affine, binary'],
  [['--model', 'nowhere.onnx'], 'nowhere.onnx does not exist: check the path'],
  [['--compare', 'tensorflow'], 'give --compare onnxruntime-web'],
  [['--compare', 'onnxruntime-web'], 'add --model FILE'],
  [['--backend', 'cuda'], 'give --backend wasm or webgpu'],
  [['--seconds', 'many'], '--seconds takes a number of seconds up to 3600, and got "many"'],
])('%j is answered with advice', async (args, message) => {
  const { code, stdout, stderr } = await bench(...args)
  expect([code, stdout]).toEqual([2, ''])
  expect(stderr).toContain(message)
})
