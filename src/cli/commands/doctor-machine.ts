/** What `peer doctor` finds on the machine itself: what it computes with, and what its peer may use of it. */
import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { availableParallelism, cpus, totalmem } from 'node:os'
import bytes from 'pretty-bytes'
import { checkDataFolder } from '../../peer/data-folder.ts'
import type { Finding } from './doctor-reach.ts'

export async function machineFindings(folder: string): Promise<Finding[]> {
  return [node(), memory(), await wasm(), await webgpu(), await decoder(), await data(folder), clock()]
}

function node(): Finding {
  return {
    topic: 'node',
    ok: true,
    says: `${process.version}, ${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), ${bytes(totalmem(), { binary: true })}`,
  }
}

/** A peer with its models and blocks wants that much. */
const memoryBytesMin = 512 * 1024 * 1024

function memory(): Finding {
  const all = totalmem()
  const limit = process.constrainedMemory?.() ?? 0
  const isLimited = limit > 0 && limit < all
  const most = isLimited ? limit : all
  const size = (count: number) => bytes(count, { binary: true })
  const says = isLimited ? `${size(limit)} by the limit of a container or service, of ${size(all)}` : size(all)
  if (most >= memoryBytesMin) return { topic: 'memory', ok: true, says }
  return {
    topic: 'memory',
    ok: false,
    says,
    advice: `a peer uses up to 400 MB beside its models: raise the limit (MemoryMax= of a unit, --memory of a container), or start it with --workers 1`,
  }
}

/** No release is older, so that no clock is right that says so. */
const firstRelease = Date.UTC(2026, 0, 1)

function clock(): Finding {
  const says = new Date().toISOString().slice(0, 19).replace('T', ' ')
  if (Date.now() >= firstRelease) return { topic: 'clock', ok: true, says: `${says} UTC` }
  return { topic: 'clock', ok: false, says: `${says} UTC, in the past`, advice: 'set the clock, by NTP such as chrony' }
}

/** One picture there and back. */
async function decoder(): Promise<Finding> {
  try {
    const { encodeJpeg } = await import('../../data/images/encode.ts')
    const { decodeImage } = await import('../../data/images/decode.ts')
    const { width, height } = await decodeImage(await encodeJpeg(new Uint8Array(8 * 8 * 3).fill(128), 8, 8, 90))
    if (width !== 8 || height !== 8) throw new Error('it gave another picture than went in')
    return { topic: 'decoder', ok: true, says: 'reads pictures' }
  } catch (thrown) {
    // It says what to do.
    return { topic: 'decoder', ok: false, says: thrown instanceof Error ? thrown.message : String(thrown) }
  }
}

/** Connections, blocks and worker threads need them. */
const descriptorsMin = 1024

/** What the system allows a process: the running peer, or this command. */
export async function processFindings(pid: number): Promise<Finding[]> {
  const limit = await descriptorLimit(pid)
  if (limit === undefined) return []
  const used = await readdir(`/proc/${pid}/fd`).then(
    list => list.length,
    () => undefined,
  )
  const says = `${limit} file descriptors${used === undefined ? '' : `, ${used} in use`}`
  const enough = limit >= descriptorsMin && (used === undefined || used < 0.8 * limit)
  if (enough) return [{ topic: 'files', ok: true, says }]
  return [
    {
      topic: 'files',
      ok: false,
      says: `${says}: too few for connections, blocks and workers`,
      advice:
        'start the peer with more: ulimit -n 4096 before it, LimitNOFILE=4096 in a unit, --ulimit nofile=4096 of a container',
    },
  ]
}

/** Undefined where nobody says, as on Windows; no limit is as good as infinite. */
async function descriptorLimit(pid: number): Promise<number | undefined> {
  const limits = await readFile(`/proc/${pid}/limits`, 'utf8').catch(() => '')
  const stated = /^Max open files\s+(\S+)/m.exec(limits)?.[1]
  if (stated !== undefined) return stated === 'unlimited' ? Number.POSITIVE_INFINITY : Number(stated)
  if (process.platform === 'win32') return undefined
  return new Promise(resolve => {
    execFile('/bin/sh', ['-c', 'ulimit -n'], (_error, stdout) => {
      const value = stdout.trim() === 'unlimited' ? Number.POSITIVE_INFINITY : Number(stdout.trim() || Number.NaN)
      resolve(Number.isNaN(value) ? undefined : value)
    })
  })
}

async function wasm(): Promise<Finding> {
  const { createWasmBackend } = await import('../../compute/backends/wasm/backend.ts')
  const backend = await createWasmBackend()
  await backend.dispose()
  return {
    topic: 'cpu',
    ok: true,
    says: `${backend.device}; peers of the same numeric class, ${backend.numericClass}, give the same bits`,
  }
}

async function webgpu(): Promise<Finding> {
  const { probeWebGpu } = await import('../../compute/backends/webgpu/probe.ts')
  const probe = await probeWebGpu()
  if (!probe.available) return { topic: 'gpu', ok: false, says: probe.reason ?? 'no adapter', advice: probe.hint }
  if (probe.isFallback) {
    return {
      topic: 'gpu',
      ok: false,
      says: `${probe.adapter}, a software adapter: right, but slower than the CPU workers`,
      advice: "install the graphics card's Vulkan driver; until then peer start computes with the CPU",
    }
  }
  return { topic: 'gpu', ok: true, says: `${probe.adapter}` }
}

async function data(folder: string): Promise<Finding> {
  try {
    await checkDataFolder(folder)
    return { topic: 'data', ok: true, says: folder }
  } catch (thrown) {
    const says = thrown instanceof Error ? thrown.message : String(thrown)
    return { topic: 'data', ok: false, says, advice: 'choose another folder with --data' }
  }
}
