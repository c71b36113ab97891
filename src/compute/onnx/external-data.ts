/**
 * Weights in files beside the model ("external data"). A model comes from outside: it may name files of its own folder
 * only, and neither a path with `..`, an absolute one nor a link leads out of it.
 */
import { closeSync, fstatSync, readSync, realpathSync } from 'node:fs'
import { isAbsolute, join, relative, sep } from 'node:path'
import type { PeerError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { openNamedSync } from '../../base/named-file.ts'
import { modelError } from './model.ts'
import type { ReadExternal } from './tensor-proto.ts'

/**
 * @param folder the one that holds the model
 * @returns a reader for `loadModel`, which throws PeerError MODEL_EXTERNAL_DATA
 */
export function externalFolder(folder: string): ReadExternal {
  return (location, offset, length, what) => {
    const fail = (problem: string): PeerError =>
      modelError('MODEL_EXTERNAL_DATA', `${what} lies in "${location}", ${problem}`, { file: location })
    const path = join(folder, location)
    const root = real(folder) ?? folder
    const found = location === '' || isAbsolute(location) ? undefined : real(path)
    if (location === '' || isAbsolute(location) || leaves(folder, path) || (found && leaves(root, found))) {
      throw fail("which is outside the model's folder; put the file beside the model and name it so")
    }
    if (!found) throw fail("which is not in the model's folder; copy it there")
    const file = opened(found)
    if (file === undefined) throw fail('which is not a file, or cannot be read; copy the model again')
    try {
      const stat = fstatSync(file)
      const bytes = length ?? stat.size - offset
      if (offset + bytes > stat.size || bytes < 0) {
        throw fail(`which has ${stat.size} bytes and not the ${offset + bytes} that are needed; copy it again`)
      }
      if (bytes > limits.modelBytesMax) throw fail('and is too large; use a smaller model')
      const data = new Uint8Array(bytes)
      for (let at = 0; at < bytes; ) {
        const got = readSync(file, data, at, bytes - at, offset + at)
        if (got === 0) throw fail('which ends early; copy it again')
        at += got
      }
      return data
    } finally {
      closeSync(file)
    }
  }
}

function opened(path: string): number | undefined {
  try {
    return openNamedSync(path)
  } catch {
    return undefined
  }
}

function real(path: string): string | undefined {
  try {
    return realpathSync(path)
  } catch {
    return undefined
  }
}

function leaves(folder: string, path: string): boolean {
  const way = relative(folder, path)
  return way === '' || way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way)
}
