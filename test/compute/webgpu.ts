/**
 * WebGPU for tests. Where no Vulkan driver is chosen and Debian's Chromium is there, its SwiftShader serves: a software
 * driver, for correctness only. VK_DRIVER_FILES chooses another one: lavapipe of Mesa 25 has float16, which SwiftShader
 * lacks, and subgroups of another size; older ones Dawn refuses. A machine without an adapter skips, loudly;
 * SHARDMESH_REQUIRE_WEBGPU=1 makes that a failure.
 */
import { existsSync } from 'node:fs'
import { probeWebGpu } from '../../src/compute/backends/webgpu/probe.ts'

const swiftShader = '/usr/lib/chromium/vk_swiftshader_icd.json'

/** Sets the environment of this process, and so of its children, for a WebGPU adapter in tests. */
export function offerSwiftShader(): void {
  if (process.env.VK_DRIVER_FILES === undefined && existsSync(swiftShader)) process.env.VK_DRIVER_FILES = swiftShader
}

/**
 * Whether this machine has an adapter, asked in a child process; SwiftShader is offered before.
 * @param what is skipped without one: said in one line on the console
 * @throws where SHARDMESH_REQUIRE_WEBGPU is 1 and there is none
 */
export async function haveWebGpu(what: string): Promise<boolean> {
  offerSwiftShader()
  const probe = await probeWebGpu({ timeoutMs: 30_000 })
  if (probe.available) return true
  const why = `${probe.reason}; ${probe.hint}`
  if (process.env.SHARDMESH_REQUIRE_WEBGPU === '1') throw new Error(`WebGPU is required here and missing: ${why}`)
  console.warn(`SKIPPED ${what}: no WebGPU (${why})`)
  return false
}
