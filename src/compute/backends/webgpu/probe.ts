/**
 * Whether this machine can compute with WebGPU, and if not, why and what to install.
 *
 * Invariant: the driver is loaded in a short-lived child process only; a driver that crashes or hangs costs the peer
 * nothing but the time limit.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { sibling } from '../../../base/package-root.ts'
import type { ProbeMessage } from './probe-child.ts'

/** What `peer start` and `peer doctor` say of this machine's GPU. */
export interface WebGpuProbe {
  available: boolean
  /** The adapter's name. */
  adapter?: string
  vendor?: string
  driver?: string
  /** True where the adapter computes on the CPU: prefer WASM unless WebGPU was asked for. */
  isFallback?: boolean
  /** True where it can store half precision. */
  hasHalf?: boolean
  /** Why it is not available, one line. */
  reason?: string
  /** What to do about it, one line. */
  hint?: string
}

export interface ProbeInit {
  /** A first start of a GPU's driver takes a second or two; one that takes longer than this hangs. Default 10 s. */
  timeoutMs?: number
  /** Environment of the child. Default: this process's. */
  env?: NodeJS.ProcessEnv
  /** The child's program, for tests of one that crashes or hangs. */
  program?: string
}

/** More of a driver's complaints than this are not read. */
const stderrCharsMax = 16_384

/** Never throws and never hangs: whatever the driver does becomes an answer. */
export async function probeWebGpu(init: ProbeInit = {}): Promise<WebGpuProbe> {
  const timeoutMs = init.timeoutMs ?? 10_000
  const env = init.env ?? process.env
  const program = init.program ?? fileURLToPath(sibling(import.meta.url, './probe-child'))
  let child: ChildProcess
  try {
    child = fork(program, [], { env, execArgv: [], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  } catch (thrown) {
    return { available: false, reason: `the probe did not start: ${String(thrown)}` }
  }
  return judge(await watch(child, timeoutMs), timeoutMs)
}

interface ChildEnd {
  message?: ProbeMessage
  timedOut: boolean
  signal: NodeJS.Signals | null
  exitCode: number | null
  stderr: string
}

function watch(child: ChildProcess, timeoutMs: number): Promise<ChildEnd> {
  return new Promise(resolve => {
    const end: ChildEnd = { timedOut: false, signal: null, exitCode: null, stderr: '' }
    const timer = setTimeout(() => {
      end.timedOut = true
      child.kill('SIGKILL')
    }, timeoutMs)
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (end.stderr.length < stderrCharsMax) end.stderr += text
    })
    child.on('message', (message: ProbeMessage) => {
      end.message = message
    })
    child.on('error', error => {
      end.stderr += error.message
    })
    child.on('close', (exitCode, signal) => {
      clearTimeout(timer)
      resolve({ ...end, exitCode, signal })
    })
  })
}

function judge(end: ChildEnd, timeoutMs: number): WebGpuProbe {
  // An answer counts even if the driver's teardown crashed after it.
  if (end.message?.ok) {
    const { name, vendor, driver, isFallback, hasHalf } = end.message.adapter
    return { available: true, adapter: name, vendor, driver, isFallback, hasHalf }
  }
  if (end.message) return { available: false, ...explain(end.message, end.stderr) }
  if (end.timedOut) {
    return {
      available: false,
      reason: `the GPU driver did not answer within ${timeoutMs / 1000} s`,
      hint: 'restart the machine or reinstall its GPU driver; until then, work runs on WASM',
    }
  }
  if (end.signal) {
    return {
      available: false,
      reason: `the GPU driver crashed (${end.signal})`,
      hint: 'update the GPU driver; until then, work runs on WASM',
    }
  }
  return {
    available: false,
    reason: `WebGPU's bindings did not load (exit code ${end.exitCode}): ${errorLine(end.stderr)}`,
    hint: 'run npm install again on this machine; its platform may lack a build of the webgpu package',
  }
}

function explain(message: ProbeMessage & { ok: false }, stderr: string): { reason: string; hint: string } {
  if (message.code !== 'WEBGPU_NO_ADAPTER') {
    return { reason: message.reason, hint: 'update the GPU driver; until then, work runs on WASM' }
  }
  if (process.platform !== 'linux') {
    return { reason: 'the system offers WebGPU no adapter', hint: 'update the GPU driver' }
  }
  if (/libvulkan\.so/.test(stderr)) {
    return { reason: 'there is no Vulkan loader', hint: 'on Debian or Ubuntu: apt install libvulkan1' }
  }
  const refused = /Warning: (Vulkan [^\n]*required)/.exec(stderr)
  const nvidia = existsSync('/proc/driver/nvidia/version')
  const install = nvidia
    ? "install the NVIDIA driver's Vulkan part (Debian: nvidia-vulkan-icd), or mount it into this container"
    : 'on Debian or Ubuntu: apt install mesa-vulkan-drivers (Intel, AMD) or the NVIDIA driver'
  if (refused) {
    return { reason: `the Vulkan driver is too old for WebGPU (${refused[1]})`, hint: `update it, or ${install}` }
  }
  return { reason: 'there is no Vulkan driver for a GPU', hint: install }
}

/** Of a stack trace, the line that says what happened. */
function errorLine(stderr: string): string {
  const lines = stderr.split('\n').map(line => line.trim())
  return (lines.find(line => /error/i.test(line)) ?? lines.find(line => line !== '') ?? 'no message').slice(0, 300)
}
