/** What a machine computes with: half precision only where a GPU can, said before any lane starts. */
import { availableParallelism } from 'node:os'
import { expect, test } from 'vitest'
import { probeWebGpu } from '../../src/compute/backends/webgpu/probe.ts'
import { chooseDevices } from '../../src/peer/devices.ts'
import { haveWebGpu } from '../compute/webgpu.ts'

const available = await haveWebGpu("1 test of a GPU lane's precision")
const ignore = () => {}

test('half precision without a GPU is refused, and the message says what to leave out', async () => {
  const refused = { code: 'NO_F16', kind: 'resource', message: expect.stringMatching(/leave out --precision f16/) }
  const options = { data: '/nowhere', precision: 'f16' as const }
  await expect(chooseDevices({ ...options, backend: 'wasm' }, ignore)).rejects.toMatchObject(refused)
})

test('more workers than cores are told, and absurd numbers refused', async () => {
  const cores = availableParallelism()
  const told: string[] = []
  const choose = (workers: number) =>
    chooseDevices({ data: '/nowhere', backend: 'wasm', workers }, line => told.push(line))
  expect((await choose(cores)).workers).toBe(cores)
  expect(told).toEqual([])
  expect((await choose(cores + 1)).workers).toBe(cores + 1)
  expect(told).toEqual([expect.stringContaining(`${cores + 1} CPU workers, and this machine has ${cores} core`)])
  const most = Math.max(16, 8 * cores)
  await expect(choose(most + 1)).rejects.toMatchObject({ code: 'TOO_MANY_WORKERS', kind: 'input' })
})

test.skipIf(!available)('a GPU lane gets its precision, and a file in the data folder for its tiles', async () => {
  const gpu = { precision: 'f32', tilesFile: '/nowhere/gpu-tiles.json' }
  const chosen = await chooseDevices({ data: '/nowhere', backend: 'webgpu' }, ignore)
  expect(chosen).toEqual({ workers: 0, webgpu: true, gpu })
  const { hasHalf } = await probeWebGpu({ timeoutMs: 30_000 })
  const half = chooseDevices({ data: '/nowhere', backend: 'webgpu', precision: 'f16' }, ignore)
  if (hasHalf) expect((await half).gpu?.precision).toBe('f16')
  else await expect(half).rejects.toMatchObject({ code: 'NO_F16' })
})
