/** A network's file and the backend that it runs on, as the commands that run one on this machine name them. */
import { dirname, join } from 'node:path'
import { PeerError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { kindAt, readNamed } from '../base/named-file.ts'
import type { Backend } from '../compute/backends/types.ts'
import { loadModel, type Model } from '../compute/engine/model.ts'
import { externalFolder } from '../compute/onnx/external-data.ts'
import { dataFolder } from '../peer/home.ts'
import type { Precision } from './precision.ts'

export function usageError(message: string): PeerError {
  return new PeerError({ code: 'INPUT_OPTIONS', kind: 'input', message })
}

/** @param options the data folder, where a GPU's fastest tiles are remembered, and WebGPU's precision */
export async function openBackend(
  name: string,
  options: { data?: string; precision?: Precision } = {},
): Promise<Backend> {
  const { precision } = options
  if (precision === 'f16' && name !== 'webgpu') throw usageError('--precision f16 is for WebGPU; add --backend webgpu')
  // Loaded when it is needed: Dawn is large, and a machine may be without it.
  if (name === 'webgpu') {
    const { createWebGpuBackend } = await import('../compute/backends/webgpu/backend.ts')
    return createWebGpuBackend({ precision, tuning: { file: join(dataFolder(options.data), 'gpu-tiles.json') } })
  }
  if (name === 'wasm') return (await import('../compute/backends/wasm/backend.ts')).createWasmBackend()
  throw usageError(`there is no backend "${name}"; give --backend wasm or webgpu`)
}

/** @param path an .onnx file, or a folder with model.onnx */
export async function readModel(path: string): Promise<{ model: Model; bytes: Uint8Array }> {
  const file = (await kindAt(path)) === 'folder' ? join(path, 'model.onnx') : path
  const bytes = await readBounded(file, limits.modelBytesMax)
  return { bytes, model: loadModel(bytes, { readExternal: externalFolder(dirname(file)) }) }
}

export async function readBounded(file: string, bytesMax: number): Promise<Uint8Array> {
  return readNamed(file, { bytesMax })
}
