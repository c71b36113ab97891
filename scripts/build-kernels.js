/** Compiles assembly/ to dist/wasm: both targets of asconfig.json at once. Prints what asc says only where it fails. */
import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { promisify } from 'node:util'

const asc = createRequire(import.meta.url).resolve('assemblyscript/bin/asc.js')
const run = promisify(execFile)

await Promise.all(
  ['simd', 'relaxed'].map(target =>
    run(process.execPath, [asc, '--target', target]).catch(failed => {
      console.error(`asc --target ${target} failed\n${failed.stderr}${failed.stdout}`)
      process.exitCode = 1
    }),
  ),
)
