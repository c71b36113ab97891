/**
 * Builds a clone: npm runs this after `npm install` and before `npm pack`. With --if-missing it does so only where dist/
 * is not there yet, as after `npm install --ignore-scripts`. It runs on older versions of Node too.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const root = join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '..')
const built = ['dist/cli/launch.js', 'dist/wasm/kernels-simd.wasm', 'dist/wasm/kernels-relaxed.wasm'].every(file =>
  existsSync(join(root, file)),
)
const { resolve } = createRequire(join(root, 'package.json'))

function installed(name) {
  try {
    return resolve(name) !== ''
  } catch {
    return false
  }
}

if (built && process.argv.includes('--if-missing')) process.exit(0)

if (!installed('assemblyscript/package.json') || !installed('typescript/package.json')) {
  if (built) process.exit(0) // `npm prune --omit=dev` after a build
  console.error(
    'shardmesh: a clone is built with development dependencies (TypeScript, AssemblyScript), and npm left them out ' +
      'because of NODE_ENV=production or --omit=dev. Run: npm install --include=dev',
  )
  process.exit(1)
}

const { status } = spawnSync(process.execPath, ['scripts/build.js'], { cwd: root, stdio: 'inherit' })
process.exit(status ?? 1)
