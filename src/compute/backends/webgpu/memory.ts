/**
 * Buffers on the device: weights kept once for all executables, the slots of a program, its parameters, and the
 * staging buffers through which results come back.
 *
 * Invariant: nothing is allocated while a batch runs, once as many batches as may be under way have run.
 */
import { limits } from '../../../base/limits.ts'
import { bufferAlignment, bufferBytes, type Program, type ProgramBuffer, type Weight } from '../../engine/program.ts'
import { type KernelName, type KernelParams, kernels } from '../../kernels/index.ts'
import { dtypeOf, type KernelArray } from '../../tensor/dtype.ts'
import { type GpuContext, gpuError } from './device.ts'
import { toHalves } from './half-bits.ts'

/** Bytes of the largest buffer that a kernel can use. */
export function bufferMaxOf({ device }: GpuContext): number {
  return Math.min(device.limits.maxBufferSize, device.limits.maxStorageBufferBindingSize)
}

/** A buffer of `bytes`, refused with `WEBGPU_OUT_OF_MEMORY` before the device is asked for more than it binds. */
export function allocate(context: GpuContext, label: string, bytes: number, usage: number): GPUBuffer {
  const { device, adapter } = context
  const most = bufferMaxOf(context)
  if (bytes > most) {
    const message = `${label} takes ${bytes} bytes and ${adapter.name} binds at most ${most} at once: use a smaller batch, or the CPU (wasm)`
    throw gpuError('WEBGPU_OUT_OF_MEMORY', message, undefined, { expected: most, got: bytes })
  }
  return device.createBuffer({ label, size: bytes, usage })
}

/** Bytes of a buffer in the device's memory, where it may be stored as float16. */
export function storedBytes(buffer: Pick<ProgramBuffer, 'dtype' | 'elements'>, half: boolean): number {
  return bufferBytes(half ? { dtype: 'float32', elements: Math.ceil(buffer.elements / 2) } : buffer)
}

/**
 * Bytes of each of a program's slots.
 * @param halves for each buffer whether it is stored as float16
 */
export function slotBytes({ slots, buffers }: Program, halves: readonly boolean[]): readonly number[] {
  if (!halves.includes(true)) return slots
  const bytes = slots.map(() => bufferAlignment)
  for (const [index, buffer] of buffers.entries()) {
    if (buffer.slot >= 0) bytes[buffer.slot] = Math.max(bytes[buffer.slot], storedBytes(buffer, halves[index]))
  }
  return bytes
}

/** Writes all of `data`, with zeros up to a multiple of four bytes as the queue demands. */
export function upload(device: GPUDevice, buffer: GPUBuffer, data: KernelArray | Uint16Array<ArrayBuffer>): void {
  const whole = data.byteLength - (data.byteLength % 4)
  if (whole > 0) device.queue.writeBuffer(buffer, 0, data.buffer, data.byteOffset, whole)
  if (whole < data.byteLength) {
    const tail = new Uint8Array(4)
    tail.set(new Uint8Array(data.buffer, data.byteOffset + whole, data.byteLength - whole))
    device.queue.writeBuffer(buffer, whole, tail)
  }
}

/** Weights by key; equal ones of two programs are one buffer, freed with the last user. */
export interface WeightStore {
  /** @param half stored as float16; default false. `release` takes the same. */
  acquire(weight: Weight, half?: boolean): GPUBuffer
  release(weight: Weight, half?: boolean): void
}

/** The key of what is stored of a weight: another for each precision. */
const storedKey = ({ key }: Weight, half: boolean) => (half ? `${key}/f16` : key)

export function createWeightStore(context: GpuContext): WeightStore {
  const held = new Map<string, { buffer: GPUBuffer; users: number }>()
  return {
    acquire(weight, half = false) {
      let entry = held.get(storedKey(weight, half))
      if (entry === undefined) {
        const { STORAGE, COPY_DST } = GPUBufferUsage
        const { data } = weight
        const bytes = storedBytes({ dtype: dtypeOf(data), elements: data.length }, half)
        entry = { buffer: allocate(context, 'a weight', bytes, STORAGE | COPY_DST), users: 0 }
        upload(context.device, entry.buffer, half && data instanceof Float32Array ? toHalves(data) : data)
        held.set(storedKey(weight, half), entry)
      }
      entry.users++
      return entry.buffer
    },
    release(weight, half = false) {
      const entry = held.get(storedKey(weight, half))
      if (entry === undefined) return
      entry.users--
      if (entry.users > 0) return
      entry.buffer.destroy()
      held.delete(storedKey(weight, half))
    },
  }
}

/** A kernel's parameters as its uniform struct: the contract's fields in order, four bytes each, padded to 16. */
export function packParams<K extends KernelName>(kernel: K, params: KernelParams[K]): Uint8Array<ArrayBuffer> {
  const { fields } = kernels[kernel]
  const names = Object.keys(fields) as (keyof KernelParams[K])[]
  const view = new DataView(new ArrayBuffer(Math.ceil(names.length / 4) * 16))
  names.forEach((name, place) => {
    const value = Number(params[name])
    if (fields[name] === 'f32') view.setFloat32(4 * place, value, true)
    else if (fields[name] === 'i32') view.setInt32(4 * place, value, true)
    else view.setUint32(4 * place, value, true)
  })
  return new Uint8Array(view.buffer)
}

/** Where the outputs lie in a staging buffer. */
export interface StagingLayout {
  bytes: number
  parts: { name: string; buffer: number; offset: number; bytes: number }[]
}

export function stagingLayout(program: Program): StagingLayout {
  let offset = 0
  const parts = program.outputs.map(port => {
    const buffer = program.buffers[port.buffer]
    const part = { name: port.name, buffer: port.buffer, offset, bytes: buffer.elements * 4 }
    // Copies and mapped ranges begin at multiples of 8.
    offset += Math.ceil(part.bytes / 8) * 8
    return part
  })
  return { bytes: Math.max(offset, 8), parts }
}

/** Staging buffers: as many as batches under way, at most `limits.gpuBatchesMax`; who comes later waits in order. */
export interface StagingPool {
  acquire(): Promise<GPUBuffer>
  /** Unmapped, and no longer used by its last holder. */
  release(buffer: GPUBuffer): void
  destroy(): void
}

export function createStagingPool(context: GpuContext, bytes: number): StagingPool {
  const all: GPUBuffer[] = []
  const free: GPUBuffer[] = []
  const waiting: ((buffer: GPUBuffer) => void)[] = []
  return {
    async acquire() {
      const ready = free.pop()
      if (ready) return ready
      if (all.length < limits.gpuBatchesMax) {
        const { MAP_READ, COPY_DST } = GPUBufferUsage
        const buffer = allocate(context, 'the results', bytes, MAP_READ | COPY_DST)
        all.push(buffer)
        return buffer
      }
      return new Promise(resolve => waiting.push(resolve))
    },
    release(buffer) {
      const next = waiting.shift()
      if (next) next(buffer)
      else free.push(buffer)
    },
    destroy() {
      for (const buffer of all) buffer.destroy()
    },
  }
}
