/**
 * Builds dist/: both targets of asconfig.json from assembly/, and JavaScript and types from src/, side by side.
 * `build.js kernels` and `build.js src` build one of the two. What a compiler says is shown only where it fails.
 */
import { execFile } from 'node:child_process'
import { chmodSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const { resolve } = createRequire(import.meta.url)
const run = promisify(execFile)

/** Runs a program of a package with this Node. */
async function compile(name, program, ...args) {
  try {
    await run(process.execPath, [join(dirname(resolve(`${name}/package.json`)), program), ...args])
  } catch (failed) {
    console.error(`${program} ${args.join(' ')} failed\n${failed.stderr ?? failed}${failed.stdout ?? ''}`)
    process.exitCode = 1
  }
}

const kernels = () => ['simd', 'relaxed'].map(target => compile('assemblyscript', 'bin/asc.js', '--target', target))

async function src() {
  await compile('typescript', 'bin/tsc', '-p', 'tsconfig.build.json')
  if (!process.exitCode) chmodSync('dist/cli/launch.js', 0o755) // npm sets it for packages, not for a clone
}

const [part] = process.argv.slice(2)
await Promise.all([...(part === 'src' ? [] : kernels()), ...(part === 'kernels' ? [] : [src()])])
