/**
 * `npm run conformance -- DIR [--backend wasm|webgpu|reference] [--json FILE]`: runs a folder of ONNX's backend tests, or an
 * archive of one (.tar, .tar.gz, .tar.xz; unpacked by the system's tar), one
 * line for each case that did not pass, and one of counts at the end; exits with 1 when any failed.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { createReferenceBackend } from '../../src/compute/backends/reference/index.ts'
import type { Backend } from '../../src/compute/backends/types.ts'
import { createWasmBackend } from '../../src/compute/backends/wasm/backend.ts'
import { offerSwiftShader } from '../compute/webgpu.ts'
import { type CaseResult, findCases, runCase } from './cases.ts'

async function openBackend(name: string): Promise<Backend> {
  if (name === 'wasm') return createWasmBackend()
  if (name === 'reference') return createReferenceBackend()
  if (name !== 'webgpu') throw new Error(`there is no backend "${name}"; give wasm, webgpu or reference`)
  offerSwiftShader()
  const { createWebGpuBackend } = await import('../../src/compute/backends/webgpu/backend.ts')
  return createWebGpuBackend()
}

/** Where an archive's tests were unpacked; gone with this process. */
function unpacked(archive: string): string {
  const scratch = mkdtempSync(join(tmpdir(), 'shardmesh-conformance-'))
  process.on('exit', () => rmSync(scratch, { recursive: true, force: true }))
  execFileSync('tar', ['xf', resolve(archive), '-C', scratch])
  const entries = readdirSync(scratch)
  return entries.length === 1 && !entries[0].startsWith('test_') ? join(scratch, entries[0]) : scratch
}

async function main(): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { backend: { type: 'string', default: 'wasm' }, json: { type: 'string' } },
  })
  const [given, ...more] = positionals
  if (given === undefined || more.length > 0)
    throw new Error('give one folder, or archive, of ONNX backend tests (test_*/model.onnx)')
  const folder = statSync(given).isFile() ? unpacked(given) : given
  const names = findCases(folder)
  if (names.length === 0) throw new Error(`${folder} holds no test_*/model.onnx; give the folder that does`)
  const backend = await openBackend(values.backend)
  const results: CaseResult[] = []
  for (const name of names) {
    const result = await runCase(backend, folder, name)
    results.push(result)
    if (result.outcome !== 'passed') process.stdout.write(`${result.outcome.padEnd(11)} ${name}: ${result.reason}\n`)
  }
  const count = (outcome: CaseResult['outcome']) => results.filter(result => result.outcome === outcome).length
  const counts = { passed: count('passed'), failed: count('failed'), unsupported: count('unsupported') }
  if (values.json) {
    const report = { backend: values.backend, device: backend.device, ...counts, cases: results }
    writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`)
  }
  process.stdout.write(
    `${names.length} cases on ${backend.device}: ${counts.passed} passed, ${counts.failed} failed, ${counts.unsupported} unsupported\n`,
  )
  await backend.dispose()
  return counts.failed > 0 ? 1 : 0
}

try {
  // Dawn keeps threads that would hold the process.
  process.exit(await main())
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
  process.exit(2)
}
