/** ONNX's own operator tests, where they lie beside the package: every backend passes what it does not name as unsupported. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { packageRoot } from '../../src/base/package-root.ts'
import { createReferenceBackend, referenceTable } from '../../src/compute/backends/reference/index.ts'
import type { Backend } from '../../src/compute/backends/types.ts'
import { createWasmBackend } from '../../src/compute/backends/wasm/backend.ts'
import { haveWebGpu } from '../compute/webgpu.ts'
import { type CaseResult, findCases, runCase } from './cases.ts'

const archive = join(packageRoot, '../shared/conformance/onnx-node.tar.xz')
const there = existsSync(archive)
if (!there) console.warn(`SKIPPED 4 tests: ONNX's operator tests (625 cases) are not there (${archive})`)

const scratch = mkdtempSync(join(tmpdir(), 'shardmesh-onnx-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))
if (there) execFileSync('tar', ['xJf', archive, '-C', scratch])
const folder = join(scratch, 'onnx-node')
const names = there ? findCases(folder) : []

async function runAll(backend: Backend, cases: readonly string[]): Promise<CaseResult[]> {
  const results: CaseResult[] = []
  for (const name of cases) results.push(await runCase(backend, folder, name))
  await backend.dispose()
  return results
}

const failures = (results: readonly CaseResult[]) => results.filter(({ outcome }) => outcome === 'failed')
const passed = (results: readonly CaseResult[]) => results.filter(({ outcome }) => outcome === 'passed').length

describe.skipIf(!there)("ONNX's operator tests", () => {
  test('pass on WebAssembly', async () => {
    const results = await runAll(await createWasmBackend(), names)
    expect(failures(results)).toEqual([])
    expect(passed(results)).toBeGreaterThanOrEqual(470)
  })

  test('pass on the reference', async () => {
    const results = await runAll(createReferenceBackend(), names)
    expect(failures(results)).toEqual([])
    expect(passed(results)).toBeGreaterThanOrEqual(470)
  })

  test('fail when a kernel is wrong', async () => {
    const wrong = createReferenceBackend({
      ...referenceTable,
      unary: (params, inputs, output) => {
        if (typeof referenceTable.unary === 'function') referenceTable.unary(params, inputs, output)
        output[0] += 1
      },
    })
    const [result] = await runAll(wrong, ['test_relu'])
    expect(result).toMatchObject({ outcome: 'failed', reason: expect.stringMatching(/"y" at 0 is/) })
  })

  test('pass on WebGPU', { timeout: 180_000 }, async context => {
    if (!(await haveWebGpu(`${names.length} of ONNX's operator tests`))) return context.skip()
    const { createWebGpuBackend } = await import('../../src/compute/backends/webgpu/backend.ts')
    const results = await runAll(await createWebGpuBackend(), names)
    expect(failures(results)).toEqual([])
    expect(passed(results)).toBeGreaterThanOrEqual(470)
    // What it leaves out is what all leave out.
    const without = results.filter(({ outcome }) => outcome === 'unsupported')
    const onWasm = await runAll(
      await createWasmBackend(),
      without.map(({ name }) => name),
    )
    expect(onWasm.filter(({ outcome }) => outcome !== 'unsupported')).toEqual([])
  })
})
