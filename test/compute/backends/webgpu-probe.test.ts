/** The probe: an answer whatever the driver does. Children stand in for drivers that crash, hang or do not load. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { probeWebGpu } from '../../../src/compute/backends/webgpu/probe.ts'
import { haveWebGpu } from '../webgpu.ts'

const available = await haveWebGpu('1 test of the probe')
const folder = mkdtempSync(join(tmpdir(), 'shardmesh-probe-'))
afterAll(() => rmSync(folder, { recursive: true }))

function program(name: string, source: string): string {
  const path = join(folder, `${name}.mjs`)
  writeFileSync(path, source)
  return path
}

test.skipIf(!available)('finds the adapter and names it', async () => {
  const probe = await probeWebGpu({ timeoutMs: 30_000 })
  expect(probe).toMatchObject({
    available: true,
    adapter: expect.stringMatching(/\w/),
    isFallback: expect.any(Boolean),
  })
})

test('without a Vulkan driver it says what to install', async () => {
  const probe = await probeWebGpu({ env: { ...process.env, VK_DRIVER_FILES: join(folder, 'none.json') } })
  expect(probe.available).toBe(false)
  expect(probe.hint).toMatch(/install|driver/)
})

test('a missing Vulkan loader is named', async () => {
  const complaint = "Warning: Couldn't load Vulkan: libvulkan.so.1: cannot open shared object file"
  const answer = `{ ok: false, code: 'WEBGPU_NO_ADAPTER', reason: 'none' }`
  const source = `process.stderr.write(${JSON.stringify(complaint)}); process.send(${answer}, () => process.exit(0))`
  const probe = await probeWebGpu({ program: program('loader', source) })
  expect(probe.available).toBe(false)
  if (process.platform === 'linux') expect(probe.hint).toMatch(/libvulkan1/)
})

test('a driver that crashes is told from one that hangs and one that does not load', async () => {
  const [crashed, hung, broken] = await Promise.all([
    probeWebGpu({ program: program('crash', `process.kill(process.pid, 'SIGSEGV'); setInterval(() => {}, 1000)`) }),
    probeWebGpu({ program: program('hang', 'setInterval(() => {}, 1000)'), timeoutMs: 500 }),
    probeWebGpu({ program: program('broken', `throw new Error('wrong ELF class')`) }),
  ])
  expect(crashed).toMatchObject({ available: false, reason: expect.stringMatching(/crashed \(SIGSEGV\)/) })
  expect(hung).toMatchObject({ available: false, reason: expect.stringMatching(/did not answer/) })
  expect(broken).toMatchObject({ available: false, reason: expect.stringMatching(/wrong ELF class/) })
})

test('a crash after the answer does not spoil it', async () => {
  const adapter = `{ name: 'Test GPU', vendor: 'test', architecture: '', driver: '1', isFallback: false }`
  const source = `process.send({ ok: true, adapter: ${adapter} }, () => process.kill(process.pid, 'SIGSEGV'))`
  const probe = await probeWebGpu({ program: program('late', source) })
  expect(probe).toEqual({ available: true, adapter: 'Test GPU', vendor: 'test', driver: '1', isFallback: false })
})
